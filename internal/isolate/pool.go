package isolate

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Defaults of PoolOptions.
const (
	DefaultPoolSize  = 2
	DefaultPoolTasks = 100
	DefaultPoolBytes = 256 << 20
)

// ErrClosed is what a closed pool says.
var ErrClosed = errors.New("the pool of isolated processes is closed")

// PoolOptions of a Pool. The zero value is usable. Of Options, Parallel is the
// number of children, and Deadline that of one task without its process's start.
type PoolOptions struct {
	Options
	MaxTasks int   // after so many a child is replaced; default 100
	MaxBytes int64 // of input and output together, likewise; default 256 MiB
}

// Pool keeps child processes ready and gives each one task at a time. It starts
// none before it is asked to. A child that misses a deadline, crashes, uses too
// much memory or talks nonsense is killed and replaced, and the task that it had
// gets the error. A Pool is safe for concurrent use. Close it.
type Pool struct {
	opts  PoolOptions
	name  string // argv[0]
	slots chan struct{}
	life  context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // Run, Warm, and replacements

	mu     sync.Mutex
	closed bool
	ready  []*worker // idle; the last used last, which is the warmest
}

// NewPool fills in the defaults. It fails when the program's own image cannot be
// found, and starts nothing.
func NewPool(o PoolOptions) (*Pool, error) {
	if o.Parallel <= 0 {
		o.Parallel = DefaultPoolSize
	}
	if o.MaxTasks <= 0 {
		o.MaxTasks = DefaultPoolTasks
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultPoolBytes
	}
	name, err := o.complete()
	if err != nil {
		return nil, err
	}
	p := &Pool{opts: o, name: name, slots: make(chan struct{}, o.Parallel)}
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Run has a child do the task and decodes its answer into out, a pointer. It
// returns at the latest shortly after the deadline or ctx's end, whatever the
// child does. Waiting for a free child, and for a new one's start, counts
// against ctx alone.
//
// Errors are those of Runner.Run, and ErrClosed.
func (p *Pool) Run(ctx context.Context, task string, in, out any) error {
	line, err := encode(in)
	if err != nil {
		return fmt.Errorf("encoding the input of task %s: %w", task, err)
	}
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return fmt.Errorf("task %s: %w", task, err)
	}
	defer leave()
	if err := p.slot(ctx); err != nil {
		return ended(task, err)
	}
	w, err := p.take(ctx)
	if err != nil {
		<-p.slots
		return fmt.Errorf("task %s: %w", task, err)
	}
	answer, err := w.do(ctx, task, line)
	err = deliver(task, answer, err, out)
	if usable(err) && !w.spent && w.seq < uint64(p.opts.MaxTasks) && w.bytes < p.opts.MaxBytes { //nolint:gosec // positive
		p.put(w)
		<-p.slots
	} else {
		p.replace(w, task, err)
	}
	return err
}

// usable is true for the ends of a task after which its child may have another.
func usable(err error) bool {
	var failed *TaskError
	return err == nil || errors.As(err, &failed)
}

// Warm starts the children that are not there yet and waits until they are
// ready, so that the first tasks need not.
func (p *Pool) Warm(ctx context.Context) error {
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var fresh []*worker
	defer func() {
		for _, w := range fresh {
			p.put(w)
			<-p.slots
		}
	}()
	for p.claim() {
		w, err := p.start(ctx)
		if err != nil {
			<-p.slots
			return err
		}
		fresh = append(fresh, w)
	}
	return nil
}

// claim takes a slot if there are fewer children than there may be, those that
// start and work counted.
func (p *Pool) claim() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready)+len(p.slots) >= p.opts.Parallel {
		return false
	}
	select {
	case p.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// Walls names the walls that hold around a child, in order, starting one if none
// is ready. Where a child is no more than a process with a deadline, there are
// none.
func (p *Pool) Walls(ctx context.Context) ([]string, error) {
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := p.slot(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.slots }()
	w, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	p.put(w)
	return append([]string{}, w.walls...), nil
}

// Close ends the tasks that are under way with ErrClosed, kills all children and
// returns when they are reaped. It may be called more than once.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.work.Wait()
	p.mu.Lock()
	idle := p.ready
	p.ready = nil
	p.mu.Unlock()
	for _, w := range idle {
		w.stop()
	}
	return nil
}

// enter joins ctx with the pool's life until leave is called, which Close waits
// for.
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

func (p *Pool) slot(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return reason(ctx)
	}
	if ctx.Err() != nil {
		<-p.slots
		return reason(ctx)
	}
	return nil
}

// reason is ctx's error, or ErrClosed when the pool's end was its cause.
func reason(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return ctx.Err()
}

// take gives an idle child, or a new one.
func (p *Pool) take(ctx context.Context) (*worker, error) {
	for {
		p.mu.Lock()
		n := len(p.ready)
		if n == 0 {
			p.mu.Unlock()
			return p.start(ctx)
		}
		w := p.ready[n-1]
		p.ready = p.ready[:n-1]
		p.mu.Unlock()
		if w.alive() {
			return w, nil
		}
		w.stop()
	}
}

func (p *Pool) start(ctx context.Context) (*worker, error) {
	w, err := startWorker(ctx, &p.opts.Options, p.name)
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrClosed) {
			return nil, ErrClosed
		}
		return nil, err
	}
	return w, nil
}

func (p *Pool) put(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, w)
}

// replace stops a child and starts another in its slot, which it frees then. A
// start that fails is left to the next task, which gets its error.
func (p *Pool) replace(w *worker, task string, why error) {
	w.stop()
	if !usable(why) {
		p.opts.Logger.Debug("isolated task failed", "task", task, "err", why, "stderr", w.stderr.String())
	}
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
