package isolate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// Exit codes of a child. A panic or a fatal error of the runtime is 2.
const (
	exitOK     = 0
	exitBroken = 70 // the protocol could not be kept: no such task, no input, no way to answer
)

// ChildMain runs a task if this process was started as an isolated child, which
// it sees by the end of args (os.Args) and a variable in the environment.
// Otherwise isChild is false and nothing was touched. Call it first thing in
// main, and leave with its exit code.
//
// It limits the process's memory for good, gives up what the kernel lets it give
// up (see Walls), and points os.Stdout at stderr, so
// that a library that prints cannot spoil the answer. When stdin ends while the
// task runs, the parent is gone: the process kills its group and itself.
func ChildMain(args []string, tasks map[string]Task, stdin io.Reader, stdout, stderr io.Writer) (exit int, isChild bool) {
	if len(args) < 3 || args[len(args)-2] != Command || os.Getenv(envMarker) != "1" {
		return exitOK, false
	}
	os.Stdout = os.Stderr
	if err := serveTask(args[len(args)-1], tasks, stdin, stdout); err != nil {
		// The parent may be gone; then nobody is left to tell.
		_, _ = fmt.Fprintln(stderr, "isolated process:", err)
		return exitBroken, true
	}
	return exitOK, true
}

func serveTask(name string, tasks map[string]Task, stdin io.Reader, stdout io.Writer) error {
	if name == poolTask {
		return servePool(tasks, stdin, stdout)
	}
	task, known := tasks[name]
	if !known {
		return fmt.Errorf("unknown task %q", name)
	}
	if _, err := confine(); err != nil {
		return err
	}
	ctx, cancel := context.Background(), func() {}
	if d, err := time.ParseDuration(os.Getenv(envDeadline)); err == nil {
		ctx, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	lines := bufio.NewReader(stdin)
	in, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	// Nobody waits for this goroutine: it ends with the process, and it is what
	// ends the process when the parent is gone.
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		die()
	}()
	return answer(stdout, func() ([]byte, error) { return task(ctx, in) })
}

// confine limits the process for good and gives the walls that hold.
func confine() ([]string, error) {
	if err := limitSelf(); err != nil {
		return nil, err
	}
	if os.Getenv(envWalls) == "off" {
		return []string{}, nil
	}
	return raiseWalls(), nil
}

// result makes an envelope of what a task returned.
func result(out []byte, err error) (envelope, error) {
	switch {
	case err != nil:
		msg := err.Error()
		return envelope{Err: &msg}, nil //nolint:nilerr // the task's error is an answer
	case len(out) == 0:
		return envelope{}, errors.New("the task gave no output")
	}
	return envelope{Out: out}, nil
}

func answer(stdout io.Writer, work func() ([]byte, error)) error {
	env, err := result(work())
	if err != nil {
		return err
	}
	raw, err := encode(env)
	if err != nil {
		return fmt.Errorf("the task's output is not JSON: %w", err)
	}
	if _, err := stdout.Write(raw); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// limitSelf holds the process to the memory that its parent allows: the
// collector works harder near the limit, and the kernel refuses what is well
// beyond it where it can be told to.
func limitSelf() error {
	limit, err := strconv.ParseInt(os.Getenv(envMemory), 10, 64)
	if err != nil || limit <= 0 {
		return fmt.Errorf("reading %s: %q is not a number of bytes", envMemory, os.Getenv(envMemory))
	}
	debug.SetMemoryLimit(limit)
	if err := limitKernel(limit); err != nil {
		return fmt.Errorf("limiting memory: %w", err)
	}
	return nil
}
