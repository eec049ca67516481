// Package builtin is the models that need no server and no weights: an embedder
// of hashed character n-grams, a synthesizer that quotes sentences of the
// evidence word for word, a planner and a summarizer. All are deterministic, are
// safe for concurrent use, and fail only when their context ends.
package builtin

import "github.com/research-mcp/research-mcp/internal/models"

// Models returns the built-in set. It has no reranker.
func Models() models.Set {
	return models.Set{
		Embedder:    NewEmbedder(),
		Synthesizer: NewSynthesizer(),
		Planner:     NewPlanner(),
		Summarizer:  NewSummarizer(),
	}
}
