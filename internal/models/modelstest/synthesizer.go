package modelstest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// Synthesizer tests s against the contract of models.Synthesizer. Any answer is
// accepted: a small model may write anything.
func Synthesizer(t *testing.T, s models.Synthesizer) {
	t.Helper()
	if s.Name() == "" {
		t.Error("Name() is empty")
	}
	t.Run("concurrent", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { testWrite(t, s) })
		}
		wg.Wait()
	})
	t.Run("no evidence", func(t *testing.T) {
		d, err := s.Write(t.Context(), evidence.Brief{Question: "What is BERT?"}, nil)
		if err != nil || !d.Abstain || d.Why == "" || len(d.Sentences) > 0 {
			t.Errorf("Write without evidence = %+v, %v, want an abstention with its reason", d, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if d, err := s.Write(ctx, evidence.Brief{Question: "What is BERT?", Evidence: Library()}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Write with a cancelled context = %+v, %v, want context.Canceled", d, err)
		}
	})
}

func testWrite(t *testing.T, s models.Synthesizer) {
	in := evidence.Brief{Question: "What is BERT?", Evidence: Library()[:2], MaxTokens: 64}
	returned := false
	streamed := ""
	d, err := s.Write(t.Context(), in, func(s string) {
		if returned {
			t.Error("stream was called after Write returned")
		}
		streamed += s
	})
	returned = true
	if err != nil {
		t.Error(err)
		return
	}
	if len(d.Sentences) == 0 && (!d.Abstain || d.Why == "") {
		t.Errorf("Write = %+v after %q, want sentences or an abstention with its reason", d, streamed)
	}
	if len(d.Sentences) > 0 && streamed == "" {
		t.Error("nothing was streamed")
	}
	for _, sentence := range d.Sentences {
		if sentence.Text == "" {
			t.Error("an empty sentence")
		}
		for _, m := range sentence.Marks {
			if m < 1 || m > len(in.Evidence) {
				t.Errorf("mark %d, want 1 to %d", m, len(in.Evidence))
			}
		}
	}
	if diff := cmp.Diff(Library()[:2], in.Evidence); diff != "" {
		t.Errorf("Write changed its evidence:\n%s", diff)
	}
}
