package library

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestPageOfACompromisedChildIsCleaned(t *testing.T) {
	t.Parallel()
	page := extract.Page{Title: strings.Repeat("t\n", 4<<20), Text: "a\x00b\u202Ec\xff می\u200cخواهم " + strings.Repeat("x", 3<<20), Language: strings.Repeat("e", 100)}
	clean(&page)
	if len(page.Title) > maxTitle || strings.Contains(page.Title, "\n") || len(page.Language) > maxLanguage || len(page.Text) != maxText || !page.Truncated {
		t.Errorf("title of %d bytes, text of %d, language of %d, truncated %v", len(page.Title), len(page.Text), len(page.Language), page.Truncated)
	}
	if want := "abc\uFFFD می\u200cخواهم xxx"; !strings.HasPrefix(page.Text, want) {
		t.Errorf("text begins with %q, want %q", page.Text[:40], want)
	}
	good := extract.Page{Title: "A title", Text: "# Heading\n\nA text, and 日本語.", Language: "en"}
	was := good
	clean(&good)
	if diff := cmp.Diff(was, good); diff != "" {
		t.Errorf("a good page was changed (-want +got):\n%s", diff)
	}
}

func TestLacksVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   contract.Stats
		want bool
	}{
		{"empty", contract.Stats{}, false},
		{"no vectors", contract.Stats{Documents: 1}, true},
		{"all", contract.Stats{Documents: 2, Models: []contract.ModelStats{{Documents: 1}, {Active: true, Documents: 2}}}, false},
		{"some", contract.Stats{Documents: 2, Models: []contract.ModelStats{{Documents: 2}, {Active: true, Documents: 1}}}, true},
	} {
		if got := lacksVectors(c.in); got != c.want {
			t.Errorf("%s: lacksVectors = %v", c.name, got)
		}
	}
}

func TestBackgroundWaitsForQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q questions
		if err := q.wait(t.Context()); err != nil {
			t.Errorf("wait without a question = %v", err)
		}
		first, second := q.enter(), q.enter()
		ended := false
		go func() {
			if err := q.wait(t.Context()); err != nil {
				t.Errorf("wait = %v", err)
			}
			ended = true
		}()
		first()
		first() // counts once
		synctest.Wait()
		if ended {
			t.Error("wait ended while a question was being answered")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("wait with a cancelled context = %v", err)
		}
		second()
		synctest.Wait()
		if !ended {
			t.Error("wait did not end with the last question")
		}
	})
}

// Beside other recalls a recall does not wait long for vectors, and beside a question not at all.
func TestCandidatePatience(t *testing.T) {
	t.Parallel()
	l := &Library{}
	recall := func() (done func()) {
		l.recalls.Add(1)
		leave := l.Foreground()
		return func() { leave(); l.recalls.Add(-1) }
	}
	defer recall()() // the recall itself
	if got := l.candidatePatience(); got != CandidatePatience {
		t.Errorf("patience alone = %v, want %v", got, CandidatePatience)
	}
	other := recall()
	if got := l.candidatePatience(); got != busyPatience {
		t.Errorf("patience beside a recall = %v, want %v", got, busyPatience)
	}
	done := l.Foreground()
	if got := l.candidatePatience(); got != 0 {
		t.Errorf("patience beside a question = %v, want 0", got)
	}
	done()
	other()
	if got := l.candidatePatience(); got != CandidatePatience {
		t.Errorf("patience after it = %v, want %v", got, CandidatePatience)
	}
}

// busyMemory is one whose vectors of a model take as long as its context.
type busyMemory struct {
	contract.Memory
	retained atomic.Int32
}

func (*busyMemory) Stats(context.Context) (contract.Stats, error) {
	return contract.Stats{Documents: 1}, nil
}

func (*busyMemory) Reindex(ctx context.Context, _ evidence.Model, _ contract.EmbedFunc, _ func(contract.Progress)) (contract.Progress, error) {
	<-ctx.Done()
	return contract.Progress{}, ctx.Err()
}

func (m *busyMemory) Retain(context.Context) (evidence.Receipt, error) {
	m.retained.Add(1)
	return evidence.Receipt{}, nil
}

type lexicalOnly struct{}

func (lexicalOnly) Model() evidence.Model {
	return evidence.Model{Name: "built-in", Revision: "1", Dims: 4, Kind: evidence.KindLexical}
}

func (lexicalOnly) Embed(context.Context, []string) ([][]float32, error) { return nil, nil }

func (l lexicalOnly) Choose(context.Context) models.Set { return models.Set{Embedder: l} }

func (l lexicalOnly) BuiltIn() models.Set { return models.Set{Embedder: l} }

// Retention does not wait for the vectors of a model.
func TestRetentionBesideVectors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		m := &busyMemory{}
		done := make(chan struct{})
		go func() { New(Deps{Memory: m, Models: lexicalOnly{}}).Maintain(ctx); close(done) }()
		time.Sleep(4 * retainEvery)
		synctest.Wait()
		if n := m.retained.Load(); n < 3 {
			t.Errorf("retained %d times in an hour", n)
		}
		end()
		<-done
	})
}

// Libraries of a process embed in the background in turn.
func TestEmbeddingInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room, by := make(chan struct{}, 1), &counting{}
		l := New(Deps{Embedding: room})
		room <- struct{}{} // another one is at it
		done := make(chan error, 1)
		go func() { _, err := l.yielding(by)(t.Context(), []string{"a", "b", "c"}); done <- err }()
		synctest.Wait()
		if n := by.texts.Load(); n != 0 {
			t.Errorf("embedded %d texts beside another one", n)
		}
		<-room
		if err := <-done; err != nil || by.texts.Load() != 3 || len(room) != 0 {
			t.Errorf("then embedded %d texts, %v, and %d have room", by.texts.Load(), err, len(room))
		}
	})
}

type counting struct {
	lexicalOnly
	texts atomic.Int32
}

func (c *counting) Embed(_ context.Context, texts []string) ([][]float32, error) {
	c.texts.Add(int32(len(texts))) //nolint:gosec // a few
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = make([]float32, 4)
	}
	return out, nil
}
