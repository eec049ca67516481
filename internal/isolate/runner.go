package isolate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// Defaults of Options.
const (
	DefaultDeadline  = 15 * time.Second
	DefaultMaxOutput = 8 << 20
	DefaultMaxMemory = 512 << 20
)

const (
	// Long enough to drain a pipe, short enough that a stranger who holds our
	// pipes open does not hold the answer up.
	pipeDelay = 250 * time.Millisecond
	// Of stderr the end is kept: a Go crash says its reason within this much.
	stderrTail = 8 << 10
)

// Options of a Runner. The zero value is usable.
type Options struct {
	Exe       string        // the binary to start; default: this program's own image
	Args      []string      // arguments in front of "__isolated TASK"
	Env       []string      // NAME=value, the whole of what a child gets beside its limits
	Deadline  time.Duration // of one task, from the start of its process; default 15 s
	MaxOutput int64         // bytes on stdout before the child is killed; default 8 MiB
	MaxMemory int64         // bytes of heap a child may use; default 512 MiB
	Parallel  int           // children at once; further calls wait. Default: the number of CPUs, at least 2; of a Pool, 2
	NoWalls   bool          // leave the child its files, sockets and programs, where they could be taken away
	Logger    *slog.Logger  // gets the stderr of children that failed; default: none
}

// Runner starts isolated processes. It is safe for concurrent use and holds
// nothing between calls.
type Runner struct {
	opts  Options
	name  string // argv[0]
	slots chan struct{}
}

// NewRunner fills in the defaults. It fails when the program's own image cannot
// be found.
func NewRunner(o Options) (*Runner, error) {
	if o.Parallel <= 0 {
		o.Parallel = max(2, runtime.GOMAXPROCS(0))
	}
	name, err := o.complete()
	if err != nil {
		return nil, err
	}
	return &Runner{opts: o, name: name, slots: make(chan struct{}, o.Parallel)}, nil
}

// complete fills in the defaults, and gives the name that a child is called by.
func (o *Options) complete() (name string, err error) {
	name = o.Exe
	if o.Exe == "" {
		// A program that looks at its name, as testscript's do, finds the same.
		name = os.Args[0]
		if o.Exe, err = ownImage(); err != nil {
			return "", fmt.Errorf("finding our own binary: %w", err)
		}
	}
	if o.Deadline <= 0 {
		o.Deadline = DefaultDeadline
	}
	if o.MaxOutput <= 0 {
		o.MaxOutput = DefaultMaxOutput
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = DefaultMaxMemory
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return name, nil
}

// command is a child that is not started yet, for the task of this name.
func (o *Options) command(name, task string) *exec.Cmd {
	cmd := exec.Command(o.Exe, append(append([]string{}, o.Args...), Command, task)...) //nolint:gosec,noctx // our own image; child.kill obeys ctx, and kills the group
	cmd.Args[0] = name
	cmd.Env = o.environment()
	cmd.WaitDelay = pipeDelay
	ownGroup(cmd)
	return cmd
}

// Run has a child process do the task and decodes its answer into out, a
// pointer. It returns when the child is dead and reaped, at the latest shortly
// after the deadline or ctx's end, whatever the child does. Waiting for a free
// slot counts against ctx alone.
//
// Errors: *TaskError when the task failed; ErrTimeout, ErrCrashed, ErrOutput
// when the process did; the context's error, and ErrTimeout too if that is a
// deadline's, when ctx ended first.
func (r *Runner) Run(ctx context.Context, task string, in, out any) error {
	line, err := encode(in)
	if err != nil {
		return fmt.Errorf("encoding the input of task %s: %w", task, err)
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return ended(task, err)
	}
	var answer envelope
	raw, err := r.process(ctx, task, line)
	if err == nil {
		answer, err = parse(raw)
	}
	return deliver(task, answer, err, out)
}

// deliver decodes a child's answer into out, or makes an error of it.
func deliver(task string, answer envelope, err error, out any) error {
	switch {
	case err != nil:
		return fmt.Errorf("task %s: %w", task, err)
	case answer.Err != nil:
		return &TaskError{Task: task, Message: *answer.Err}
	}
	if err := json.Unmarshal(answer.Out, out); err != nil {
		return fmt.Errorf("task %s: %w: %w", task, ErrOutput, err)
	}
	return nil
}

// process gives the whole stdout of a child that exited with 0.
func (r *Runner) process(parent context.Context, task string, line []byte) ([]byte, error) {
	ctx, kill := context.WithCancelCause(parent)
	defer kill(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Deadline, errDeadline)
	defer cancel()

	cmd := r.opts.command(r.name, task)
	stdout := &bounded{max: r.opts.MaxOutput, over: func() { kill(errTooMuch) }}
	stderr := &tail{max: stderrTail}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting an isolated process: %w", err)
	}

	err = supervise(ctx, cmd, stdin, line)
	if err = r.opts.verdict(context.Cause(ctx), parent.Err(), err); err != nil {
		r.opts.Logger.Debug("isolated task failed", "task", task, "err", err, "stderr", stderr.String())
		return nil, err
	}
	return stdout.buf.Bytes(), nil
}

// supervise feeds the child and returns when it is reaped, with what Wait said.
// stdin stays open meanwhile: its end would tell the child that we are gone.
func supervise(ctx context.Context, cmd *exec.Cmd, stdin io.Writer, line []byte) error {
	c := &child{cmd: cmd}
	fed, exited := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(fed)
		// A child that died early or does not read is judged by its end; Wait
		// closes the pipe, which ends this write.
		_, _ = stdin.Write(line)
	}()
	go func() { exited <- c.wait() }()
	var err error
	select {
	case err = <-exited:
	case <-ctx.Done():
		c.kill()
		err = <-exited
	}
	<-fed
	return err
}

var (
	errDeadline = errors.New("the runner's deadline")
	errTooMuch  = errors.New("too much output")
)

// verdict makes an error of why our context ended, the caller's error (both nil
// if they did not end), and what Wait said. A child that had finished well by
// then is a success.
func (o *Options) verdict(cause, caller, wait error) error {
	if errors.Is(cause, errTooMuch) {
		return fmt.Errorf("%w: more than %d bytes", ErrOutput, o.MaxOutput)
	}
	// ErrWaitDelay: the child exited with 0 and somebody else holds its stdout.
	if wait == nil || errors.Is(wait, exec.ErrWaitDelay) {
		return nil
	}
	if errors.Is(cause, errDeadline) {
		return fmt.Errorf("%w: killed after %v", ErrTimeout, o.Deadline)
	}
	if caller != nil {
		return ended("", caller)
	}
	var exit *exec.ExitError
	if errors.As(wait, &exit) {
		return fmt.Errorf("%w: %s", ErrCrashed, exit.ProcessState)
	}
	return fmt.Errorf("waiting for an isolated process: %w", wait)
}

func ended(task string, err error) error {
	if task != "" {
		task = "task " + task + ": "
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s%w: %w", task, ErrTimeout, err)
	}
	return fmt.Errorf("%s%w", task, err)
}

func (o *Options) environment() []string {
	walls := "on"
	if o.NoWalls {
		walls = "off"
	}
	return append(append([]string{}, o.Env...),
		envMarker+"=1",
		envMemory+"="+strconv.FormatInt(o.MaxMemory, 10),
		envDeadline+"="+o.Deadline.String(),
		envWalls+"="+walls,
		"GOMEMLIMIT="+strconv.FormatInt(o.MaxMemory, 10),
		"GOTRACEBACK=single")
}

// parse wants exactly one envelope and nothing behind it.
func parse(raw []byte) (envelope, error) {
	var e envelope
	if err := strictly(raw, &e); err != nil {
		return e, err
	}
	return e, e.check()
}

// check holds that either an answer or an error is there.
func (e envelope) check() error {
	if (e.Err == nil) == (e.Out == nil) {
		return fmt.Errorf("%w: neither an answer nor an error", ErrOutput)
	}
	return nil
}

// strictly decodes one JSON value without fields that v does not have.
func strictly(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the answer", ErrOutput)
	}
	return nil
}
