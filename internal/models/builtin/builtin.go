// Package builtin is the models that need no server and no weights: an embedder
// of hashed character n-grams, a synthesizer that quotes sentences of the
// evidence word for word, a planner and a summarizer. All are deterministic, are
// safe for concurrent use, and fail only when their context ends.
package builtin

import "github.com/research-mcp/research-mcp/internal/models"

// Models returns the built-in set. encoder, when not nil, is a trained one that
// ranks passages; it does not become the embedder, whose vectors are stored.
func Models(encoder models.Matcher) models.Set {
	set := models.Set{
		Embedder:    NewEmbedder(),
		Synthesizer: NewSynthesizer(encoder),
		Planner:     NewPlanner(),
		Summarizer:  NewSummarizer(),
	}
	set.Resolver, set.Divider = NewResolver(nil), NewDivider()
	if encoder != nil {
		set.Encoder, set.Reranker, set.Resolver = encoder, NewReranker(encoder), NewResolver(encoder)
	}
	return set
}
