package ollama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// State is what a probe found at the server's address. Chat and Embed are nil when
// there is no model to use for them, and then a Problem says why.
type State struct {
	Reachable    bool
	Version      string
	Chat         *ModelInfo
	Embed        *ModelInfo
	ChatProblem  *evidence.Problem
	EmbedProblem *evidence.Problem
	Problem      *evidence.Problem // the first thing to fix, nil when all is well
}

const (
	stateTTL = 3 * time.Second // a state is used this long without asking again

	// firstPatience is how long callers wait for a server that has not been probed
	// before. A healthy one needs milliseconds; one that is loading a model or
	// swapping may need a second.
	firstPatience = 1500 * time.Millisecond
	// leastPatience is for a server that is known to be fast, or not to answer at
	// all: the probe goes on in the background, and the next caller profits.
	leastPatience = 200 * time.Millisecond
	// probeLimit bounds a probe in the background, and so the patience.
	probeLimit = 5 * time.Second
)

// probes is what is remembered of probes. Client.mu guards it.
type probes struct {
	state    State         // the last result; zero: none that may be used
	at       time.Time     // of state
	valid    bool          // state may be used without a new probe while it is younger than stateTTL
	patience time.Duration // of the callers; 0: no probe has ended yet
	running  chan struct{} // closed when the probe under way ends; nil: none is
}

// Probe reports what is there now. Concurrent callers share one probe, and its
// result is used for three seconds. A caller waits until its ctx ends or its
// patience does: 1.5 s at first, then twice the time that the last probe took,
// between 0.2 s and 5 s. The probe continues in the background, and the caller
// gets the state from before it if the server was reachable then.
func (c *Client) Probe(ctx context.Context) State {
	c.mu.Lock()
	if c.probes.valid && c.cfg.Now().Sub(c.probes.at) < stateTTL {
		defer c.mu.Unlock()
		return c.probes.state
	}
	if c.closed {
		c.mu.Unlock()
		return unusable(State{}, &evidence.Problem{What: errClosed.Error(), Cause: errClosed})
	}
	if c.probes.running == nil {
		c.probes.running = make(chan struct{})
		c.background(c.runProbe)
	}
	done, patience := c.probes.running, cmp.Or(c.probes.patience, firstPatience)
	c.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.probes.state
	case <-timer.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probes.state.Reachable {
		return c.probes.state // it was there a moment ago: more likely busy than gone
	}
	return unusable(State{}, &evidence.Problem{
		What: fmt.Sprintf("Ollama at %s did not answer within %s", c.Host(), patience),
		Try:  "it may be busy or starting: ask again, or restart it if this persists",
	})
}

// runProbe asks the server and wakes the callers that wait.
func (c *Client) runProbe(life context.Context) {
	ctx, cancel := context.WithTimeout(life, probeLimit)
	defer cancel()
	begun := time.Now()
	version, list, err := c.list(ctx)
	took := time.Since(begun)

	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.probes
	if err != nil {
		p.state = unusable(State{Reachable: answered(err)}, c.absent(err))
	} else {
		p.state = c.stateOf(version, list.Models)
	}
	p.patience = nextPatience(took, err)
	// A refused connection costs a millisecond and is not remembered: an Ollama that
	// was just started is found at once.
	p.valid = !errors.Is(err, syscall.ECONNREFUSED)
	p.at = c.cfg.Now()
	c.learn(p.state.Chat, p.state.Embed)
	close(p.running)
	p.running = nil
}

// nextPatience is how long callers wait for the next probe after one that took
// this long.
func nextPatience(took time.Duration, err error) time.Duration {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return firstPatience // nothing is known of the server that may start there
	case err != nil:
		return leastPatience // it hangs: waiting longer would not help
	}
	return min(max(2*took, leastPatience), probeLimit)
}

// list asks for the version and the models at the same time.
func (c *Client) list(ctx context.Context) (string, *api.ListResponse, error) {
	version := make(chan string, 1)
	c.background(func(context.Context) {
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
	const start = "start it with `ollama serve`, or go on without it: answers are quoted from the sources then"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &evidence.Problem{What: "Ollama is not running at " + c.Host(), Try: start, Cause: err}
	case !answered(err):
		return &evidence.Problem{What: "Ollama is not reachable at " + c.Host(), Try: start, Cause: err}
	}
	return &evidence.Problem{
		What:  fmt.Sprintf("what answers at %s is not Ollama, or it is broken: %s", c.Host(), brief(err.Error())),
		Try:   "check ollama.host and OLLAMA_HOST",
		Cause: err,
	}
}
