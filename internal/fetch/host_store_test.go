package fetch

import (
	"database/sql"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/time/rate"
)

// With a damaged file, requests work as without one.
func TestHostsInABrokenFileChangeNothing(t *testing.T) {
	t.Parallel()
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		x := newProcesses(t, Rate{}, fine)
		p := x.start(t)
		db, err := sql.Open("sqlite", x.path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("DELETE FROM hosts"); err != nil { // takes the lock for writers
			t.Fatal(err)
		}
		for range 3 {
			if err := x.get(t, p); err != nil {
				t.Error(err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		p.cache.flush()
		if err := x.get(t, p); err != nil { // which has what could not be written taken along
			t.Error(err)
		}
		p.cache.flush()
		if got := x.kept(t); got.Spent != 4 {
			t.Errorf("kept = %+v, want 4 spent", got)
		}
	})
	t.Run("no table", func(t *testing.T) {
		t.Parallel()
		x := newProcesses(t, Rate{}, fine)
		p := x.start(t)
		if _, err := p.cache.db.Exec("DROP TABLE hosts"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := x.get(t, p); err != nil {
				t.Error(err)
			}
			p.cache.flush()
		}
		if got, err := ReadHosts(t.Context(), x.path, x.clock.now()); got != nil || err != nil {
			t.Errorf("ReadHosts of a file of an earlier version = %v, %v, want nothing", got, err)
		}
		again := x.start(t)
		if err := x.get(t, again); err != nil {
			t.Error(err)
		}
		again.cache.flush()
		if got := x.kept(t); got.Spent != 1 {
			t.Errorf("kept = %+v, want that the table is made anew", got)
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		x := newProcesses(t, Rate{PerSecond: 0.01, Burst: 2}, fine)
		p := x.start(t)
		p.cache.Close()
		for i, want := range []bool{true, true, false} {
			if err := x.get(t, p); (err == nil) != want {
				t.Errorf("request %d: %v, want ok %t", i, err, want)
			}
		}
	})
	t.Run("a cassette", func(t *testing.T) {
		t.Parallel()
		x := newProcesses(t, Rate{}, fine)
		p := x.start(t)
		n := New(Config{Cache: p.cache, Cassette: NewRecorder("test", "1", nil)})
		defer n.Close()
		client, err := n.ForHost(x.base, Rate{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(t.Context(), Request{URL: x.base}); err != nil {
			t.Fatal(err)
		}
		p.cache.flush()
		if got, err := p.cache.Hosts(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("Hosts = %v, %v, want none from a recording", got, err)
		}
	})
}

func TestReadHostsCreatesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "no", "cache.db")
	if got, err := ReadHosts(t.Context(), path, time.Now()); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
	path = filepath.Join(dir, "cache.db")
	if err := openCache(t, path, CacheConfig{}).Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadHosts(t.Context(), path, time.Now()); len(got) != 0 || err != nil {
		t.Errorf("of an empty cache: %v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("after it the folder holds %v, %v, want the file alone", entries, err)
	}
	path = filepath.Join(dir, "garbage.db")
	garbage := strings.Repeat("garbage ", 4096)
	if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadHosts(t.Context(), path, time.Now()); err == nil {
		t.Errorf("of garbage: %v, no error", got)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != garbage {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestDrainTakesParts(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, r := range []Rate{{1.0 / 3, 1}, {0.0023, 90}, {2, 5}} {
		for _, x := range []float64{-1, 0, 0.25, 1, 2.5, 7.75} {
			l := rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
			drain(l, start, x)
			want := float64(r.Burst) - max(x, 0)
			if got := l.TokensAt(start); math.Abs(got-want) > 1e-6 {
				t.Errorf("%+v less %g = %g, want %g", r, x, got, want)
			}
			drain(l, start, 0.5) // once more, of what is no longer full
			if got := l.TokensAt(start.Add(time.Second)); math.Abs(got-min(want-0.5+r.PerSecond, float64(r.Burst))) > 1e-6 {
				t.Errorf("%+v less %g less 0.5, a second later = %g", r, x, got)
			}
		}
	}
}

func TestHostRowAdds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	slow := Rate{PerSecond: 0.1, Burst: 4}
	full := hostRow{tokens: 1, rate: slow, day: dayOf(now), spent: 7, kind: Server, err: "old", errAt: now.Add(-time.Hour),
		wait: now.Add(time.Minute), updated: now.Add(-10 * time.Second)}
	for _, c := range []struct {
		name string
		row  hostRow
		news hostUpdate
		want hostRow
	}{
		{"the first news", hostRow{}, hostUpdate{rate: slow, spent: 1}, hostRow{tokens: 3, rate: slow, day: dayOf(now), spent: 1, updated: now}},
		{"refilled, then spent", full, hostUpdate{rate: slow, spent: 3}, hostRow{tokens: -1, rate: slow, day: full.day, spent: 10, kind: Server, err: "old", errAt: full.errAt, wait: full.wait, updated: now}},
		{"an older error and a shorter wait", full, hostUpdate{rate: slow, kind: Timeout, err: "older", errAt: now.Add(-2 * time.Hour), wait: now}, hostRow{tokens: 2, rate: slow, day: full.day, spent: 7, kind: Server, err: "old", errAt: full.errAt, wait: full.wait, updated: now}},
		{"a newer error and a longer wait", full, hostUpdate{rate: slow, kind: Timeout, err: "new", errAt: now, wait: now.Add(time.Hour)}, hostRow{tokens: 2, rate: slow, day: full.day, spent: 7, kind: Timeout, err: "new", errAt: now, wait: now.Add(time.Hour), updated: now}},
		{"given back", full, hostUpdate{rate: slow, spent: -1}, hostRow{tokens: 3, rate: slow, day: full.day, spent: 6, kind: Server, err: "old", errAt: full.errAt, wait: full.wait, updated: now}},
		{"another day", hostRow{rate: slow, tokens: 4, day: dayOf(now) - 1, spent: 200, updated: now.Add(-24 * time.Hour)}, hostUpdate{rate: slow, spent: 1}, hostRow{tokens: 3, rate: slow, day: dayOf(now), spent: 1, updated: now}},
		{"a clock that was set back", hostRow{rate: slow, tokens: 2, day: dayOf(now), updated: now.Add(time.Hour)}, hostUpdate{rate: slow, spent: 1}, hostRow{tokens: 1, rate: slow, day: dayOf(now), spent: 1, updated: now}},
		{"an absurd debt", hostRow{rate: slow, tokens: -1e12, day: dayOf(now), updated: now}, hostUpdate{rate: slow}, hostRow{tokens: -longestQueue, rate: slow, day: dayOf(now), updated: now}},
		{"no longer limited", full, hostUpdate{spent: 1}, hostRow{day: full.day, spent: 8, kind: Server, err: "old", errAt: full.errAt, wait: full.wait, updated: now}},
		{"a breaker opens", hostRow{rate: slow, tokens: 4, updated: now}, hostUpdate{rate: slow, breaker: true, since: now, until: now.Add(openFor)}, hostRow{tokens: 4, rate: slow, day: dayOf(now), since: now, until: now.Add(openFor), updated: now}},
		{"and closes", hostRow{rate: slow, tokens: 4, since: now, until: now, updated: now}, hostUpdate{rate: slow, breaker: true}, hostRow{tokens: 4, rate: slow, day: dayOf(now), updated: now}},
	} {
		c.row.add(c.news, now)
		if diff := cmp.Diff(c.want, c.row, cmp.AllowUnexported(hostRow{}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A row of a clock that ran ahead must not block a host.
func TestRowsFromTheFutureAreIgnored(t *testing.T) {
	t.Parallel()
	x := newProcesses(t, Rate{}, busy("3600"))
	p := x.start(t)
	if err := x.get(t, p); !IsKind(err, Throttled) {
		t.Fatalf("err = %v", err)
	}
	p.cache.flush()
	x.serve(fine)
	x.clock.add(-30 * 24 * time.Hour)
	if err := x.get(t, x.start(t)); err != nil {
		t.Errorf("after the clock was set back by a month: %v", err)
	}
	if got := x.kept(t); !got.WaitUntil.IsZero() {
		t.Errorf("kept = %+v", got)
	}
}

func TestMergeHosts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	live := []HostState{
		{Host: "a:443", Breaker: "closed", Rate: Rate{1, 4}, Tokens: 3, InFlight: 1, LastError: "new", LastErrorAt: now},
		{Host: "c:443", Breaker: "open", BrokenUntil: now, WaitUntil: now},
	}
	kept := []HostState{
		{Host: "a:443", Breaker: "half-open", Rate: Rate{2, 9}, Tokens: 1, Spent: 5, LastError: "old", LastErrorAt: now.Add(-1), WaitUntil: now},
		{Host: "b:443", Breaker: "closed", Spent: 2},
		{Host: "c:443", Breaker: "closed", LastError: "x", LastErrorKind: API, LastErrorAt: now, WaitUntil: now.Add(-1)},
	}
	want := []HostState{
		{Host: "a:443", Breaker: "half-open", Rate: Rate{1, 4}, Tokens: 1, InFlight: 1, Spent: 5, LastError: "new", LastErrorAt: now, WaitUntil: now},
		{Host: "b:443", Breaker: "closed", Spent: 2},
		{Host: "c:443", Breaker: "open", BrokenUntil: now, WaitUntil: now, LastError: "x", LastErrorKind: API, LastErrorAt: now},
	}
	if diff := cmp.Diff(want, MergeHosts(live, kept)); diff != "" {
		t.Errorf("MergeHosts (-want +got):\n%s", diff)
	}
	if live[0].Tokens != 3 {
		t.Error("MergeHosts changed its argument")
	}
}
