package isolate

import (
	"bytes"
	"errors"
	"strings"
)

// bounded keeps up to max bytes. At the first byte too many it calls over and
// fails, which closes the pipe behind it.
type bounded struct {
	buf  bytes.Buffer
	max  int64
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(b.buf.Len()+len(p)) > b.max {
		b.over()
		return 0, errors.New("output limit reached")
	}
	return b.buf.Write(p)
}

// tail keeps the last max bytes or so.
type tail struct {
	buf []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, n-t.max):]
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - t.max; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return n, nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.buf), "\uFFFD") }
