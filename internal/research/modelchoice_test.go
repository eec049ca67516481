package research

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// slowChooser needs a while to find out what a server offers.
type slowChooser struct {
	*fakeChooser
	delay time.Duration
}

func (c slowChooser) Choose(ctx context.Context) models.Set {
	select {
	case <-time.After(c.delay):
		return c.fakeChooser.Choose(ctx)
	case <-ctx.Done():
		return c.BuiltIn()
	}
}

// notedSource notes when it was asked what.
type notedSource struct {
	*fakeSource
	begun time.Time
	at    map[string]time.Duration
}

func (s notedSource) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	s.mu.Lock()
	s.at[q.Text] = time.Since(s.begun)
	s.mu.Unlock()
	return s.fakeSource.Search(ctx, q)
}

// While a model server takes a second to answer a probe, the sources are asked;
// when it has answered, its models embed and write.
func TestChoosingModelsDelaysNoSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := notedSource{&fakeSource{name: "wiki", delay: 100 * time.Millisecond, texts: []string{wikiText}}, time.Now(), map[string]time.Duration{}}
		w := newWorld(nil, source)
		defer w.Close()
		w.chooser.builtIn.keywords = []string{"transformer", "attention"}
		big := &fakeModel{name: "big", keywords: []string{"transformer", "architecture"}}
		w.chooser.set = models.Set{Embedder: big, Synthesizer: big, Planner: big, Summarizer: big, Warnings: []string{"no reranker"}}
		w.deps.Models = slowChooser{w.chooser, time.Second}
		got, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]time.Duration{"transformer": 0, "attention": plannerPatience}
		if diff := cmp.Diff(want, source.at); diff != "" {
			t.Errorf("keywords and when they were asked (-want +got):\n%s", diff)
		}
		if got.Embedder != "big" || got.Synthesizer != "big" || !cmp.Equal(got.Warnings, []string{"no reranker"}) {
			t.Errorf("answer by %s and %s, warnings %q", got.Embedder, got.Synthesizer, got.Warnings)
		}
	})
}

// A server that answers its probe soon plans too.
func TestAQuickModelPlans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := notedSource{&fakeSource{name: "wiki", delay: time.Second, texts: []string{wikiText}}, time.Now(), map[string]time.Duration{}}
		w := newWorld(nil, source)
		defer w.Close()
		w.chooser.builtIn.keywords = []string{"transformer", "attention"}
		big := &fakeModel{name: "big", keywords: []string{"transformer", "architecture"}}
		w.chooser.set = models.Set{Embedder: big, Synthesizer: big, Planner: big, Summarizer: big}
		w.deps.Models = slowChooser{w.chooser, 50 * time.Millisecond}
		if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil {
			t.Fatal(err)
		}
		want := map[string]time.Duration{"transformer": 0, "architecture": 50 * time.Millisecond}
		if diff := cmp.Diff(want, source.at); diff != "" {
			t.Errorf("keywords and when they were asked (-want +got):\n%s", diff)
		}
	})
}
