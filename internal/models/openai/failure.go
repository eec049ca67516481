package openai

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	api "github.com/sashabaranov/go-openai"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/models/writer"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// failureTTL is how long a model that failed is not chosen again.
const failureTTL = 30 * time.Second

// failure is the last failure of a model.
type failure struct {
	at      time.Time
	problem *evidence.Problem
}

// errCut is an answer that ended without its last event.
var errCut = errors.New("the answer broke off")

// status returns the HTTP status and the message of a server's error; 0 if it is none.
func status(err error) (int, string) {
	var apiErr *api.APIError
	var reqErr *api.RequestError
	switch {
	case errors.As(err, &apiErr):
		return apiErr.HTTPStatusCode, apiErr.Message
	case errors.As(err, &reqErr):
		return reqErr.HTTPStatusCode, string(reqErr.Body)
	}
	return 0, ""
}

// problem returns the failure of a call as an *evidence.Problem, or ctx's error when
// it was cancelled. A failure of the model is remembered, so that the next question
// does not choose it; a prompt that is too long and the end of ctx are none.
func (c *client) problem(ctx context.Context, model string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return &evidence.Problem{What: fmt.Sprintf("the model %s was too slow for the time that was left", model), Try: "allow more time, or use a smaller model", Cause: ctx.Err()}
	}
	code, message := status(err)
	if tooLong(code, message) {
		return &evidence.Problem{What: "the text is too long for the model " + model, Try: "set models.context to what it can read", Cause: writer.ErrTooLong}
	}
	p := c.explain(model, code, message, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures[model] = failure{at: c.now(), problem: p}
	return p
}

// tooLong recognises the errors of llama.cpp, vLLM, LM Studio and OpenAI for a prompt
// that does not fit.
func tooLong(code int, message string) bool {
	message = strings.ToLower(message)
	return code >= 400 && code < 500 && (strings.Contains(message, "context length") || strings.Contains(message, "context size") ||
		strings.Contains(message, "context window") || strings.Contains(message, "context_length_exceeded") || strings.Contains(message, "exceed_context_size"))
}

// explain says what failed and what to do. It quotes no cause that may hold the key:
// servers repeat it.
func (c *client) explain(model string, code int, message string, err error) *evidence.Problem {
	p := &evidence.Problem{Try: "check models.url and the server's log"}
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		p.What = fmt.Sprintf("the server at %s refuses the key (status %d)", c.base, code)
		p.Try = "put a valid key into the file that models.key_file names, or into " + keyEnv
		if c.key == "" {
			p.What = fmt.Sprintf("the server at %s wants a key (status %d)", c.base, code)
		}
	case code == http.StatusNotFound:
		p.What = fmt.Sprintf("the server at %s lacks the model %s, or models.url is not the start of its API", c.base, model)
		p.Try = "see `research-mcp doctor` for its models; a URL usually ends in /v1"
	case code == http.StatusTooManyRequests:
		p.What = fmt.Sprintf("the server at %s allows no more requests at present: %s", c.base, c.brief(message))
		p.Try = "wait, or see the limits and the credit of your account there"
	case code >= 300:
		p.What = fmt.Sprintf("the model %s at %s fails with status %d: %s", model, c.base, code, c.brief(message))
	case errors.Is(err, wire.ErrSilent):
		p.What = fmt.Sprintf("the model %s at %s stopped responding", model, c.base)
	case errors.Is(err, syscall.ECONNREFUSED):
		p.What = "no server runs at " + c.base
		p.Try = "start it, or correct models.url; answers are quoted from the sources until then"
	case errors.As(err, &syntax), errors.As(err, &shape):
		p.What = fmt.Sprintf("what answers at %s does not speak OpenAI's API: %s", c.base, c.brief(err.Error()))
		p.Try = "check models.url: it usually ends in /v1"
	case unreachable(err):
		p.What = fmt.Sprintf("the server at %s cannot be reached: %s", c.base, c.brief(err.Error()))
		p.Try = "check models.url, and models.proxy if the server is behind one"
	default:
		p.What = fmt.Sprintf("the model %s at %s fails: %s", model, c.base, c.brief(cmp.Or(message, err.Error())))
	}
	return p
}

func unreachable(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr)
}

// brief returns a message as one short line without secrets.
func (c *client) brief(s string) string {
	s, _ = text.Clean(redact.New(c.key).Text(s))
	s, cut := text.Cut(text.Squash(s), 200)
	if cut {
		s += "…"
	}
	return cmp.Or(s, "it gives no reason")
}

// failing returns why a model is not chosen at present, or nil.
func (c *client) failing(model string) *evidence.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.failures[model]; ok && c.now().Sub(f.at) < failureTTL {
		return f.problem
	}
	return nil
}

// works clears the failure of a model that has answered.
func (c *client) works(model string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failures, model)
}
