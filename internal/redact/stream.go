package redact

import (
	"bufio"
	"io"
	"sync"
)

// Lines returns a reader of r whose lines are redacted by value; each may be JSON. A
// line is passed on when it is complete, or r ends.
func (r *Redactor) Lines(from io.Reader) io.Reader {
	if r.none() {
		return from
	}
	return &lineReader{r: r, in: bufio.NewReader(from)}
}

type lineReader struct {
	r    *Redactor
	in   *bufio.Reader
	rest []byte // of the line that is passed on
	err  error
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		var line []byte
		line, l.err = l.in.ReadBytes('\n')
		l.rest = l.r.Body("", line)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Switch is a Redactor that is known later than the writers and logs that use it:
// until Set is called, only shapes are redacted. It is safe for concurrent use.
type Switch struct {
	mu sync.Mutex
	r  *Redactor
}

// Set gives the Redactor that is used from now on.
func (s *Switch) Set(r *Redactor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

// Get returns the Redactor, which may be nil.
func (s *Switch) Get() *Redactor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

// Results returns a writer of what the program found: each Write is redacted by value.
// A secret that is split over two Writes is not found, so write whole lines.
func (s *Switch) Results(w io.Writer) io.Writer {
	return writer{w, func(p []byte) []byte { return s.Get().Body("", p) }}
}

// Notes returns a writer of what the program says, such as errors and logs: each Write
// is redacted by value and by shape.
func (s *Switch) Notes(w io.Writer) io.Writer {
	return writer{w, func(p []byte) []byte { return []byte(s.Get().Text(string(p))) }}
}

type writer struct {
	w     io.Writer
	clean func([]byte) []byte
}

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	if _, err := w.w.Write(w.clean(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
