package minilm

import (
	"context"
	"errors"
	"testing"

	"github.com/research-mcp/research-mcp/internal/models/bert"
)

// While all turns are taken, a question is embedded, and passages wait until their context
// ends.
func TestTurns(t *testing.T) {
	t.Parallel()
	l := &loaded{turns: make(chan struct{}, 1)}
	l.turns <- struct{}{}
	pass := func(in []bert.Input) ([][]float32, error) { return make([][]float32, len(in)), nil }
	question := bert.Input{IDs: make([]int32, quickTokens)}
	if _, err := l.each(t.Context(), []bert.Input{question}, pass); err != nil {
		t.Errorf("a question: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, inputs := range map[string][]bert.Input{"two texts": {question, question}, "a passage": {{IDs: make([]int32, quickTokens+1)}}} {
		if _, err := l.each(ctx, inputs, pass); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that it waits", name, err)
		}
	}
	<-l.turns
	if _, err := l.each(t.Context(), []bert.Input{question, question}, pass); err != nil || len(l.turns) != 0 {
		t.Errorf("two texts in their turn: %v, %d turns are taken", err, len(l.turns))
	}
}
