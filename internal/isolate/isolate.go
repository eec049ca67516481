// Package isolate runs work in a child process of our own binary, so that work
// on untrusted input can crash, hang, eat memory or print garbage without
// harming the server.
//
// A task is a function from JSON to JSON, known by its name. A Runner starts its
// own image again for each task, with "__isolated NAME" as the last arguments,
// writes the input as one line of JSON to the child's stdin, and reads one JSON
// value from its stdout. A Pool keeps children ready and gives each many tasks,
// one after the other, as frames on the same pipes. Both keep stdin open until
// the child has exited: to the child, the end of stdin means that the parent is
// gone, and it kills itself.
//
// What the walls are, everywhere: another process and process group, a hard
// deadline, an environment without the parent's variables, a bound on stdout,
// a memory limit in the child, and no core dumps. On Linux the child also gives
// up, before it reads its first task, what the kernel lets it give up: see
// Walls. What they are not: a child of a pool that a page has taken over could
// lie about the pages that it is given later, until it retires; and where there
// are no walls the child may open files and sockets as the user who runs the
// server.
package isolate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrTimeout is in the chain when the child was killed at the runner's
	// deadline, or at that of the caller's context.
	ErrTimeout = errors.New("deadline exceeded")
	// ErrCrashed is in the chain when the child ended otherwise than with exit
	// code 0: a panic, a fatal signal, out of memory.
	ErrCrashed = errors.New("isolated process crashed")
	// ErrOutput is in the chain when the child wrote too much, or something
	// other than one JSON value.
	ErrOutput = errors.New("bad output of isolated process")
)

// TaskError is what the task itself returned: the process worked as it should.
type TaskError struct {
	Task    string
	Message string
}

func (e *TaskError) Error() string { return "task " + e.Task + ": " + e.Message }

// Task turns JSON into JSON. It runs alone in its process, under a context that
// ends with the runner's deadline, and may panic. What it prints to os.Stdout
// goes to stderr.
type Task func(ctx context.Context, in []byte) ([]byte, error)

// JSON makes a Task of a typed function.
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

// encode gives one line of JSON. Unlike json.Marshal it leaves < and > alone,
// which would be six times as long.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// envelope is the one value on the child's stdout. Exactly one field is set.
type envelope struct {
	Out json.RawMessage `json:"out,omitempty"`
	Err *string         `json:"err,omitempty"`
}

// Command is the argument in front of the task's name in a child's argv.
const Command = "__isolated"

// What a child finds in its environment.
const (
	envMarker   = "RESEARCH_MCP_ISOLATED" // without it, Command is not ours
	envMemory   = "RESEARCH_MCP_ISOLATED_MEMORY"
	envDeadline = "RESEARCH_MCP_ISOLATED_DEADLINE"
	envWalls    = "RESEARCH_MCP_ISOLATED_WALLS" // "off" leaves files, sockets and programs
)
