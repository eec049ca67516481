package app

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/memory"
)

// newsroom is a HackerNews that counts, and can fail in two ways.
type newsroom struct {
	*httptest.Server
	asked atomic.Int32
	mode  atomic.Value
}

const marker = "The quokka census of Rottnest counted eleven thousand animals."

func newNewsroom(t *testing.T) *newsroom {
	t.Helper()
	n := &newsroom{}
	n.mode.Store("")
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=0, must-revalidate") // as many APIs do
		switch n.mode.Load() {
		case "down":
			w.WriteHeader(http.StatusInternalServerError)
		case "odd":
			io.WriteString(w, `{"message":"try later"}`)
		default:
			io.WriteString(w, `{"hits":[{"objectID":"1","title":"Quokkas","comment_text":"`+marker+`","story_title":"Quokkas","created_at":"2026-01-02T03:04:05Z"}]}`)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// reader is the program with that one source and a clock of the test's.
func (n *newsroom) reader(t *testing.T, dir string, clock *atomic.Int64) *App {
	t.Helper()
	return n.readerWith(t, dir, clock, nil)
}

func (n *newsroom) readerWith(t *testing.T, dir string, clock *atomic.Int64, more map[string]string) *App {
	t.Helper()
	flags := map[string]string{"data_dir": dir, "ollama.enabled": "false", "contact": "ops@example.org"}
	for name := range SourceDefaults() {
		flags["sources."+name+".enabled"] = "false"
	}
	flags["sources.hackernews.enabled"], flags["sources.hackernews.url"] = "true", n.URL
	for k, v := range more {
		flags[k] = v
	}
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, Options{Now: func() time.Time { return time.Unix(clock.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (n *newsroom) fetch(t *testing.T, a *App, query string) (research.ReadResult, evidence.SourceReport) {
	t.Helper()
	got, err := a.Engine().Read(t.Context(), research.ReadRequest{Query: query}, nil)
	if err != nil || len(got.Sources) != 1 {
		t.Fatalf("Read = %+v, %v", got.Sources, err)
	}
	return got, got.Sources[0]
}

func TestAnswersAreKeptForTheirLifetime(t *testing.T) {
	t.Parallel()
	n, dir := newNewsroom(t), t.TempDir()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	a := n.reader(t, dir, &clock)
	step := func(a *App, query, status string, asked int32, documents int) evidence.SourceReport {
		t.Helper()
		got, r := n.fetch(t, a, query)
		if r.Status != status || n.asked.Load() != asked || len(got.Documents) != documents {
			t.Errorf("%q: %+v with %d documents after %d requests, want %s with %d after %d", query, r, len(got.Documents), n.asked.Load(), status, documents, asked)
		}
		return r
	}
	step(a, "quokka", "ok", 1, 1)
	clock.Add(60)
	if r := step(a, "quokka", "cached", 1, 1); r.AgeSeconds != 60 {
		t.Errorf("age = %d s, want 60", r.AgeSeconds)
	}
	other := n.reader(t, dir, &clock) // as another process, which shares the cache
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	step(other, "quokka", "cached", 1, 1)
	clock.Add(int64((2 * time.Hour).Seconds()))
	n.mode.Store("down")
	if r := step(other, "quokka", "ok", 2, 1); r.Err == "" || r.AgeSeconds < 7200 {
		t.Errorf("a stale answer is reported as %+v", r)
	}
	if r := step(other, "wombat", "error", 3, 0); r.Kind != "server" {
		t.Errorf("kind = %q, want server", r.Kind)
	}
	n.mode.Store("odd")
	if r := step(other, "numbat", "error", 4, 0); r.Kind != "malformed" { // status 200 without an answer: not cached
		t.Errorf("kind = %q, want malformed", r.Kind)
	}
	n.mode.Store("")
	step(other, "numbat", "ok", 5, 1)
}

// After forgetting, no file of the data folder holds the text: neither the
// memory's nor that of the answers.
func TestForgettingEmptiesTheCache(t *testing.T) {
	t.Parallel()
	n, dir := newNewsroom(t), t.TempDir()
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	a := n.reader(t, dir, &clock)
	got, _ := n.fetch(t, a, "quokka")
	if err := a.Close(); err != nil { // what waits to be written is
		t.Fatal(err)
	}
	if files := holding(t, dir, marker); len(files) < 2 {
		t.Fatalf("before: the marker is in %v, want the memory and the cache", files)
	}
	a = n.reader(t, dir, &clock)
	defer a.Close()
	if _, err := a.library.Forget(t.Context(), library.ForgetRequest{IDs: []string{got.Documents[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if files := holding(t, dir, marker); len(files) != 0 {
		t.Errorf("after: the marker is in %v", files)
	}
}

// Kept answers go also where the settings no longer keep any, and when a server
// finishes an interrupted removal; a cache that cannot be opened is a warning.
func TestForgettingReachesTheCacheInTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		more map[string]string
		do   func(t *testing.T, a *App, dir, id string)
		left int // files that hold the text afterwards
	}{
		{"the settings keep none now", map[string]string{"cache.max_mb": "0"}, func(t *testing.T, a *App, _, id string) {
			if r, err := a.library.Forget(t.Context(), library.ForgetRequest{IDs: []string{id}}); err != nil || len(r.Warnings) > 0 {
				t.Errorf("Forget = %+v, %v", r, err)
			}
		}, 0},
		{"a removal was broken off", nil, func(t *testing.T, a *App, dir, id string) {
			if _, err := a.memory.Forget(t.Context(), memory.Selector{IDs: []string{id}}); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", filepath.Join(dir, "memory.db")) // as a process that was killed leaves it
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.ExecContext(t.Context(), "INSERT INTO due(at, selector) VALUES(0, '')")
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			a.library.MaintainOnce(t.Context())
		}, 0},
		{"the cache cannot be opened", nil, func(t *testing.T, a *App, dir, id string) {
			cached := filepath.Join(dir, CacheFile)
			if err := errors.Join(os.Rename(cached, cached+".away"), os.Mkdir(cached, 0o700)); err != nil {
				t.Fatal(err)
			}
			if r, err := a.library.Forget(t.Context(), library.ForgetRequest{IDs: []string{id}}); err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], CacheFile) {
				t.Errorf("Forget = %+v, %v", r, err)
			}
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, dir := newNewsroom(t), t.TempDir()
			var clock atomic.Int64
			clock.Store(time.Now().Unix())
			a := n.reader(t, dir, &clock)
			got, _ := n.fetch(t, a, "quokka")
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if files := holding(t, dir, marker); len(files) < 2 {
				t.Fatalf("before: the marker is in %v, want the memory and the cache", files)
			}
			a = n.readerWith(t, dir, &clock, c.more)
			defer a.Close()
			c.do(t, a, dir, got.Documents[0].ID)
			if files := holding(t, dir, marker); len(files) != c.left {
				t.Errorf("after: the marker is in %v", files)
			}
		})
	}
}

// holding returns the files of a folder that contain a text.
func holding(t *testing.T, dir, s string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(s)) {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A page of one's own net is read where the settings name its address, and no
// other.
func TestOnlyAllowedAddressesAreRead(t *testing.T) {
	t.Parallel()
	asked := atomic.Int32{}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><title>Inside</title><body><p>"+marker+" It is a long enough text for a page.</p></body></html>")
	})
	mine, other := httptest.NewServer(page), httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached what is not allowed") }))
	t.Cleanup(mine.Close)
	t.Cleanup(other.Close)
	flags := map[string]string{"data_dir": t.TempDir(), "ollama.enabled": "false", "fetch.allow": mine.Listener.Addr().String()}
	for name := range SourceDefaults() {
		flags["sources."+name+".enabled"] = "false"
	}
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	got, err := a.Engine().Read(t.Context(), research.ReadRequest{URLs: []string{mine.URL, other.URL}}, nil)
	if err != nil || len(got.Documents) != 1 || len(got.Sources) != 2 || got.Sources[1].Kind != "refused" || asked.Load() == 0 {
		t.Errorf("Read = %d documents, %+v, %v", len(got.Documents), got.Sources, err)
	}
}

// TestThrottleInsideAGoodAnswerIsNotKept has a service that says with status 200
// that it was asked too often.
func TestThrottleInsideAGoodAnswerIsNotKept(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if asked.Add(1) == 1 {
			io.WriteString(w, `{"errors":[{"code":"ratelimited"}]}`)
			return
		}
		io.WriteString(w, `{"search":[{"id":"Q1","label":"volcano","description":"a mountain","url":"//www.wikidata.org/wiki/Q1"}]}`)
	}))
	defer srv.Close()
	cache, err := fetch.OpenCache(t.Context(), filepath.Join(t.TempDir(), "cache.db"), fetch.CacheConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	client := fetch.New(fetch.Config{Contact: "test@example.org", Cache: cache})
	defer client.Close()
	built, err := sources.Build(map[string]sources.Settings{"wikidata": {Enabled: true, URL: srv.URL}}, client)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(built, func(s sources.Source) bool { return s.Name() == "wikidata" })
	search := func() ([]evidence.Document, error) {
		docs, _, err := TracedSource{Source: built[at]}.SearchTraced(t.Context(), evidence.Query{Text: "volcano", Limit: 3})
		return docs, err
	}
	if _, err := search(); !fetch.IsKind(err, fetch.Throttled) {
		t.Fatalf("the throttle is reported as %v", err)
	}
	if docs, err := search(); err != nil || len(docs) != 1 {
		t.Errorf("the second search: %d documents, %v after %d requests: the throttle was cached as a response", len(docs), err, asked.Load())
	}
}

// What another machine has forgotten is cleared once, also by a process that starts later.
func TestCacheIsClearedAtAMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := &network{path: filepath.Join(dir, "of a tenant", CacheFile)}
	cleared := 0
	n.cache = func() (*fetch.Cache, error) { cleared++; return nil, errors.New("it cannot be opened") }
	if err := n.ClearAt(t.Context(), "one"); err != nil || cleared != 0 {
		t.Errorf("without a folder: %v, opened %d times", err, cleared)
	}
	if _, err := os.Stat(filepath.Dir(n.path)); err == nil {
		t.Error("the folder of a tenant that may have been removed was made")
	}
	if err := os.Mkdir(filepath.Dir(n.path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.ClearAt(t.Context(), "one"); err != nil || cleared != 0 {
		t.Errorf("without a cache: %v, opened %d times", err, cleared)
	}
	if err := os.WriteFile(n.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.ClearAt(t.Context(), "one"); err != nil || cleared != 0 {
		t.Errorf("at the same mark: %v, cleared %d times", err, cleared)
	}
	for range 2 { // one that failed is tried again
		if err := n.ClearAt(t.Context(), "two"); err == nil {
			t.Error("a cache that was not cleared is no error")
		}
	}
	if cleared != 2 {
		t.Errorf("at another mark: cleared %d times, want 2", cleared)
	}
	c, err := fetch.OpenCache(t.Context(), filepath.Join(dir, "cache"), fetch.CacheConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n.cache = func() (*fetch.Cache, error) { cleared++; return c, nil }
	for range 2 {
		if err := n.ClearAt(t.Context(), "two"); err != nil {
			t.Error(err)
		}
	}
	if cleared != 3 {
		t.Errorf("then cleared %d times, want once more", cleared)
	}
}

// A cache that cannot be opened is told of once, however many requests there are.
func TestACacheThatCannotBeOpenedIsToldOfOnce(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"a folder": func(t *testing.T, path string) {
			if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a link that leads nowhere": func(t *testing.T, path string) {
			if err := os.Symlink(filepath.Join(path+".none", "cache.db"), path); err != nil {
				t.Skip("this system makes no links: ", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, dir := newNewsroom(t), t.TempDir()
			spoil(t, filepath.Join(dir, CacheFile))
			flags := map[string]string{"data_dir": dir, "ollama.enabled": "false"}
			for name := range SourceDefaults() {
				flags["sources."+name+".enabled"] = "false"
			}
			flags["sources.hackernews.enabled"], flags["sources.hackernews.url"] = "true", n.URL
			cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			a, err := New(t.Context(), cfg, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{"quokka", "numbat", "bilby"} {
				n.fetch(t, a, q)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if told := strings.Count(log.String(), "responses are not cached"); told != 1 || n.asked.Load() < 3 {
				t.Errorf("%d warnings of %d requests, want one:\n%s", told, n.asked.Load(), log.String())
			}
		})
	}
}
