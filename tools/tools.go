// Package tools defines the tools that an assistant can call. Each file holds one
// tool: its arguments, its result, and a function from one to the other. The
// package knows nothing of the protocol; package server publishes the definitions.
// docs/adding-a-tool.md shows how to add one.
package tools

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Event is a step on the way to a result.
type Event = research.Event

// Observe receives the events of a call. It may be called from several
// goroutines, returns quickly, and is not called after the function that it was
// passed to has returned. It is never nil.
type Observe = func(Event)

// Engine answers questions and reads documents; see research.Engine. When ctx
// ends it returns ctx's error. Errors that the caller can correct are an
// *evidence.Problem. A source that fails is data in the result, not an error. It
// is safe for concurrent use.
type Engine interface {
	Ask(ctx context.Context, req research.Request, observe func(Event)) (evidence.Answer, error)
	Read(ctx context.Context, req research.ReadRequest, observe func(Event)) (research.ReadResult, error)
}

// Library stores documents and finds them; see library.Library. Its contract is
// that of Engine.
type Library interface {
	Recall(ctx context.Context, req library.RecallRequest) (library.RecallResult, error)
	Remember(ctx context.Context, req library.RememberRequest) (library.RememberResult, error)
	Forget(ctx context.Context, req library.ForgetRequest) (library.ForgetResult, error)
}

// Deps holds what the tools need. Budget, Zone, Now and Boundary have defaults.
type Deps struct {
	Engine     Engine
	Library    Library
	Reader     Reader           // for Resources and completions; nil: nothing is stored
	Sources    []string         // names that may be asked, for the descriptions; nil leaves them out
	AllSources []SourceInfo     // also those that are off, for research://sources
	Budget     time.Duration    // of a call that sets none, for the schemas: the setting research.budget
	Zone       *time.Location   // of dates that name none; nil: time.Local
	Now        func() time.Time // for dates such as yesterday; nil: time.Now
	Boundary   func() string    // an unguessable word that fences foreign text, new for each call
	Structured bool             // results are JSON, too, and tools have output schemas
}

func (d Deps) withDefaults() Deps {
	if d.Budget == 0 {
		d.Budget = research.DefaultConfig().Budget
	}
	if d.Zone == nil {
		d.Zone = time.Local
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Boundary == nil {
		d.Boundary = randomBoundary
	}
	return d
}

func randomBoundary() string {
	var b [6]byte
	rand.Read(b[:]) // never fails: the program would end instead
	return hex.EncodeToString(b[:])
}

// Hints tell a client what side effects a call may have.
type Hints struct{ ReadOnly, Destructive, Idempotent, OpenWorld bool }

// Definition is a tool as a client sees it, and the function that runs it.
type Definition struct {
	Name         string
	Title        string
	About        string          // for the model
	Search       string          // words by which a client finds the tool among many
	MostChars    int             // of a result, for clients that cut long ones; 0: theirs
	InputSchema  json.RawMessage // compact; define sets it
	OutputSchema json.RawMessage // compact; nil: results have no JSON
	Example      string          // arguments, as JSON, for errors
	OneOf        []string        // two arguments of which one is needed
	Hints        Hints
	args         argumentSchema
	Slow         bool // it waits for the network or a model: the server limits how many run at once
	Queues       bool // it limits that itself

	// Call repairs the arguments, checks them against their schema and runs the tool. An
	// *evidence.Problem is for the model; any other error is the server's own.
	Call func(ctx context.Context, args json.RawMessage, observe Observe) (Result, error)
}

// Result is a tool's result: Text is all of it, as Markdown for a model. Structured is
// the same as JSON that is valid against the tool's OutputSchema, or nil without one.
// Foreign text in both stands between fences, and every id and URL of Structured stands
// in Text.
type Result struct {
	Text       string
	Structured json.RawMessage
}
