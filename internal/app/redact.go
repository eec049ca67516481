package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"syscall"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/memory"
)

// cleanDocuments removes the secrets of the settings from what a service sent: some
// repeat the key that they were asked with.
func cleanDocuments(r *redact.Redactor, docs []evidence.Document) []evidence.Document {
	for i := range docs {
		docs[i] = cleanDocument(r, docs[i])
	}
	return docs
}

// cleanDocument keeps the document's id, which is no secret.
func cleanDocument(r *redact.Redactor, d evidence.Document) evidence.Document {
	body := r.Values(d.Text)
	if body != d.Text {
		d.Matched = nil // its offsets are those of the old text
	}
	d.Text, d.URL, d.Title, d.License, d.Revision = body, r.Values(d.URL), r.Values(d.Title), r.Values(d.License), r.Values(d.Revision)
	for i, t := range d.Tags {
		d.Tags[i] = r.Values(t)
	}
	for k, v := range d.Meta {
		d.Meta[k] = r.Values(v)
	}
	return d
}

// cleanError is an error whose text is redacted. It is whatever the original is.
type cleanError struct {
	text string
	err  error
	r    *redact.Redactor
}

// cleaned returns err with its text redacted.
func cleaned(r *redact.Redactor, err error) error {
	if err == nil {
		return nil
	}
	if said := err.Error(); r.Text(said) != said {
		return &cleanError{r.Text(said), err, r}
	}
	return err
}

func (e *cleanError) Error() string { return e.text }

func (e *cleanError) Unwrap() error { return e.err }

// As gives a Problem with its texts redacted.
func (e *cleanError) As(target any) bool {
	to, ok := target.(**evidence.Problem)
	if !ok {
		return false
	}
	var p *evidence.Problem
	if !errors.As(e.err, &p) {
		return false
	}
	clean := *p
	clean.What, clean.Try = e.r.Text(p.What), e.r.Text(p.Try)
	*to = &clean
	return true
}

// cleanPages is a reader of pages without the secrets of the settings.
type cleanPages struct {
	library.PageReader
	secrets *redact.Redactor
}

// ReadPage implements library.PageReader.
func (p cleanPages) ReadPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	doc, origin, err := p.PageReader.ReadPage(ctx, url)
	return cleanDocument(p.secrets, doc), origin, cleaned(p.secrets, err)
}

// cleanSessions stores no secrets of the settings that a model has repeated.
type cleanSessions struct {
	memory.Sessions
	secrets *redact.Redactor
}

// Append implements memory.Sessions.
func (s cleanSessions) Append(ctx context.Context, id string, turns ...evidence.Turn) error {
	clean := make([]evidence.Turn, len(turns))
	for i, t := range turns {
		t.Text = s.secrets.Values(t.Text)
		if t.Run != nil {
			t.Run = cleanAnswer(s.secrets, t.Run)
		}
		clean[i] = t
	}
	return s.Sessions.Append(ctx, id, clean...)
}

// Fold implements memory.Sessions.
func (s cleanSessions) Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error) {
	return s.Sessions.Fold(ctx, id, from, to, s.secrets.Values(summary))
}

// cleanClaims stores no secrets of the settings that a question has.
type cleanClaims struct {
	memory.RunClaimer
	secrets *redact.Redactor
}

// ClaimRun implements memory.RunClaimer.
func (c cleanClaims) ClaimRun(ctx context.Context, run memory.ClaimedRun) (bool, error) {
	run.Question, run.Request = c.secrets.Values(run.Question), c.secrets.JSON(run.Request)
	return c.RunClaimer.ClaimRun(ctx, run)
}

// cleanAnswer returns the answer without secrets, the same one if it has none.
func cleanAnswer(r *redact.Redactor, a *evidence.Answer) *evidence.Answer {
	raw, err := json.Marshal(a)
	if err != nil {
		return a // it is not stored either
	}
	clean := r.JSON(raw)
	if string(clean) == string(raw) {
		return a
	}
	var out evidence.Answer
	if json.Unmarshal(clean, &out) != nil {
		return a // not reached: the form of the JSON is the same
	}
	return &out
}

// cleanOutput is a protocol stream whose messages are redacted by value. Each Write
// has whole messages.
type cleanOutput struct {
	io.Writer
	secrets *redact.Redactor
}

// Write implements io.Writer.
func (w cleanOutput) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(w.secrets.Body("", p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SyscallConn implements syscall.Conn, by which it is seen whether anybody reads.
func (w cleanOutput) SyscallConn() (syscall.RawConn, error) {
	if file, ok := w.Writer.(syscall.Conn); ok {
		return file.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
