package research

import (
	"context"
	"errors"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
)

// await waits for a run that the caller has joined, until the budget or ctx ends.
func (e *Engine) await(ctx context.Context, a *asking, budget time.Duration, observe func(Event)) (evidence.Answer, error) {
	if observe != nil {
		defer a.watch(observe)()
	}
	bounded, cancel := limit.WithTimeout(ctx, budget+awaitGrace)
	defer cancel()
	select {
	case <-a.done:
	case <-bounded.Done():
		select {
		case <-a.done: // at the same moment
		default:
			return evidence.Answer{}, e.runs.leave(ctx, a)
		}
	}
	e.runs.mu.Lock()
	a.waiting--
	e.runs.mu.Unlock()
	if err := ctx.Err(); err != nil { // it ended at the same moment: the answer is still to be given
		return evidence.Answer{}, err
	}
	e.runs.give(a.id)
	return a.answer.Clone(), a.err
}

// awaitGrace is how much longer a caller waits for a run than its budget: an answer
// comes up to half a second after it.
const awaitGrace = time.Second

// leave counts a caller out. The run ends with its last one, unless one gave up waiting.
func (r *runs) leave(ctx context.Context, a *asking) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.waiting--
	gaveUp := ctx.Err() == nil || errors.Is(context.Cause(ctx), evidence.ErrCallerLeft)
	a.kept = a.kept || gaveUp
	if a.waiting == 0 && !a.kept {
		a.cancel()
		r.forget(a)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return &Pending{Run: a.id}
}

// Pending is what a caller gets whose budget ended before its run did, at work or waiting for
// others. The run goes on.
type Pending struct{ Run string }

func (p *Pending) Error() string {
	return "the question is still being worked on, as run " + p.Run
}

// watch adds an observer, and returns what removes it.
func (a *asking) watch(observe func(Event)) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.next
	a.next++
	a.observers[n] = observe
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.observers, n)
	}
}

func (a *asking) broadcast(ev Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, observe := range a.observers {
		observe(ev)
	}
}
