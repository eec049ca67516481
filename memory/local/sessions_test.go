package local

import (
	"errors"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// An answer in progress when its session is forgotten does not create the
// session again.
func TestForgottenSessionIsNotRecreated(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	turn := evidence.Turn{Role: evidence.RoleUser, Text: secret}
	for _, id := range []string{"s_goes", "s_stays"} {
		if err := l.Append(t.Context(), id, turn); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Forget(t.Context(), contract.Selector{Session: "s_goes"}); err != nil {
		t.Fatal(err)
	}
	var p *evidence.Problem
	if err := l.Append(t.Context(), "s_goes", turn); !errors.As(err, &p) || !p.Usage {
		t.Errorf("Append to the forgotten session = %v", err)
	}
	if err := l.Append(t.Context(), "s_stays", turn); err != nil {
		t.Error(err)
	}
	if _, err := l.Open(t.Context(), "s_goes"); !errors.As(err, &p) {
		t.Errorf("Open of the forgotten session = %v", err)
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Sessions != 1 {
		t.Errorf("Stats = %d sessions, %v, want 1", st.Sessions, err)
	}
}

// A failed load of the index is tried again, but not at once.
func TestFailedLoadIsRetried(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d := textDoc(1, "whales swim in the sea")
	if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
		t.Fatal(err)
	}
	row, ok, err := findModel(t.Context(), l.rdb, vectored(d, "m").Model)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for _, c := range []struct {
		since time.Duration
		again bool
	}{{0, false}, {2 * reloadAfter, true}} {
		failed := &spaceSlot{row: row, loaded: make(chan struct{}), err: errors.New("a busy disk"), tried: time.Now().Add(-c.since)}
		close(failed.loaded)
		l.index.mu.Lock()
		l.index.spaces[row.id] = failed
		l.index.mu.Unlock()
		h := l.index.request(row)
		<-h.loaded
		if (h != failed) != c.again || (h.err == nil) != c.again {
			t.Errorf("after %s: another one %v, error %v", c.since, h != failed, h.err)
		}
	}
}
