// Package models declares the interfaces of the models that a question uses, of
// the providers that supply them, and of the choice among providers. The models
// that need no server are in builtin; models/all lists the other providers.
//
// Package modelstest holds the tests that every implementation runs.
package models

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Embedder turns texts into vectors. It is safe for concurrent use and does not
// keep the texts.
type Embedder interface {
	// Model identifies the vector space: vectors of models with the same Key can be
	// compared. Dims may be 0 before the first Embed.
	Model() evidence.Model
	// Embed returns one unit-length vector of Model().Dims for each text, in order,
	// also for a text without words. The same text always has the same vector. It
	// returns vectors for all texts or an error, which is ctx's when ctx ends first.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Matcher is an Embedder that also compares texts token by token, in context: that
// ranks passages better than the vectors of whole texts do.
type Matcher interface {
	Embedder
	// Match returns the words of the question, in order, and for each text its
	// similarity to the question and to every word. It ends with ctx's error when ctx
	// ends first.
	Match(ctx context.Context, question string, texts []string) ([]Word, []Match, error)
	// Knows reports whether a word is in the model's vocabulary as a whole, and so is
	// hardly misspelt.
	Knows(word string) bool
}

// Rester is an Embedder that holds memory which it can give back while it is not used.
// Using it during or after Rest is safe, and takes some milliseconds longer once.
type Rester interface{ Rest() }

// Word is a word of a question.
type Word struct {
	Text   string  // folded to lower case
	Rarity float64 // logarithm of its rank in the model's vocabulary, at least 0.5
}

// Match is how similar a text is to a question.
type Match struct {
	Cosine float64   // of the vectors
	Words  []float64 // cosine of each word of the question to the most similar token of the text
}

// Reranker scores passages against a question. It is safe for concurrent use.
type Reranker interface {
	Name() string
	// Rerank returns one score for each passage, in order. Higher is better; scores
	// of different questions are not comparable. It ends with ctx's error when ctx
	// ends first.
	Rerank(ctx context.Context, question string, passages []string) ([]float64, error)
}

// Synthesizer writes a draft from numbered evidence. It is safe for concurrent use.
type Synthesizer interface {
	Name() string
	// Write drafts an answer, or abstains and says why. Marks are 1-based indexes
	// into in.Evidence. stream, when not nil, receives the prose while it is written,
	// in order, and is not called after Write returns. A cancelled ctx is an error; a
	// deadline may leave a partial draft.
	Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error)
}

// Paced is a Synthesizer that knows how fast its model is on this machine.
type Paced interface {
	Synthesizer
	// Fit returns the part of the brief that the model can read within limit, with
	// time to write. It waits for a measurement that is under way until ctx ends.
	Fit(ctx context.Context, in evidence.Brief, limit time.Duration) Fit
}

// Fit is what a model can do in time.
type Fit struct {
	Brief   evidence.Brief    // to write from: the first passages, and a limit for the answer
	Takes   time.Duration     // at the measured speed
	TooSlow bool              // the model is not worth asking; Brief is not set
	Problem *evidence.Problem // why, if the user has not been told before
}

// Planner turns a question into search keywords. It is safe for concurrent use.
type Planner interface {
	Name() string
	// Keywords returns 1 to max search queries for the question, best first; a max
	// below 1 counts as 1. s is the conversation that the question may refer to. It
	// ends with ctx's error when ctx ends first.
	Keywords(ctx context.Context, question string, s evidence.Session, max int) ([]string, error)
}

// Summarizer folds turns of a conversation into its summary. It is safe for
// concurrent use.
type Summarizer interface {
	Name() string
	// Summarize returns summary with turns folded into it, in the format of package
	// conversation and at most conversation.MaxSummary bytes long. It ends with
	// ctx's error when ctx ends first.
	Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error)
}

// Set is the models that serve one question. Encoder, Reranker, Resolver and
// Divider may be nil; the others never are. Only the built-in set has a Resolver. A
// Divider of a set that was chosen is a provider's.
type Set struct {
	Embedder    Embedder
	Encoder     Embedder // the built-in trained one, whose cosines have known thresholds
	Reranker    Reranker
	Synthesizer Synthesizer
	Planner     Planner
	Summarizer  Summarizer
	Resolver    Resolver
	Divider     Divider
	Warnings    []string // why a model that was configured is not used
}

// Ranks is the embedder whose vectors rank what is remembered: the chosen one if it is
// trained, else the built-in encoder if there is one.
func (s Set) Ranks() Embedder {
	if s.Encoder != nil && s.Embedder.Model().Kind == evidence.KindLexical {
		return s.Encoder
	}
	return s.Embedder
}

// Chooser chooses the models for a question. It is safe for concurrent use.
type Chooser interface {
	// Choose returns the best models that are available now, and the built-in ones
	// where no provider offers any. It asks servers, which may take more than a
	// second when one is slow or was not asked before: run it beside work that needs
	// no model. It returns early when ctx ends.
	Choose(ctx context.Context) Set
	// BuiltIn returns the models that need nothing and are always available.
	BuiltIn() Set
}
