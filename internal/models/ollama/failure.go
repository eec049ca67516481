package ollama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// failure is what a model did wrong the last time.
type failure struct {
	at      time.Time
	problem *evidence.Problem
}

var (
	// ErrTooLong is in the chain of the error for a prompt, or a text to embed,
	// that does not fit into the model's context.
	ErrTooLong = errors.New("longer than the model's context")
	errSilent  = errors.New("no word for too long")
	errCut     = errors.New("the answer broke off")
)

// problem puts the failure of a call into words. One that is the model's own is
// remembered, so that the next probe does not choose the same model at once; a
// server that went away, or a model, is looked for anew. The end of the caller's
// ctx is never held against a model.
func (c *Client) problem(ctx context.Context, name string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return &evidence.Problem{
			What:  fmt.Sprintf("the Ollama model %s was too slow for the time that was left", name),
			Try:   "allow more time, or use a smaller model",
			Cause: ctx.Err(),
		}
	}
	var status api.StatusError
	isStatus := errors.As(err, &status)
	p := &evidence.Problem{Cause: err}
	switch {
	case isStatus && status.StatusCode == http.StatusBadRequest && strings.Contains(status.ErrorMessage, "context length"):
		p.What = fmt.Sprintf("the text is too long for the Ollama model %s", name)
		p.Cause = errors.Join(ErrTooLong, err)
		return p // nothing wrong with the model
	case isStatus && status.StatusCode == http.StatusNotFound:
		p.What = fmt.Sprintf("Ollama at %s lacks the model %s", c.Host(), name)
		p.Try = "run `ollama pull " + name + "`"
		c.forgetState()
		return p
	case errors.Is(err, errSilent):
		p.What = fmt.Sprintf("the Ollama model %s fell silent", name)
		p.Try = "see `ollama ps`; restart Ollama if it stays so"
	case !isStatus && !errors.Is(err, errCut) && !answered(err):
		c.forgetState()
		return c.absent(err)
	default:
		p.What = fmt.Sprintf("the Ollama model %s is installed but fails: %s", name, brief(cmp.Or(status.ErrorMessage, err.Error())))
		p.Try = "try `ollama run " + name + "`; a smaller model may fit where this one does not"
	}
	c.forgetState()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures[name] = failure{at: c.cfg.Now(), problem: p}
	return p
}

// forgetState makes the next caller of Probe wait for a new result.
func (c *Client) forgetState() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes.state, c.probes.valid = State{}, false
}

// works forgets a failure.
func (c *Client) works(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failures, name)
}

// slowFresh is how long a model counts as slow.
const slowFresh = 5 * time.Minute

// NoteSlow remembers that a model was too slow for a small job that somebody
// waited for; Slow says whether that was lately. It does not keep a model from
// being chosen: an answer has more time.
func (c *Client) NoteSlow(m ModelInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow[m.Name] = c.cfg.Now()
}

// Slow reports whether NoteSlow was called for the model within five minutes.
func (c *Client) Slow(m ModelInfo) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.slow[m.Name]
	return ok && c.cfg.Now().Sub(at) < slowFresh
}

// brief makes a line of a server's message.
func brief(s string) string {
	s, _ = text.Clean(s)
	s, cut := text.Cut(text.Squash(s), 200)
	if cut {
		s += "…"
	}
	return s
}
