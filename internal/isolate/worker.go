package isolate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// A child's hello, from its start. A loaded machine takes its time, and the
	// caller's context ends the wait sooner.
	startPatience = 20 * time.Second
	maxHello      = 4 << 10 // bytes
)

// worker is a child of a pool. It belongs to one task at a time.
type worker struct {
	opts   *Options
	child  *child
	in     io.WriteCloser
	out    *os.File
	reader *bufio.Reader
	stderr *tail // to be read when exited is closed
	walls  []string
	seq    uint64
	bytes  int64 // that went over its pipes
	spent  bool  // it has been cut, though its last talk ended well
	exited chan struct{}
	wait   error // what Wait said, when exited is closed
}

// startWorker starts a child and waits for its hello.
func startWorker(ctx context.Context, o *Options, name string) (*worker, error) {
	cmd := o.command(name, poolTask)
	dieWithParent(cmd)
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	w := &worker{opts: o, child: &child{cmd: cmd}, out: out, reader: bufio.NewReader(out), stderr: &tail{max: stderrTail}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = theirs, w.stderr
	w.in, err = cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = theirs.Close() // the child has its own
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("starting an isolated process: %w", err)
	}
	go func() { // stop waits for it
		w.wait = w.child.wait()
		close(w.exited)
	}()
	if err := w.greet(ctx); err != nil {
		w.stop()
		return nil, fmt.Errorf("starting an isolated process: %w", err)
	}
	return w, nil
}

func (w *worker) greet(parent context.Context) error {
	ctx, cancel := context.WithTimeoutCause(parent, startPatience, errDeadline)
	defer cancel()
	stop := context.AfterFunc(ctx, w.cut)
	defer stop()
	raw, err := readFrame(w.reader, maxHello)
	if err != nil {
		return w.verdict(ctx, parent, err)
	}
	if !stop() { // its end came with the hello
		return w.verdict(ctx, parent, context.Cause(ctx))
	}
	h, err := parseHello(raw)
	w.walls = h.Walls
	return err
}

// do sends a task and waits for its answer. After an error, or when the worker
// is spent, it is of no use any more: stop it.
func (w *worker) do(parent context.Context, task string, in []byte) (envelope, error) {
	ctx, cancel := context.WithTimeoutCause(parent, w.opts.Deadline, errDeadline)
	defer cancel()
	stop := context.AfterFunc(ctx, w.cut)
	defer stop()
	w.seq++
	until, _ := ctx.Deadline()
	message, err := talk(request{Seq: w.seq, Task: task, Millis: time.Until(until).Milliseconds()}, in)
	if err != nil {
		return envelope{}, err
	}
	_, err = w.in.Write(message)
	// A child that does not read may have said why it will not; if not, then
	// this fails too.
	answer, readErr := readReply(w.reader, w.seq, w.opts.MaxOutput)
	w.bytes += int64(len(message) + len(answer.Out))
	if errors.Is(readErr, ErrOutput) {
		return envelope{}, readErr
	}
	if err = errors.Join(err, readErr); err != nil {
		return envelope{}, w.verdict(ctx, parent, err)
	}
	w.spent = !stop() // the task's end came with the answer: the next task would lose its child
	return answer, nil
}

// verdict makes an error of a talk that broke off, by why our context ended or
// how the child did, and stops the child.
func (w *worker) verdict(ctx, parent context.Context, broken error) error {
	garbage := errors.Is(broken, errFrame)
	gone := (!garbage || errors.Is(broken, io.ErrUnexpectedEOF)) && w.gone(ctx)
	cause := context.Cause(ctx)
	w.stop()
	well := w.wait == nil || errors.Is(w.wait, exec.ErrWaitDelay)
	switch {
	case errors.Is(cause, ErrClosed):
		return ErrClosed
	case cause == nil && garbage && (well || !gone):
		return fmt.Errorf("%w: %w", ErrOutput, broken)
	case cause == nil && !gone:
		return fmt.Errorf("%w: it closed its output", ErrCrashed)
	case cause == nil && well:
		return fmt.Errorf("%w: it left without an answer", ErrCrashed)
	}
	if err := w.opts.verdict(cause, parent.Err(), w.wait); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTimeout, cause) // it left by itself just then
}

// gone waits a moment for the end of a child whose pipe broke.
func (w *worker) gone(ctx context.Context) bool {
	moment := time.NewTimer(pipeDelay)
	defer moment.Stop()
	select {
	case <-w.exited:
		return true
	case <-ctx.Done():
	case <-moment.C:
	}
	return false
}

// alive is false for a child that died between two tasks.
func (w *worker) alive() bool {
	select {
	case <-w.exited:
		return false
	default:
		return true
	}
}

// cut ends the talk: the child is killed and our ends of the pipes are closed,
// so that nobody who holds the others keeps us waiting.
func (w *worker) cut() {
	w.child.kill()
	_ = w.in.Close()
	_ = w.out.Close()
}

// stop kills the child and returns when it is reaped.
func (w *worker) stop() {
	w.cut()
	<-w.exited
}
