package research

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
)

// await waits for a run that the caller has joined, until the budget or ctx ends.
func (e *Engine) await(ctx context.Context, a *asking, budget time.Duration, observe func(Event)) (evidence.Answer, error) {
	end := func(bool) {}
	if observe != nil {
		end = a.watch(observe)
	}
	answered := false
	defer func() { end(answered) }()
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
	answered = true
	return a.answer.Clone(), a.err
}

// awaitGrace is how much longer a caller waits for a run than its budget: an answer
// comes up to half a second after it, and later if the memory does not answer.
const awaitGrace = 500*time.Millisecond + leastKeep + 2*claimsWithin

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

// watch gives a caller the events of the run from now on. It returns what ends that: then
// the caller has had all of them, or, without rest, none after the one that it is at.
func (a *asking) watch(observe func(Event)) (end func(rest bool)) {
	o := &observer{wake: make(chan struct{}, 1), gone: make(chan struct{})}
	go o.deliver(observe) // end waits for it
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.next
	a.next++
	a.observers[n] = o
	return func(rest bool) {
		a.mu.Lock()
		delete(a.observers, n)
		a.mu.Unlock()
		o.end(rest)
	}
}

func (a *asking) broadcast(ev Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.observers {
		o.put(ev)
	}
}

// observer has the events that one caller has still to get. Each has its own: a client that
// reads slowly holds up neither the run nor the other callers.
type observer struct {
	wake chan struct{} // there are events, or it has ended
	gone chan struct{} // closed when nothing is delivered any more

	mu      sync.Mutex
	waiting []Event // of one run: they are not many
	ended   bool
}

func (o *observer) put(ev Event) {
	o.mu.Lock()
	o.waiting = append(o.waiting, ev)
	o.mu.Unlock()
	o.call()
}

func (o *observer) call() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake
	}
}

// take returns the next event; more is false after the last one.
func (o *observer) take() (ev Event, ok, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return Event{}, false, !o.ended
	}
	ev, o.waiting = o.waiting[0], o.waiting[1:]
	return ev, true, true
}

func (o *observer) deliver(observe func(Event)) {
	defer close(o.gone)
	for {
		ev, ok, more := o.take()
		switch {
		case ok:
			observe(ev)
		case !more:
			return
		default:
			<-o.wake
		}
	}
}

func (o *observer) end(rest bool) {
	o.mu.Lock()
	o.ended = true
	if !rest {
		o.waiting = nil
	}
	o.mu.Unlock()
	o.call()
	<-o.gone
}
