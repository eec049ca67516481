package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Pool keeps child processes running and gives each one task at a time. It
// starts none before the first call. A child that misses a deadline, crashes,
// uses too much memory or breaks the protocol is killed and replaced, and its
// task gets the error. A Pool is safe for concurrent use. Close it.
type Pool struct {
	opts  Options
	name  string          // argv[0] of children
	slots slots           // one for each child that is starting or at work
	extra slots           // the same for extra children
	life  context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // calls of Run, Warm and Sandbox, and replacements

	counters counters

	mu     sync.Mutex
	closed bool
	idle   []*worker // the one used last is at the end, because it is the warmest
}

// slots is a semaphore: sending takes a slot, receiving gives it back.
type slots chan struct{}

// NewPool sets the defaults of o. It starts no process. The error is that the
// program's own image cannot be found.
func NewPool(o Options) (*Pool, error) {
	name, err := o.complete()
	if err != nil {
		return nil, err
	}
	p := &Pool{opts: o, name: name, slots: make(slots, o.Parallel), extra: make(slots, o.Extra)}
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Run has a child do the task and decodes its answer into out, a pointer. It
// returns at the latest shortly after the task's deadline or ctx's end, whatever
// the child does. The wait for a free child and for the start of a new one counts
// against ctx alone, not against the task's deadline.
//
// Errors: *TaskError when the task failed; ErrTimeout, ErrCrashed or ErrOutput
// when its process did; ctx's error, and ErrTimeout too if it is a deadline's,
// when ctx ended first; ErrClosed.
func (p *Pool) Run(ctx context.Context, task string, in, out any) error {
	raw, err := encode(in)
	if err != nil {
		return fmt.Errorf("encoding the input of task %s: %w", task, err)
	}
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return fmt.Errorf("task %s: %w", task, err)
	}
	defer leave()
	slot, err := p.acquire(ctx)
	if err != nil {
		return contextError(task, err)
	}
	w, err := p.take(ctx, slot)
	if err != nil {
		<-slot
		return fmt.Errorf("task %s: %w", task, err)
	}
	answer, err := w.do(ctx, task, raw)
	err = decode(task, answer, err, out)
	p.counters.ended(err)
	switch {
	case slot == p.extra:
		p.log(w, task, err)
		w.stop()
		<-slot
	case reusable(err) && w.sound() && w.done < p.opts.MaxTasks && w.bytes < p.opts.MaxBytes:
		p.put(w)
		<-slot
	default:
		p.log(w, task, err)
		p.replace(w)
	}
	return err
}

// decode decodes a child's answer into out, or makes an error of it.
func decode(task string, answer result, err error, out any) error {
	switch {
	case err != nil:
		return fmt.Errorf("task %s: %w", task, err)
	case answer.late: // the child noticed the deadline before it was killed
		return fmt.Errorf("task %s: %w: %s", task, ErrTimeout, *answer.err)
	case answer.err != nil:
		return &TaskError{Task: task, Message: *answer.err}
	}
	if err := json.Unmarshal(answer.out, out); err != nil {
		return fmt.Errorf("task %s: %w: %w", task, ErrOutput, err)
	}
	return nil
}

// reusable reports whether a child can do another task after one that ended so.
func reusable(err error) bool {
	var failed *TaskError
	return err == nil || errors.As(err, &failed)
}

// Warm starts the children that are not running yet and waits until they are
// ready, so that the first tasks do not wait for them.
func (p *Pool) Warm(ctx context.Context) error {
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var started []*worker
	defer func() {
		for _, w := range started {
			p.put(w)
			<-p.slots
		}
	}()
	for {
		missing := p.acquireMissing()
		if !missing {
			return nil
		}
		w, err := p.start(ctx)
		if err != nil {
			<-p.slots
			return err
		}
		started = append(started, w)
	}
}

// acquireMissing takes a slot if fewer children exist than are allowed, counting
// those that are starting or at work.
func (p *Pool) acquireMissing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle)+len(p.slots) >= p.opts.Parallel {
		return false
	}
	select {
	case p.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// Sandbox returns the restrictions that hold in a child (SandboxSeccomp and so
// on), sorted; it starts a child if none is idle. The list is empty where there
// is no sandbox.
func (p *Pool) Sandbox(ctx context.Context) ([]string, error) {
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := p.acquireUsual(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.slots }()
	w, err := p.take(ctx, p.slots)
	if err != nil {
		return nil, err
	}
	p.put(w)
	return append([]string{}, w.sandbox...), nil
}

// Walls is Sandbox under its former name, for programs outside of this repository.
func (p *Pool) Walls(ctx context.Context) ([]string, error) { return p.Sandbox(ctx) }

// Close ends running tasks with ErrClosed, kills all children and returns once
// they are reaped. It may be called more than once.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.work.Wait()
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, w := range idle {
		w.stop()
	}
	return nil
}

// enter returns a context that ends with ctx or the pool. Close waits until
// leave is called.
func (p *Pool) enter(ctx context.Context) (joined context.Context, leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrClosed
	}
	p.work.Add(1)
	joined, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.life, func() { cancel(ErrClosed) })
	return joined, func() { stop(); cancel(nil); p.work.Done() }, nil
}

// acquire waits for a slot, after extraDelay for an extra one too. The caller gives
// it back by receiving from what it returns.
func (p *Pool) acquire(ctx context.Context) (slots, error) {
	if p.opts.Extra == 0 {
		return p.slots, p.acquireUsual(ctx)
	}
	patience := time.NewTimer(extraDelay)
	defer patience.Stop()
	got := p.slots
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, cause(ctx)
	case <-patience.C:
		select {
		case p.slots <- struct{}{}:
		case p.extra <- struct{}{}:
			got = p.extra
		case <-ctx.Done():
			return nil, cause(ctx)
		}
	}
	if ctx.Err() != nil {
		<-got
		return nil, cause(ctx)
	}
	return got, nil
}

// acquireUsual waits for a slot of p.slots.
func (p *Pool) acquireUsual(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return cause(ctx)
	}
	if ctx.Err() != nil {
		<-p.slots
		return cause(ctx)
	}
	return nil
}

// cause is ctx's error, or ErrClosed if Close ended it.
func cause(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return ctx.Err()
}

// take returns an idle child, or starts one. The caller holds slot; an extra child
// is always started.
func (p *Pool) take(ctx context.Context, slot slots) (*worker, error) {
	if slot == p.extra {
		return p.start(ctx)
	}
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return p.start(ctx)
		}
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if w.alive() {
			return w, nil
		}
		w.stop()
	}
}

func (p *Pool) start(ctx context.Context) (*worker, error) {
	w, err := startWorker(ctx, &p.opts, p.name)
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrClosed) {
			return nil, ErrClosed
		}
		return nil, err
	}
	p.counters.started.Add(1)
	return w, nil
}

func (p *Pool) put(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, w)
}

// log stops a child that failed, and logs why.
func (p *Pool) log(w *worker, task string, why error) {
	if !reusable(why) {
		w.stop()
		p.opts.Logger.Debug("isolated task failed", "task", task, "err", why, "stderr", w.stderr.String())
	}
}

// replace stops a child, starts another in the background and then gives the slot
// back. If the start fails, the next task starts a child and gets the error.
func (p *Pool) replace(w *worker) {
	w.stop()
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.work.Add(1)
	}
	p.mu.Unlock()
	if closed {
		<-p.slots
		return
	}
	go func() { // Close waits for it
		defer p.work.Done()
		if w, err := p.start(p.life); err == nil {
			p.put(w)
		}
		<-p.slots
	}()
}
