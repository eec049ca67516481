package memorytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

var errEmbedder = errors.New("the embedder failed")

func (s suite) reindex(t *testing.T) {
	dir := t.TempDir()
	m, other := s.at(t, dir), s.at(t, dir)
	const n = 150
	for i := range n {
		put(t, m, Doc(fmt.Sprintf("r%d", i), fmt.Sprintf("Reindexed text on topic w%d.\n\nAnd its second part v%d.", i, i)))
	}
	next := evidence.Model{Name: "next", Revision: "2", Kind: evidence.KindTransformer} // its dimension is known after the first text
	seen := map[string]int{}
	limit := 100
	embedder := func(ctx context.Context, texts []string) ([][]float32, error) {
		var out [][]float32
		for _, x := range texts {
			if limit--; limit < 0 {
				return nil, errEmbedder
			}
			out = append(out, embed(x, 48))
		}
		for _, x := range texts {
			seen[x]++
		}
		return out, nil
	}
	p, err := as[contract.Reindexer](t, m).Reindex(t.Context(), next, embedder, nil)
	if !errors.Is(err, errEmbedder) || p.Done == 0 || p.Done >= n || p.Total != n {
		t.Fatalf("Reindex with an embedder that fails = %+v, %v", p, err)
	}
	st, err := other.Stats(t.Context())
	if err != nil || st.Reindex == nil || st.Reindex.Model != "next@2" || st.Reindex.Total != n || st.Embedder != "suite@1" {
		t.Errorf("Stats of an unfinished Reindex = %+v, %v", st, err)
	}
	q := evidence.RecallQuery{Text: "topic w7", Vector: embed("Reindexed text on topic w7.", 48), Model: next, K: 3}
	if r := recall(t, other, q); len(r.Hits) == 0 || r.Hits[0].Document.ID != "r7" || len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], fmt.Sprintf("of %d", n)) {
		t.Errorf("Recall during an unfinished Reindex = %q, %q", ids(r), r.Warnings)
	}

	limit = 1 << 30
	half := seen["And its second part v0."]
	last, put1 := -1, false
	p, err = as[contract.Reindexer](t, other).Reindex(t.Context(), next, embedder, func(p contract.Progress) {
		if p.Done < last || p.Total < p.Done {
			t.Errorf("progress goes from %d to %+v", last, p)
		}
		last = p.Done
		if !put1 { // a document is put meanwhile
			put1 = true
			put(t, m, Doc("late", "A latecomer about wolverines."))
		}
	})
	if err != nil || p.Done != n+1 || p.Total != n+1 || last != n+1 {
		t.Fatalf("second Reindex = %+v, %v, last progress %d", p, err, last)
	}
	if half != 1 || seen["And its second part v0."] != 1 {
		t.Errorf("a stored batch was embedded again: %d, %d times", half, seen["And its second part v0."])
	}
	st, err = m.Stats(t.Context())
	if err != nil || st.Reindex != nil || st.Embedder != "next@2" || len(st.Models) != 2 {
		t.Errorf("Stats afterwards = %+v, %v", st, err)
	}
	for _, h := range []contract.Memory{m, other} {
		q := evidence.RecallQuery{Text: "x", Vector: embed("A latecomer about wolverines.", 48), Model: next, Mode: evidence.ModeVector, K: 1}
		if r := recall(t, h, q); len(r.Hits) != 1 || r.Hits[0].Document.ID != "late" || len(r.Warnings) != 0 {
			t.Errorf("Recall in the new space = %q, %q", ids(r), r.Warnings)
		}
		if r := recall(t, h, Query("Reindexed text on topic w3.", 1)); len(r.Hits) != 1 || r.Hits[0].Document.ID != "r3" {
			t.Errorf("Recall in the old space = %q", ids(r))
		}
	}
	wantSound(t, m)
}

func (s suite) reindexBadInput(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	good := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i, x := range texts {
			out[i] = embed(x, 8)
		}
		return out, nil
	}
	_, err := as[contract.Reindexer](t, m).Reindex(t.Context(), evidence.Model{}, good, nil)
	wantProblem(t, err)
	_, err = as[contract.Reindexer](t, m).Reindex(t.Context(), Model(), nil, nil)
	wantProblem(t, err)
	other := Model()
	other.Dims = 8
	_, err = as[contract.Reindexer](t, m).Reindex(t.Context(), other, good, nil)
	wantProblem(t, err, "suite@1", "32")
	next := evidence.Model{Name: "next", Dims: 8}
	tooFew := func(ctx context.Context, texts []string) ([][]float32, error) { return nil, nil }
	if _, err := as[contract.Reindexer](t, m).Reindex(t.Context(), next, tooFew, nil); err == nil {
		t.Error("an embedder that returns too few vectors is accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(ctx context.Context, texts []string) ([][]float32, error) { cancel(); return good(ctx, texts) }
	if _, err := as[contract.Reindexer](t, m).Reindex(ctx, next, stop, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Reindex = %v", err)
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Embedder != "suite@1" {
		t.Errorf("the active model is %q, %v", st.Embedder, err)
	}
	zero := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = make([]float32, 8)
		}
		return out, nil
	}
	if p, err := as[contract.Reindexer](t, m).Reindex(t.Context(), next, zero, nil); err != nil || p.Done != 4 {
		t.Errorf("Reindex with unusable vectors = %+v, %v", p, err)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "sourdough", Vector: embed("x", 8), Model: next}); len(r.Hits) != 1 {
		t.Errorf("Recall = %q", ids(r))
	}
	wantSound(t, m)
}
