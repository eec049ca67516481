// Package isolate runs work on untrusted input in child processes of this
// binary, so that the work can crash, hang, use up memory or print garbage
// without harming the server.
//
// A task is a function from JSON to JSON, registered under a name. A Pool starts
// its own image again with "__isolated" as the last argument and gives each
// child one task after the other, as length-prefixed frames on stdin and stdout.
// It keeps stdin open until the child has exited: to the child, the end of stdin
// means that the parent is dead, and it kills itself.
//
// On every system a child has its own process group, a hard deadline for each
// task, none of the parent's environment, a bound on its output, a memory limit
// and no core dumps. On Linux it also enters a sandbox before it reads its first
// task; see Pool.Sandbox.
//
// Limits: a child that was taken over by one input can give wrong results for
// later ones, until it is replaced: after 20 tasks, or at once when one fails, takes
// most of its time or breaks the protocol. Each task has a random number, which its
// answer repeats. Where there is no sandbox, a child can open
// files and sockets with the rights of the user who runs the server.
package isolate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Errors of Pool.Run, to be tested with errors.Is.
var (
	// ErrTimeout: the child was killed at the task's deadline or at that of the
	// caller's context.
	ErrTimeout = errors.New("deadline exceeded")
	// ErrCrashed: the child ended by itself: a panic, a fatal signal, out of
	// memory, an exit.
	ErrCrashed = errors.New("isolated process crashed")
	// ErrOutput: the child wrote too much, or something other than an answer.
	ErrOutput = errors.New("bad output of isolated process")
	// ErrClosed: the pool is closed.
	ErrClosed = errors.New("the pool of isolated processes is closed")
)

// TaskError is the error that the task itself returned; its process is fine.
type TaskError struct {
	Task    string
	Message string
}

func (e *TaskError) Error() string { return "task " + e.Task + ": " + e.Message }

// Task turns JSON into JSON. It runs alone in its process, under a context that
// ends at the task's deadline, and may panic. What it prints to os.Stdout goes
// to stderr.
type Task func(ctx context.Context, in []byte) ([]byte, error)

// JSON makes a Task from a typed function.
func JSON[In, Out any](fn func(ctx context.Context, in In) (Out, error)) Task {
	return func(ctx context.Context, raw []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("reading the input: %w", err)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		return encode(out)
	}
}

// encode is json.Marshal without escapes for < and >, which would make them six
// times as long.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Command is the last argument in a child's argv.
const Command = "__isolated"

// Environment variables of a child.
const (
	envMarker  = "RESEARCH_MCP_ISOLATED" // without it, Command is not ours
	envMemory  = "RESEARCH_MCP_ISOLATED_MEMORY"
	envSandbox = "RESEARCH_MCP_ISOLATED_SANDBOX" // "off": no sandbox
)
