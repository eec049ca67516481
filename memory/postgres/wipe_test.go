package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// Records of removals that wait for the same tables become one, which says the same; they
// go when the tables were rewritten. Those of today stay: a retry finds its own.
func TestRecordsOfRemovalsAreBounded(t *testing.T) {
	t.Parallel()
	m := open(t)
	var clock sync.Mutex
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m.cfg.Now = func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}
	later := func(d time.Duration) {
		clock.Lock()
		defer clock.Unlock()
		now = now.Add(d)
	}
	forget := func(id int) {
		t.Helper()
		keep(t, m, textDoc(id, fmt.Sprintf("Text %d of removals.", id)))
		if r, err := m.Forget(t.Context(), contract.Selector{IDs: []string{fmt.Sprint("d", id)}}); err != nil || r.Documents != 1 {
			t.Fatalf("Forget = %+v, %v", r, err)
		}
	}
	want := func(when string, records, removals, documents int, note string) {
		t.Helper()
		var have [3]int
		if err := m.pool.QueryRow(t.Context(), "select count(*), coalesce(sum(removals), 0), coalesce(sum(documents), 0) from wipe").Scan(&have[0], &have[1], &have[2]); err != nil {
			t.Fatal(err)
		}
		if have != [3]int{records, removals, documents} {
			t.Errorf("%s: %d records of %d removals of %d documents, want %d, %d, %d", when, have[0], have[1], have[2], records, removals, documents)
		}
		st, err := m.Stats(t.Context())
		if said := strings.Join(st.Warnings, "; "); err != nil || !strings.Contains(said, note) || note == "" && said != "" {
			t.Errorf("%s: Stats warns %q, %v, want %q", when, said, err, note)
		}
	}
	for i := range 4 {
		forget(i)
	}
	for _, nothing := range []contract.Selector{{IDs: []string{"d_none"}}, {Source: "none"}, {IDs: []string{"d3"}}} {
		if r, err := m.Forget(t.Context(), nothing); err != nil || r.Documents != 0 {
			t.Fatalf("Forget(%+v) = %+v, %v", nothing, r, err)
		}
	}
	want("on the first day", 4, 4, 4, "4 removals since 2026-03-01")
	later(wipeRetried + time.Hour)
	forget(4) // tidies
	want("on the second", 2, 5, 5, "5 removals since 2026-03-01")
	later(wipeRetried + time.Hour)
	if _, err := m.Retain(t.Context()); err != nil { // a server does this all the time
		t.Fatal(err)
	}
	want("on the third", 1, 5, 5, "5 removals since 2026-03-01")
	admin(t, "set search_path = "+m.server.path, "vacuum full doc", "vacuum full body")
	want("when some tables are rewritten", 1, 5, 5, "5 removals since 2026-03-01")
	forget(5)
	admin(t, "set search_path = "+m.server.path, "vacuum full doc, body, passage, session, turn, run, cites, link, claim")
	want("when all are", 2, 6, 6, "")
	if _, err := m.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("when that was noticed", 1, 1, 1, "")
	later(wipeRetried + time.Hour)
	if _, err := m.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("a day later", 0, 0, 0, "")
}

// Each removal has another mark, also if the clock of the process that forgets is behind and
// the document was forgotten before.
func TestForgetMarkOfASlowClock(t *testing.T) {
	t.Parallel()
	needServer(t)
	now := time.Now()
	m, err := openAt(t.Context(), contract.Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	marks := map[string]bool{}
	for i, behind := range []time.Duration{0, 0, time.Minute, time.Minute, 2 * time.Minute} {
		now = now.Add(-behind)
		keep(t, m, textDoc(i%2, fmt.Sprint("text ", i)))
		if _, err := m.Forget(t.Context(), contract.Selector{IDs: []string{fmt.Sprint("d", i%2)}, Confirm: true}); err != nil {
			t.Fatal(err)
		}
		mark, err := m.ForgetMark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if marks[mark] {
			t.Errorf("the removal %d has the mark of another one", i)
		}
		marks[mark] = true
	}
}
