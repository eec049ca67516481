// Package models declares what a language model can do for a question, and who
// does it. Providers live in the subpackages: builtin needs nothing and is always
// there; the others are present only while their server is.
package models

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Embedder turns texts into vectors. It is safe for concurrent use.
type Embedder interface {
	// Model identifies the vector space.
	Model() evidence.Model
	// Embed returns one unit-length vector of Model().Dims for each text, in
	// order. It ends with ctx's error when ctx ends first.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Reranker scores passages against a question. It is safe for concurrent use.
type Reranker interface {
	Name() string
	// Rerank returns one score for each passage, in order; higher is better and
	// scores of different questions are not comparable. It ends with ctx's error
	// when ctx ends first.
	Rerank(ctx context.Context, question string, passages []string) ([]float64, error)
}

// Synthesizer writes a draft from numbered evidence. It is safe for concurrent use.
type Synthesizer interface {
	Name() string
	// Write drafts an answer. stream, when not nil, receives the prose as it is
	// written, from one goroutine.
	Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error)
}

// Planner turns a question into search keywords. It is safe for concurrent use.
type Planner interface {
	Name() string
	// Keywords returns 1 to max search queries for the question, best first.
	Keywords(ctx context.Context, question string, s evidence.Session, max int) ([]string, error)
}

// Summarizer folds turns of a conversation into its summary. It is safe for
// concurrent use.
type Summarizer interface {
	Name() string
	// Summarize returns the summary so far with turns folded into it.
	Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error)
}

// Set is the models that serve one question. Reranker may be nil; the others
// never are.
type Set struct {
	Embedder    Embedder
	Reranker    Reranker
	Synthesizer Synthesizer
	Planner     Planner
	Summarizer  Summarizer
	Warnings    []string // why a model that was configured is not used
}

// Chooser chooses the models for a question. It is safe for concurrent use.
type Chooser interface {
	// Choose returns the best models that are available now. It never fails:
	// what no provider offers is built in.
	Choose(ctx context.Context) Set
	// BuiltIn returns the models that need nothing and are always available.
	BuiltIn() Set
}
