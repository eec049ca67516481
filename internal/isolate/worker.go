package isolate

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// startTimeout bounds the time from a child's start to its hello. It is long,
	// for a loaded machine; the caller's context can end the wait sooner.
	startTimeout = 20 * time.Second
	maxHello     = 4 << 10 // bytes
)

// Why a worker cut off its child.
var (
	errDeadline     = errors.New("the task's deadline")
	errStartTimeout = errors.New("the child's start took too long")
)

// worker is a running child. It does one task at a time.
type worker struct {
	opts    *Options
	child   *child
	in      io.WriteCloser
	out     *os.File
	reader  *bufio.Reader
	stderr  *tail // may be read once exited is closed
	sandbox []string
	done    int           // tasks
	id      uint64        // of the last task, drawn for it: a child cannot have answered it before it was asked
	allowed time.Duration // the deadline of the last task
	bytes   int64         // sent and received
	cutOff  bool          // cut was called although the last task ended well
	slow    bool          // the last task took more than half of its time
	exited  chan struct{}
	waitErr error // from Wait; valid once exited is closed
}

// startWorker starts a child and waits for its hello. A kernel that refuses namespaces
// is not asked for them again.
func startWorker(ctx context.Context, o *Options, name string) (*worker, error) {
	namespaces := o.wantsNamespaces()
	w, err := launch(o, name, namespaces)
	if err != nil && namespaces {
		if w, err = launch(o, name, false); err == nil {
			o.noNamespaces.Store(true)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("starting an isolated process: %w", err)
	}
	if err := w.handshake(ctx); err != nil {
		w.stop()
		return nil, fmt.Errorf("starting an isolated process: %w", err)
	}
	return w, nil
}

// launch starts a child.
func launch(o *Options, name string, namespaces bool) (*worker, error) {
	cmd := o.command(name, namespaces)
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	w := &worker{opts: o, child: &child{cmd: cmd}, out: out, reader: bufio.NewReader(out), stderr: &tail{max: stderrTail}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = childOut, w.stderr
	w.in, err = cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = childOut.Close() // the child has a copy
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	go func() { // stop waits for it
		w.waitErr = w.child.wait()
		close(w.exited)
	}()
	return w, nil
}

func (w *worker) handshake(parent context.Context) error {
	ctx, cancel := context.WithTimeoutCause(parent, startTimeout, errStartTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, w.cut)
	defer stop()
	raw, err := readFrame(w.reader, maxHello)
	if err != nil {
		return w.explain(ctx, parent, err)
	}
	if !stop() { // ctx ended at the same moment: the child is being killed
		return w.explain(ctx, parent, context.Cause(ctx))
	}
	h, err := parseHello(raw)
	w.sandbox = h.Sandbox
	return err
}

// do sends a task and waits for its answer. After an error, or when cutOff is
// set, the worker cannot be used again: stop it.
func (w *worker) do(parent context.Context, task string, in []byte) (result, error) {
	w.allowed = w.opts.deadline(task)
	ctx, cancel := context.WithTimeoutCause(parent, w.allowed, errDeadline)
	defer cancel()
	stop := context.AfterFunc(ctx, w.cut)
	defer stop()
	w.done++
	w.id = newID()
	deadline, _ := ctx.Deadline()
	begun := time.Now()
	message, err := encodeMessage(request{Seq: w.id, Task: task, Millis: time.Until(deadline).Milliseconds()}, in)
	if err != nil {
		return result{}, err
	}
	_, err = w.in.Write(message)
	// Read even if the write failed: a child that stopped reading may have said
	// why. If it did not, the read fails too.
	answer, readErr := readReply(w.reader, w.id, w.opts.MaxOutput)
	w.bytes += int64(len(message) + len(answer.out))
	if errors.Is(readErr, ErrOutput) {
		return result{}, readErr
	}
	if err = errors.Join(err, readErr); err != nil {
		return result{}, w.explain(ctx, parent, err)
	}
	w.slow = time.Since(begun) > w.allowed/2
	w.cutOff = !stop() // ctx ended together with the answer: the child is being killed
	return answer, nil
}

// newID draws a number that a child cannot guess.
func newID() uint64 {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return binary.BigEndian.Uint64(raw[:])
}

// sound reports whether the child may be given another task after one that ended well:
// it was not cut off, had time to spare, and has sent nothing but its answer.
func (w *worker) sound() bool { return !w.cutOff && !w.slow && w.reader.Buffered() == 0 }

// explain turns the failure of a read or write into an error that says why:
// because ctx ended, or by how the child ended. It stops the child.
func (w *worker) explain(ctx, parent context.Context, failure error) error {
	garbage := errors.Is(failure, errFrame)
	gone := (!garbage || errors.Is(failure, io.ErrUnexpectedEOF)) && w.exitsSoon(ctx)
	cause := context.Cause(ctx)
	w.stop()
	// ErrWaitDelay: the child exited with 0 and another process holds its stderr.
	exitedWell := w.waitErr == nil || errors.Is(w.waitErr, exec.ErrWaitDelay)
	switch {
	case errors.Is(cause, ErrClosed):
		return ErrClosed
	case cause == nil && garbage && (exitedWell || !gone):
		return fmt.Errorf("%w: %w", ErrOutput, failure)
	case cause == nil && !gone:
		return fmt.Errorf("%w: it closed its output", ErrCrashed)
	case cause == nil && exitedWell:
		return fmt.Errorf("%w: it exited without an answer", ErrCrashed)
	case errors.Is(cause, errStartTimeout):
		return fmt.Errorf("%w: not ready %v after its start", ErrTimeout, startTimeout)
	case errors.Is(cause, errDeadline):
		return fmt.Errorf("%w: killed after %v", ErrTimeout, w.allowed)
	case parent.Err() != nil:
		return contextError("", parent.Err())
	}
	var exit *exec.ExitError
	if errors.As(w.waitErr, &exit) {
		return fmt.Errorf("%w: %s", ErrCrashed, exit.ProcessState)
	}
	return fmt.Errorf("waiting for an isolated process: %w", w.waitErr)
}

// contextError wraps the error of a context; a deadline is an ErrTimeout too.
func contextError(task string, err error) error {
	if task != "" {
		task = "task " + task + ": "
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s%w: %w", task, ErrTimeout, err)
	}
	return fmt.Errorf("%s%w", task, err)
}

// exitsSoon waits for a child whose pipe broke to exit, up to pipeDelay.
func (w *worker) exitsSoon(ctx context.Context) bool {
	timer := time.NewTimer(pipeDelay)
	defer timer.Stop()
	select {
	case <-w.exited:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// alive reports whether the child has not exited.
func (w *worker) alive() bool {
	select {
	case <-w.exited:
		return false
	default:
		return true
	}
}

// cut kills the child and closes our ends of its pipes, so that a process that
// holds the other ends cannot delay us.
func (w *worker) cut() {
	w.child.kill()
	_ = w.in.Close()
	_ = w.out.Close()
}

// stop kills the child and returns once it is reaped.
func (w *worker) stop() {
	w.cut()
	<-w.exited
}
