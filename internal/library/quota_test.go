package library_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
)

func withQuota(most library.Quota) func(*library.Deps) {
	return func(d *library.Deps) { d.Quota = most }
}

// A memory with as many documents as it may have keeps no further one, with the numbers
// and what to do, until something is forgotten; what it has can be stored again.
func TestAQuotaOfDocuments(t *testing.T) {
	t.Parallel()
	l, m := open(t, withQuota(library.Quota{Documents: 2}))
	ids := remember(t, l, heron, crane)
	_, err := l.Remember(t.Context(), library.RememberRequest{Text: "Storks return in March."})
	var p *evidence.Problem
	if !errors.As(err, &p) || !errors.Is(err, library.ErrQuota) || !strings.Contains(p.What, "2 of at most 2 documents") || !strings.Contains(p.Try, "forget") ||
		!strings.Contains(p.Try, "operator") || !strings.Contains(p.Try, "tenant_documents") || strings.Contains(p.Try, "tenant_mb") {
		t.Errorf("the third document: %v", err)
	}
	if _, err := l.Keep(t.Context(), doc, "s_1"); !errors.Is(err, library.ErrQuota) {
		t.Errorf("a document of a question: %v", err)
	}
	if again, err := l.Remember(t.Context(), library.RememberRequest{Text: heron}); err != nil || !again.Deduplicated {
		t.Errorf("the same text again: %+v, %v", again, err)
	}
	if _, err := m.Forget(t.Context(), memory.Selector{IDs: ids[:1]}); err != nil { // as another process would
		t.Fatal(err)
	}
	remember(t, l, "Storks return in March.")
	if s, err := l.Stats(t.Context()); err != nil || s.Documents != 2 {
		t.Errorf("%d documents, %v, want 2", s.Documents, err)
	}
}

// The text counts as it is stored; a document may be replaced by one that is no longer.
func TestAQuotaOfText(t *testing.T) {
	t.Parallel()
	l, _ := open(t, withQuota(library.Quota{Bytes: 100}))
	for _, c := range []struct {
		what, id string
		bytes    int
		full     bool
	}{
		{"as much as fits", "d_1", 90, false},
		{"another that does not fit", "d_2", 11, true},
		{"another that fits to the byte", "d_3", 10, false},
		{"a longer text for what is there", "d_1", 91, true},
		{"a shorter text for what is there", "d_1", 60, false},
		{"into the room that it made", "d_4", 30, false},
		{"a byte too many", "d_5", 1, true},
	} {
		d := doc
		d.ID, d.URL, d.Text = c.id, "https://wiki.test/"+c.id, strings.Repeat("x", c.bytes)
		if _, err := l.Keep(t.Context(), d, ""); errors.Is(err, library.ErrQuota) != c.full || err != nil && !c.full {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// Documents that arrive at once do not go over the quota together.
func TestAQuotaHoldsForManyAtOnce(t *testing.T) {
	t.Parallel()
	l, _ := open(t, withQuota(library.Quota{Documents: 5}))
	var all sync.WaitGroup
	var kept atomic.Int64
	for i := range 20 {
		all.Go(func() {
			switch _, err := l.Remember(t.Context(), library.RememberRequest{Text: fmt.Sprintf("Heron %d has a nest.", i)}); {
			case err == nil:
				kept.Add(1)
			case !errors.Is(err, library.ErrQuota):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s, err := l.Stats(t.Context()); err != nil || s.Documents != 5 || kept.Load() != 5 {
		t.Errorf("%d documents of %d that were kept, %v, want 5", s.Documents, kept.Load(), err)
	}
}

// What another process stores is counted after a while.
func TestAQuotaSeesOtherProcesses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	l, m := open(t, func(d *library.Deps) { d.Quota, d.Now = library.Quota{Documents: 3}, func() time.Time { return now } })
	remember(t, l, heron)
	other := library.New(library.Deps{Memory: m, Models: fakeChooser{embedder: builtIn}})
	remember(t, other, crane, "Storks return in March.")
	now = now.Add(time.Minute)
	if _, err := l.Remember(t.Context(), library.RememberRequest{Text: "Gulls stay."}); !errors.Is(err, library.ErrQuota) {
		t.Errorf("a fourth document: %v", err)
	}
}
