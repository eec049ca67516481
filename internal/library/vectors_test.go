package library_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// fakeEncoder is the built-in trained encoder. Its texts about birds are alike.
type fakeEncoder struct {
	texts  atomic.Int32 // that were embedded
	before func()       // each call, if not nil
}

func (*fakeEncoder) Model() evidence.Model {
	return evidence.Model{Name: "encoder", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
}

func (e *fakeEncoder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if e.before != nil {
		e.before()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		e.texts.Add(1)
		out[i] = []float32{1, 0}
		if strings.Contains(t, "heron") || strings.Contains(t, "Cranes") || strings.Contains(t, "birds") {
			out[i] = []float32{0, 1}
		}
	}
	return out, nil
}

// withEncoder is a library with a trained encoder over a memory without its vectors.
func withEncoder(t *testing.T, chosen fakeEmbedder) (*library.Library, memory.Memory, *fakeEncoder) {
	t.Helper()
	e := &fakeEncoder{}
	l, m := open(t, func(d *library.Deps) { d.Models = fakeChooser{embedder: chosen, encoder: e} })
	return l, m, e
}

func waiting(t *testing.T, l *library.Library) int {
	t.Helper()
	s, err := l.Stats(t.Context())
	if err != nil || s.Queue == nil || s.Queue.Model != "encoder@1" {
		t.Fatalf("Stats = %+v, %v, want the queue of the encoder", s, err)
	}
	return s.Queue.Chunks
}

// A recall embeds its candidates that have no vector, finds by their meaning, and keeps
// the vectors.
func TestRecallEmbedsItsCandidates(t *testing.T) {
	t.Parallel()
	l, _, e := withEncoder(t, builtIn)
	remember(t, l, heron, crane, "Which stars can be seen in the south?", "The delta is a landscape of sand.")
	if n := e.texts.Load(); n != 0 {
		t.Errorf("keeping embedded %d texts", n)
	}
	if n := waiting(t, l); n != 4 {
		t.Errorf("%d chunks are waiting, want 4", n)
	}
	ask := func() string {
		got, err := l.Recall(t.Context(), library.RecallRequest{Query: "the birds of the south"})
		if err != nil || len(got.Hits) < 2 || len(got.Warnings) != 0 {
			t.Fatalf("Recall = %+v, %v", got, err)
		}
		return got.Hits[0].Text
	}
	if got := ask(); got != crane {
		t.Errorf("the first hit is %q, want %q", got, crane)
	}
	left, embedded := waiting(t, l), e.texts.Load()
	if left >= 3 || int(embedded) != 1+4-left { // the question, and the candidates
		t.Errorf("%d chunks are waiting, %d texts were embedded", left, embedded)
	}
	if got := ask(); got != crane || e.texts.Load() != embedded+1 {
		t.Errorf("the first hit is %q, %d more texts were embedded, want the question alone", got, e.texts.Load()-embedded)
	}
	l.MaintainOnce(t.Context())
	if n := waiting(t, l); n != 0 || e.texts.Load() != embedded+1+int32(left) { //nolint:gosec // at most 4
		t.Errorf("%d chunks are waiting after maintenance, %d texts embedded", n, e.texts.Load())
	}
}

// When patience has ended, a search embeds the question alone and ranks by words.
func TestSearchWithoutPatience(t *testing.T) {
	t.Parallel()
	l, _, e := withEncoder(t, builtIn)
	remember(t, l, heron, crane)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	res, err := l.Search(t.Context(), over, evidence.RecallQuery{Text: "the heron of the delta", K: 1}, builtIn)
	if err != nil || len(res.Hits) != 1 || res.Hits[0].Passage.Text != heron || len(res.Warnings) != 0 {
		t.Errorf("Search = %+v, %v", res, err)
	}
	if n, left := e.texts.Load(), waiting(t, l); n != 1 || left != 2 {
		t.Errorf("%d texts were embedded, %d chunks are waiting, want 1 and 2", n, left)
	}
}

// A recall beside a question embeds its own words alone: the passages of the question keep
// the encoder busy.
func TestRecallBesideAQuestion(t *testing.T) {
	t.Parallel()
	l, _, e := withEncoder(t, builtIn)
	remember(t, l, heron, crane)
	done := l.Foreground()
	got, err := l.Recall(t.Context(), library.RecallRequest{Query: "the heron of the delta"})
	if err != nil || len(got.Hits) == 0 || got.Hits[0].Text != heron || len(got.Warnings) != 0 {
		t.Errorf("Recall = %+v, %v", got, err)
	}
	if n, left := e.texts.Load(), waiting(t, l); n != 1 || left != 2 {
		t.Errorf("%d texts were embedded, %d chunks are waiting, want 1 and 2", n, left)
	}
	done()
	if _, err := l.Recall(t.Context(), library.RecallRequest{Query: "the heron of the delta"}); err != nil || waiting(t, l) > 1 {
		t.Errorf("after the question: %v, %d chunks are waiting, want fewer", err, waiting(t, l))
	}
}

// The chosen embedder of a server never delays a recall that the encoder can rank.
func TestRecallWithAChosenEmbedder(t *testing.T) {
	t.Parallel()
	failing, late := trained, trained
	failing.err = errors.New("out of memory")
	late.hang = true
	for _, c := range []struct {
		name    string
		by      fakeEmbedder
		covered bool // the memory has all of its vectors
		warn    string
	}{
		{"its vectors are missing, and it hangs", late, false, ""},
		{"late", late, true, ""},
		{"failing", failing, true, "out of memory"},
		{"in time", trained, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, m, _ := withEncoder(t, c.by)
			remember(t, l, heron, crane)
			if c.covered {
				good := library.New(library.Deps{Memory: m, Models: fakeChooser{embedder: trained}})
				if _, err := good.Reindex(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a bound for what must not be waited for
			defer cancel()
			got, err := l.Recall(ctx, library.RecallRequest{Query: "heron"})
			if err != nil || len(got.Hits) == 0 || got.Hits[0].Text != heron {
				t.Fatalf("Recall = %+v, %v", got, err)
			}
			if said := strings.Join(got.Warnings, ""); (said == "") != (c.warn == "") || !strings.Contains(said, c.warn) {
				t.Errorf("warnings %q, want %q", got.Warnings, c.warn)
			}
		})
	}
}

// Vectors are written between questions, a few at a time.
func TestVectorsAreWrittenBetweenQuestions(t *testing.T) {
	t.Parallel()
	l, _, e := withEncoder(t, builtIn)
	var texts []string
	for i := range 6 {
		texts = append(texts, fmt.Sprintf("Text number %d.", i))
	}
	remember(t, l, texts...)
	begun, release := make(chan struct{}), make(chan func(), 1)
	calls := 0
	e.before = func() {
		if calls++; calls == 2 { // a question comes while the second few are embedded
			release <- l.Foreground()
			close(begun)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.MaintainOnce(t.Context())
	}()
	<-begun
	answered := <-release
	select {
	case <-done:
		t.Fatal("maintenance ended during a question")
	default:
	}
	answered()
	<-done
	if n := waiting(t, l); n != 0 || calls != 3 {
		t.Errorf("%d chunks are waiting, embedded in %d calls, want 0 and 3", n, calls)
	}
}

// Turning the encoder off and on loses nothing: each model has vectors of its own.
func TestEncoderOffAndOn(t *testing.T) {
	t.Parallel()
	l, m, e := withEncoder(t, builtIn)
	remember(t, l, heron)
	l.MaintainOnce(t.Context())
	off := library.New(library.Deps{Memory: m, Models: fakeChooser{embedder: builtIn}})
	remember(t, off, crane)
	off.MaintainOnce(t.Context())
	got, err := off.Recall(t.Context(), library.RecallRequest{Query: "heron cranes"})
	if err != nil || len(got.Hits) != 2 || len(got.Warnings) != 0 {
		t.Errorf("Recall without the encoder = %+v, %v", got, err)
	}
	if s, err := off.Stats(t.Context()); err != nil || s.Queue != nil {
		t.Errorf("without the encoder there is the queue %+v, %v", s.Queue, err)
	}
	before := e.texts.Load()
	if n := waiting(t, l); n != 1 {
		t.Errorf("%d chunks are waiting, want what was put meanwhile", n)
	}
	l.MaintainOnce(t.Context())
	if n := waiting(t, l); n != 0 || e.texts.Load() != before+1 {
		t.Errorf("%d chunks are waiting, %d texts were embedded, want 1", n, e.texts.Load()-before)
	}
}

// A backend that cannot write vectors behind is searched by n-grams.
func TestBackendWithoutVectorFiller(t *testing.T) {
	t.Parallel()
	_, m, e := withEncoder(t, builtIn)
	l := library.New(library.Deps{Memory: basic{m}, Models: fakeChooser{embedder: builtIn, encoder: e}})
	remember(t, l, heron)
	got, err := l.Recall(t.Context(), library.RecallRequest{Query: "heron"})
	if err != nil || len(got.Hits) != 1 || len(got.Warnings) != 0 || e.texts.Load() != 0 {
		t.Errorf("Recall = %+v, %v, %d texts embedded", got, err, e.texts.Load())
	}
	if _, ok := any(basic{m}).(contract.VectorFiller); ok {
		t.Error("the backend declares what it should not: the test proves nothing")
	}
}

// A model's client that panics costs its own part of the ranking, not the process.
func TestRecallWithAnEmbedderThatPanics(t *testing.T) {
	t.Parallel()
	l, _ := open(t, func(d *library.Deps) { d.Models = fakeChooser{embedder: panicking{}} })
	remember(t, l, heron)
	got, err := l.Recall(t.Context(), library.RecallRequest{Query: "heron"})
	if err != nil || len(got.Hits) != 1 {
		t.Fatalf("recall = %+v, %v, want one hit", got, err)
	}
	if !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "panic: out of order") }) {
		t.Errorf("warnings = %q, want the panic among them", got.Warnings)
	}
}

type panicking struct{}

func (panicking) Model() evidence.Model { return trained.model }

func (panicking) Embed(_ context.Context, texts []string) ([][]float32, error) {
	if slices.Equal(texts, []string{"heron"}) {
		panic("out of order")
	}
	return trained.Embed(context.Background(), texts)
}
