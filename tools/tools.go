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
	"github.com/research-mcp/research-mcp/internal/research"
)

// Event is a step on the way to a result.
type Event = research.Event

// Observe receives the events of a call. It may be called from several
// goroutines, returns quickly, and is not called after the function that it was
// passed to has returned. It is never nil.
type Observe = func(Event)

// Researcher answers a question. When ctx ends it returns ctx's error. What the
// caller can mend is an *evidence.Problem: an unknown source, a session that
// does not exist. A source that fails is data in the answer, not an error.
// It is safe for concurrent use.
type Researcher interface {
	Research(ctx context.Context, req research.Request, observe func(Event)) (evidence.Answer, error)
}

// FetchRequest asks for documents, by keywords, by address, or both.
type FetchRequest struct {
	Query    string
	URLs     []string      // absolute, http or https; whether they may be reached is the fetcher's to say
	Sources  []string      // names to ask with Query; empty leaves the choice to the fetcher
	Limit    int           // most documents wanted, 1..50
	FullText bool          // also read what the hits link to
	Budget   time.Duration // what has not come by then is reported as a timeout
}

// FetchResult is what was read, best first, and how each source fared.
type FetchResult struct {
	Documents []evidence.Document
	Sources   []evidence.SourceReport
	NotAsked  []evidence.NotAsked
	Warnings  []string
}

// Fetcher reads documents from sources. Its contract is Researcher's.
type Fetcher interface {
	FetchSources(ctx context.Context, req FetchRequest, observe func(Event)) (FetchResult, error)
}

// Recaller searches the memory. The query comes without a vector: the recaller
// adds one if it can. Its contract is Researcher's.
type Recaller interface {
	Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error)
}

// Deps holds what the tools need. Budget, Now and Boundary have defaults.
type Deps struct {
	Research Researcher
	Fetch    Fetcher
	Recall   Recaller
	Remember Rememberer
	Forget   Forgetter
	Sources  []string      // names that may be asked, for the descriptions; nil leaves them out
	Budget   time.Duration // of a call that sets none, for the schemas: the setting research.budget
	Now      func() time.Time
	Boundary func() string // an unguessable word that fences foreign text, new for each call
}

func (d Deps) withDefaults() Deps {
	if d.Budget == 0 {
		d.Budget = research.DefaultConfig().Budget
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
	InputSchema  json.RawMessage // compact
	OutputSchema json.RawMessage // compact
	Hints        Hints
	Slow         bool // it waits for the network or a model: the server limits how many run at once

	// Call checks the arguments against InputSchema and runs the tool. An
	// *evidence.Problem is for the model; any other error is the server's own.
	Call func(ctx context.Context, args json.RawMessage, observe Observe) (Result, error)
}

// Result is a tool's result in two forms with the same content: Markdown for a
// model, and JSON that is valid against the tool's OutputSchema.
type Result struct {
	Text       string
	Structured json.RawMessage
}
