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
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/models/writer"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// failure is the last failure of a model.
type failure struct {
	at      time.Time
	problem *evidence.Problem
}

var errCut = errors.New("the answer broke off")

// problem returns the failure of a call as an *evidence.Problem, or ctx's error
// when it was cancelled. A failure of the model itself is remembered, so that the
// next probe does not choose it. When the server or the model is missing, the next
// caller probes again. The end of ctx does not count as a failure of the model.
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
		p.Cause = errors.Join(writer.ErrTooLong, err)
		return p // not a failure of the model
	case isStatus && status.StatusCode == http.StatusNotFound:
		p.What = fmt.Sprintf("Ollama at %s lacks the model %s", c.Host(), name)
		p.Try = "run `ollama pull " + name + "`"
		c.forgetState()
		return p
	case errors.Is(err, wire.ErrSilent):
		p.What = fmt.Sprintf("the Ollama model %s stopped responding", name)
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

// works clears the failure of a model that has answered.
func (c *Client) works(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failures, name)
}

// brief returns a server's message as one short line.
func brief(s string) string {
	s, _ = text.Clean(redact.Shapes(s))
	s, cut := text.Cut(text.Squash(s), 200)
	if cut {
		s += "…"
	}
	return s
}
