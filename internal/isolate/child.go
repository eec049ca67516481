package isolate

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
)

// Exit codes of a child. A panic or a fatal error of the runtime is 2.
const (
	exitOK     = 0
	exitBroken = 70 // a protocol error: no such task, unreadable input, output that cannot be written
)

// ChildMain serves tasks if this process was started as an isolated child,
// which it recognises by the last of args (os.Args) and a variable in the
// environment. Otherwise isChild is false and nothing was changed. Call it first
// thing in main, and exit with the code that it returns.
//
// It limits the process's memory, closes descriptors that it inherited, enters the sandbox (see Pool.Sandbox) and
// points os.Stdout at stderr, so that a library that prints cannot corrupt an
// answer. At the end of stdin the parent is dead: the process kills its group
// and itself.
func ChildMain(args []string, tasks map[string]Task, stdin io.Reader, stdout, stderr io.Writer) (exit int, isChild bool) {
	if len(args) < 2 || args[len(args)-1] != Command || os.Getenv(envMarker) != "1" {
		return exitOK, false
	}
	os.Stdout = os.Stderr
	err := serve(tasks, stdin, stdout) // it returns only when something broke
	_, _ = fmt.Fprintln(stderr, "isolated process:", err)
	return exitBroken, true
}

// confine limits the process for the rest of its life and returns the sandbox
// restrictions that hold.
func confine() ([]string, error) {
	if err := limitMemory(); err != nil {
		return nil, err
	}
	inherited := closeInherited()
	if os.Getenv(envSandbox) == "off" {
		return []string{}, nil
	}
	holding := enterSandbox()
	if inherited == nil {
		holding = append(holding, SandboxDescriptors)
	}
	slices.Sort(holding)
	return holding, nil
}

// limitMemory sets the limit that the parent gave: the garbage collector works
// harder near it, and the kernel, where it can, refuses what is well above it.
func limitMemory() error {
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
