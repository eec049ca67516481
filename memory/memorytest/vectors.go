package memorytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// behind is a trained model whose vectors are written in the background.
func behind() evidence.Model {
	return evidence.Model{Name: "behind", Revision: "1", Dims: 48, Kind: evidence.KindTransformer}
}

// embedder counts how often each text was embedded. before, if set, is called first.
type embedder struct {
	before func()

	mu    sync.Mutex
	times map[string]int
}

func (e *embedder) embed(ctx context.Context, texts []string) ([][]float32, error) {
	if e.before != nil {
		e.before()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.times == nil {
		e.times = map[string]int{}
	}
	var out [][]float32
	for _, x := range texts {
		e.times[x]++
		out = append(out, embed(x, 48))
	}
	return out, ctx.Err()
}

func wantQueue(t *testing.T, m contract.Memory, documents, chunks int) {
	t.Helper()
	want := contract.Queue{Model: "behind@1", Documents: documents, Chunks: chunks}
	if got, err := as[contract.VectorFiller](t, m).MissingVectors(t.Context(), behind()); err != nil || got != want {
		t.Errorf("MissingVectors = %+v, %v, want %+v", got, err, want)
	}
}

func (s suite) fillVectors(t *testing.T) {
	dir := t.TempDir()
	m, other := s.at(t, dir), s.at(t, dir)
	for i := range 5 {
		put(t, m, Doc(fmt.Sprintf("v%d", i), fmt.Sprintf("Text on topic w%d.\n\nAnd its second part p%d.", i, i)))
	}
	turn := Doc("turn", "Somebody said this.")
	turn.Meta = map[string]string{evidence.MetaKind: evidence.KindTurn, evidence.MetaSession: "s_x", evidence.MetaSeq: "1"}
	put(t, m, turn)
	wantQueue(t, other, 6, 11)
	e := &embedder{}
	once := sync.OnceFunc(func() { put(t, other, Doc("late", "A latecomer.")) })
	e.before = once
	last := contract.Progress{}
	p, err := as[contract.VectorFiller](t, m).FillVectors(t.Context(), behind(), e.embed, func(p contract.Progress) {
		if p.Done < last.Done || p.Done > p.Total {
			t.Errorf("progress goes from %+v to %+v", last, p)
		}
		last = p
	})
	if err != nil || p.Done != 7 || p.Total != 7 || p.Model != "behind@1" || !reflect.DeepEqual(p, last) {
		t.Fatalf("FillVectors = %+v, %v", p, err)
	}
	wantQueue(t, other, 0, 0)
	for _, text := range []string{"About v0. Text on topic w0.", "About v4. And its second part p4.", "Somebody said this.", "About late. A latecomer."} {
		if e.times[text] != 1 {
			t.Errorf("%q was embedded %d times, of %v", text, e.times[text], e.times)
		}
	}
	if _, err := as[contract.VectorFiller](t, other).FillVectors(t.Context(), behind(), e.embed, nil); err != nil || len(e.times) != 12 {
		t.Errorf("a second FillVectors: %v, %d texts embedded, want 12", err, len(e.times))
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Embedder != "suite@1" || len(st.Models) != 2 || st.Models[1].Documents != 7 || st.Reindex != nil {
		t.Errorf("Stats = %+v, %v, want the active model unchanged", st, err)
	}
	q := evidence.RecallQuery{Text: "x", Vector: embed("About v3. Text on topic w3.", 48), Model: behind(), Mode: evidence.ModeVector, K: 1}
	if r := recall(t, other, q); len(r.Hits) != 1 || r.Hits[0].Document.ID != "v3" || r.Hits[0].Vector == nil {
		t.Errorf("Recall in the new space = %q", ids(r))
	}
	wantSound(t, m)
}

func (s suite) fillOneAtATime(t *testing.T) {
	dir := t.TempDir()
	m, other := s.at(t, dir), s.at(t, dir)
	seed(t, m)
	begun, release := make(chan struct{}), make(chan struct{})
	e := &embedder{before: sync.OnceFunc(func() { close(begun); <-release })}
	done := make(chan error)
	go func() {
		_, err := as[contract.VectorFiller](t, m).FillVectors(t.Context(), behind(), e.embed, nil)
		done <- err
	}()
	<-begun
	for _, h := range []contract.Memory{m, other} {
		if _, err := as[contract.VectorFiller](t, h).FillVectors(t.Context(), behind(), e.embed, nil); !errors.Is(err, contract.ErrFilling) {
			t.Errorf("FillVectors during another = %v, want ErrFilling", err)
		}
	}
	put(t, other, Doc("meanwhile", "Puts do not wait for vectors."))
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantQueue(t, other, 0, 0)
	for text, n := range e.times {
		if n != 1 {
			t.Errorf("%q was embedded %d times", text, n)
		}
	}
}

// What was forgotten or replaced while it was embedded is not stored.
func (s suite) fillAndForget(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	e := &embedder{before: sync.OnceFunc(func() {
		forget(t, m, contract.Selector{IDs: []string{"d1"}})
		put(t, m, Doc("d2", "Another text.\n\nIn two parts."))
	})}
	filler := as[contract.VectorFiller](t, m)
	if p, err := filler.FillVectors(t.Context(), behind(), e.embed, nil); err != nil || p.Done != p.Total {
		t.Errorf("FillVectors = %+v, %v", p, err)
	}
	wantQueue(t, m, 0, 0)
	q := evidence.RecallQuery{Text: "x", Vector: embed("About d1. Goroutines are multiplexed", 48), Model: behind(), Mode: evidence.ModeVector, K: 9}
	if got := ids(recall(t, m, q)); slices.Contains(got, "d1") || len(got) < 4 {
		t.Errorf("Recall = %q, want all but what was forgotten", got)
	}
	put(t, m, Doc("d3", "Yet another."))
	wantQueue(t, m, 1, 1)
	forget(t, m, contract.Selector{IDs: []string{"d3"}})
	wantQueue(t, m, 0, 0)
	wantSound(t, m)
}

func (s suite) addVectors(t *testing.T) {
	m := s.start(t)
	put(t, m, Doc("a", "First part.\n\nSecond part.\n\nThird part."))
	filler := as[contract.VectorFiller](t, m)
	add := func(id, text string, start int, v []float32) int {
		t.Helper()
		n, err := filler.AddVectors(t.Context(), behind(), []contract.ChunkVector{{Passage: evidence.Passage{DocumentID: id, Start: start, End: start + len(text), Text: text}, Vector: v}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	mine := embed("a vector of its own", 48)
	nan := slices.Clone(mine)
	nan[3] = float32(math.NaN())
	for name, n := range map[string]int{
		"an unknown document": add("b", "Second part.", 13, mine), "another text": add("a", "Second_part.", 13, mine), "no chunk": add("a", "irst part.", 1, mine),
		"another dimension": add("a", "Second part.", 13, mine[1:]), "a zero vector": add("a", "Second part.", 13, make([]float32, 48)), "not a number": add("a", "Second part.", 13, nan),
	} {
		if n != 0 {
			t.Errorf("a vector of %s was stored", name)
		}
	}
	if n := add("a", "Second part.", 13, mine); n != 1 {
		t.Errorf("%d vectors stored, want 1", n)
	}
	if n := add("a", "Second part.", 13, embed("another one", 48)); n != 0 {
		t.Error("a vector was replaced")
	}
	wantQueue(t, m, 1, 2)
	if st, err := m.Stats(t.Context()); err != nil || st.Embedder != "suite@1" || st.Models[1].Documents != 0 {
		t.Errorf("Stats = %+v, %v, want no complete document", st, err)
	}
	e := &embedder{}
	if _, err := filler.FillVectors(t.Context(), behind(), e.embed, nil); err != nil || len(e.times) != 2 || e.times["About a. Second part."] != 0 {
		t.Errorf("FillVectors: %v, embedded %v, want the two other parts", err, e.times)
	}
	q := evidence.RecallQuery{Text: "x", Vector: mine, Model: behind(), Mode: evidence.ModeVector, K: 1}
	if r := recall(t, m, q); len(r.Hits) != 1 || r.Hits[0].Passage.Text != "Second part." || r.Hits[0].Passage.Score < 0.99 {
		t.Errorf("Recall = %+v", r.Hits)
	}
	wantSound(t, m)
}

// A query in the space of a trained model finds everything while vectors are missing.
func (s suite) recallWithoutVectors(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	query := func(text string) evidence.RecallQuery {
		return evidence.RecallQuery{Text: text, Vector: embed(text, 48), Model: behind(), Lexical: Embed(text), LexicalModel: Model(), K: 3}
	}
	lexical := query("goroutines scheduler")
	lexical.Vector, lexical.Model, lexical.Lexical = lexical.Lexical, lexical.LexicalModel, nil
	without, as1 := recall(t, m, query("goroutines scheduler")), recall(t, m, lexical)
	if !slices.Equal(ids(without), ids(as1)) || len(without.Warnings) != 0 || without.Hits[0].Passage.Score != as1.Hits[0].Passage.Score {
		t.Errorf("Recall = %q, %q, want as with the lexical vector alone: %q", ids(without), without.Warnings, ids(as1))
	}
	for _, h := range without.Hits {
		if h.Vector != nil {
			t.Error("a hit has a vector of another model")
		}
	}
	e := &embedder{}
	seen := 0
	e.before = func() { // some have vectors, the others do not
		for text, want := range map[string]string{"goroutines scheduler": "d1", "bidirectional encoder": "d2", "sourdough": "d3", "attention tokens": "d0"} {
			if r := recall(t, m, query(text)); len(r.Hits) == 0 || r.Hits[0].Document.ID != want || len(r.Warnings) != 0 {
				t.Errorf("Recall(%s) = %q, %q, want %s first and no warning", text, ids(r), r.Warnings, want)
			}
		}
		seen++
	}
	for range 10 { // more than one batch
		put(t, m, Doc("filler"+strings.Repeat("x", seen), "Filler text."))
		if _, err := as[contract.VectorFiller](t, m).FillVectors(t.Context(), behind(), e.embed, nil); err != nil {
			t.Fatal(err)
		}
	}
	if seen < 2 {
		t.Errorf("%d recalls while vectors were missing", seen)
	}
}

func (s suite) fillBadInput(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	filler, e := as[contract.VectorFiller](t, m), &embedder{}
	_, err := filler.FillVectors(t.Context(), evidence.Model{}, e.embed, nil)
	wantProblem(t, err)
	_, err = filler.FillVectors(t.Context(), behind(), nil, nil)
	wantProblem(t, err)
	other := Model()
	_, err = filler.FillVectors(t.Context(), evidence.Model{Name: other.Name, Revision: other.Revision, Dims: 48}, e.embed, nil)
	wantProblem(t, err, "suite@1", "32")
	fails := func(context.Context, []string) ([][]float32, error) { return nil, errEmbedder }
	if _, err := filler.FillVectors(t.Context(), behind(), fails, nil); !errors.Is(err, errEmbedder) {
		t.Errorf("FillVectors with an embedder that fails = %v", err)
	}
	wantCanceled(t, func(ctx context.Context) error {
		_, err := filler.FillVectors(ctx, behind(), e.embed, nil)
		return err
	})
	wantQueue(t, m, 4, 4)
	zero := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = make([]float32, 48)
		}
		return out, nil
	}
	if p, err := filler.FillVectors(t.Context(), behind(), zero, nil); err != nil || p.Done != 4 {
		t.Errorf("FillVectors with unusable vectors = %+v, %v", p, err)
	}
	wantQueue(t, m, 0, 0)
	wantSound(t, m)
}
