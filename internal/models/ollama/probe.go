package ollama

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// State is what was found at the server's address. Chat and Embed are nil when
// there is no model to use for them, and then a Problem says why.
type State struct {
	Reachable    bool
	Version      string
	Chat         *ModelInfo
	Embed        *ModelInfo
	ChatProblem  *evidence.Problem
	EmbedProblem *evidence.Problem
	Problem      *evidence.Problem // the first thing to mend, nil when all is well
}

// flight is a look at the server that one or more callers wait for.
type flight struct{ done chan struct{} }

// Probe says what is there now. It takes at most Config.Probe, 200 ms, and less
// when ctx ends: a server that does not answer by then counts as too slow, and
// the look goes on for the next caller. Many callers share one look, and what it
// found is believed for three seconds.
func (c *Client) Probe(ctx context.Context) State {
	c.mu.Lock()
	if c.known && c.cfg.Now().Sub(c.stateAt) < stateFresh {
		defer c.mu.Unlock()
		return c.state
	}
	if c.closed {
		c.mu.Unlock()
		return unusable(State{}, &evidence.Problem{What: errClosed.Error(), Cause: errClosed})
	}
	f := c.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flight = f
		c.begin(func(life context.Context) { c.look(life, f) })
	}
	c.mu.Unlock()

	timer := time.NewTimer(c.cfg.Probe)
	defer timer.Stop()
	select {
	case <-f.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.state
	case <-timer.C:
	case <-ctx.Done():
	}
	return unusable(State{}, &evidence.Problem{
		What: fmt.Sprintf("Ollama at %s did not answer within %s", c.Host(), c.cfg.Probe),
		Try:  "it may be busy or starting: ask again, or restart it if it stays so",
	})
}

// look fills in the state and lands the flight.
func (c *Client) look(life context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(life, lookLimit)
	defer cancel()
	version, list, err := c.list(ctx)

	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.state = unusable(State{Reachable: answered(err)}, c.absent(err))
	} else {
		c.state = c.stateOf(version, list.Models)
	}
	// A refusal comes within a millisecond: an Ollama that was just started is
	// not kept waiting for the old news to expire.
	c.known = !errors.Is(err, syscall.ECONNREFUSED)
	c.stateAt, c.flight = c.cfg.Now(), nil
	c.learn(c.state.Chat, c.state.Embed)
	close(f.done)
}

// list asks for the version and the models at once.
func (c *Client) list(ctx context.Context) (string, *api.ListResponse, error) {
	version := make(chan string, 1)
	c.begin(func(context.Context) {
		v, _ := c.api.Version(ctx) // worth showing, not worth failing for
		version <- v
	})
	list, err := c.api.List(ctx)
	if err != nil {
		return "", nil, err
	}
	return <-version, list, nil
}

func (c *Client) stateOf(version string, installed []api.ListModelResponse) State {
	s := State{Reachable: true, Version: version}
	s.Chat, s.ChatProblem = c.choose(c.chatRole(), installed)
	s.Embed, s.EmbedProblem = c.choose(c.embedRole(), installed)
	s.Problem = s.ChatProblem
	if s.Problem == nil {
		s.Problem = s.EmbedProblem
	}
	return s
}

func unusable(s State, p *evidence.Problem) State {
	s.Problem, s.ChatProblem, s.EmbedProblem = p, p, p
	return s
}

// answered reports whether err came from something that speaks HTTP.
func answered(err error) bool {
	var netErr net.Error
	return !errors.As(err, &netErr) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// absent says why the list of models did not come.
func (c *Client) absent(err error) *evidence.Problem {
	const start = "start it with `ollama serve`, or go on without it: answers are then quoted from the sources"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &evidence.Problem{What: "Ollama is not running at " + c.Host(), Try: start, Cause: err}
	case !answered(err):
		return &evidence.Problem{What: "Ollama is not reachable at " + c.Host(), Try: start, Cause: err}
	}
	return &evidence.Problem{
		What:  fmt.Sprintf("what answers at %s is not Ollama, or it is broken: %s", c.Host(), brief(err.Error())),
		Try:   "check OLLAMA_HOST",
		Cause: err,
	}
}
