// Package sourcetest tests sources against the contract of sources.Source. A
// source needs no test code for it: a folder testdata/NAME with recorded answers
// and a contract.json that names them is enough. See docs/adding-a-source.md.
package sourcetest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Clock is what the client's clock shows in every test.
var Clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// contract is a source's contract.json. Replies are tried in order; a request
// that none matches gets 404.
type contract struct {
	Format   string            `json:"format"`    // "xml" when answers are: those with such a type are also played broken
	Options  map[string]string `json:"options"`   // values of the source's options; {{url}} in them is the test server's URL
	ReadsAll bool              `json:"reads_all"` // the source reads everything: no request holds the query
	ReadsCut bool              `json:"reads_cut"` // the source reads what is left of an answer that is cut off
	Hits     []reply           `json:"hits"`      // finds documents
	Empty    []reply           `json:"empty"`     // finds nothing
	Nulls    []reply           `json:"nulls"`     // good answers with null wherever the service may send it
	Local    *local            `json:"local"`     // instead of all others, for a source that needs no network
	Failures []struct {
		Name    string  `json:"name"`
		Status  string  `json:"status"` // of the source's report
		Replies []reply `json:"replies"`
	} `json:"failures"` // that only this service has
}

type reply struct {
	Match string `json:"match"` // part of the request's path and query
	File  string `json:"file"`
	Type  string `json:"type"` // content type, empty: application/json

	body []byte
}

// Run tests one entry of the registry with the answers in dir.
func Run(t *testing.T, spec sources.Spec, dir string) {
	t.Helper()
	c := load(t, dir)
	if c.Local != nil {
		runLocal(t, spec, c.Local, dir)
		return
	}
	t.Run("spec", func(t *testing.T) { t.Parallel(); testSpec(t, spec, c) })
	t.Run("options", func(t *testing.T) { t.Parallel(); testOptions(t, spec, c) })
	t.Run("misspelt setting", func(t *testing.T) { t.Parallel(); testMisspelt(t, spec, c) })
	t.Run("defaults", func(t *testing.T) { t.Parallel(); testDefaults(t, spec, c) })
	t.Run("secrets", func(t *testing.T) { t.Parallel(); testSecrets(t, spec, c) })
	t.Run("mutations", func(t *testing.T) { t.Parallel(); testMutations(t, spec, c) })
	t.Run("hits", func(t *testing.T) { t.Parallel(); testHits(t, spec, c) })
	t.Run("limit", func(t *testing.T) { t.Parallel(); testLimit(t, spec, c) })
	t.Run("empty", func(t *testing.T) { t.Parallel(); testEmpty(t, spec, c) })
	t.Run("nulls", func(t *testing.T) { t.Parallel(); testNulls(t, spec, c) })
	t.Run("at once", func(t *testing.T) { t.Parallel(); testConcurrent(t, spec, c) })
	t.Run("cancelled before", func(t *testing.T) { t.Parallel(); testCancelledBefore(t, spec, c) })
	t.Run("cancelled under way", func(t *testing.T) { t.Parallel(); testCancelled(t, spec, c) })
	t.Run("failures", func(t *testing.T) { t.Parallel(); testFailures(t, spec, c) })
}

func load(t testing.TB, dir string) *contract {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "contract.json"))
	if err != nil {
		t.Fatalf("every source needs recorded answers: %v", err)
	}
	var c contract
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	if c.Local != nil {
		return &c
	}
	lists := [][]reply{c.Hits, c.Empty, c.Nulls}
	for _, f := range c.Failures {
		lists = append(lists, f.Replies)
	}
	for _, list := range lists {
		if len(list) == 0 {
			t.Fatalf("%s: a list of replies is empty", dir)
		}
		for i := range list {
			if list[i].body, err = os.ReadFile(filepath.Join(dir, list[i].File)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &c
}

func play(replies []reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, it := range replies {
			if strings.Contains(r.URL.RequestURI(), it.Match) {
				kind := it.Type
				if kind == "" {
					kind = "application/json; charset=utf-8"
				}
				w.Header().Set("Content-Type", kind)
				w.Write(it.body) // an error means that the client has disconnected
				return
			}
		}
		http.NotFound(w, r)
	}
}

// build makes the source with a test server for h.
func build(t *testing.T, spec sources.Spec, c *contract, timeout time.Duration, h http.HandlerFunc) sources.Source {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return buildAt(t, spec, c, srv.URL, timeout, newNetwork(t, nil))
}

// newNetwork identifies itself. Its log, if any, holds every message.
func newNetwork(t testing.TB, log *journal) *fetch.Network {
	t.Helper()
	cfg := fetch.Config{
		Version: "test", Contact: "test@example.org", MaxBody: 256 << 10,
		Now: func() time.Time { return Clock },
	}
	if log != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	made := fetch.New(cfg)
	t.Cleanup(func() { made.Close() })
	return made
}

// buildAt makes the source with its base URL at a server.
func buildAt(t testing.TB, spec sources.Spec, c *contract, base string, timeout time.Duration, network *fetch.Network) sources.Source {
	t.Helper()
	settings := AllOff()
	own := sources.Settings{Enabled: true, URL: base, Timeout: timeout, Options: map[string]string{}}
	for name, value := range c.Options {
		own.Options[name] = strings.ReplaceAll(value, "{{url}}", base)
	}
	settings[spec.Name] = own
	built, err := sources.Build(settings, network)
	if err != nil || len(built) != 1 {
		t.Fatalf("Build = %v, %v, want the one source", built, err)
	}
	return built[0]
}

var query = evidence.Query{Text: "goroutine channel", Question: "What is a goroutine?", Limit: 10}

func testSpec(t *testing.T, spec sources.Spec, c *contract) {
	if got := build(t, spec, c, 0, http.NotFound).Name(); got != spec.Name {
		t.Errorf("Name() = %q, want %q", got, spec.Name)
	}
	u, err := url.Parse(spec.DefaultURL)
	if len(spec.Needs) == 0 && (err != nil || u.Scheme != "https" || u.Host == "") {
		t.Errorf("DefaultURL = %q, want an https URL", spec.DefaultURL)
	}
	if got := build(t, spec, c, 7*time.Second, http.NotFound).Timeout(); got != 7*time.Second {
		t.Errorf("Timeout() = %s, want the one that was set", got)
	}
	if spec.About == "" || spec.DefaultTimeout <= 0 || spec.Rate.PerSecond <= 0 {
		t.Errorf("spec %+v lacks a description, a timeout or a rate", spec)
	}
}

func testHits(t *testing.T, spec sources.Spec, c *contract) {
	var mu sync.Mutex
	var agents, values []string
	s := build(t, spec, c, 0, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		agents = append(agents, r.UserAgent())
		for _, v := range r.URL.Query() {
			values = append(values, v...)
		}
		mu.Unlock()
		play(c.Hits)(w, r)
	})
	docs := search(t, s, query)
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	checkDocuments(t, spec.Name, docs)
	if !c.ReadsAll && !slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, query.Text) || holdsWords(v) }) {
		t.Errorf("no request held the query %q", query.Text)
	}
	for _, a := range agents {
		if a != "research-mcp/test (test@example.org) Go-http-client" {
			t.Errorf("User-Agent = %q", a)
		}
	}
	if diff := cmp.Diff(docs, search(t, s, query)); diff != "" {
		t.Errorf("a second search returned other documents (-first +second):\n%s", diff)
	}
}

func checkDocuments(t testing.TB, name string, docs []evidence.Document) {
	t.Helper()
	seen := map[string]bool{}
	for i, d := range docs {
		if d.Source != name || d.ID != evidence.DocumentID(name, d.URL, d.Text) || seen[d.ID] {
			t.Errorf("document %d: source %q, id %q (seen %v)", i, d.Source, d.ID, seen[d.ID])
		}
		seen[d.ID] = true
		if u, err := url.Parse(d.URL); err != nil || !u.IsAbs() || u.Host == "" && u.Scheme != "file" {
			t.Errorf("document %d: URL %q is not absolute", i, d.URL)
		}
		clean, changed := text.Clean(d.Text)
		if d.Text == "" || changed || clean != d.Text || !utf8.ValidString(d.Title) {
			t.Errorf("document %d: title %q, text %q: empty or not clean", i, d.Title, d.Text)
		}
		if !d.Untrusted || !d.Retrieved.Equal(Clock) {
			t.Errorf("document %d: untrusted %v, retrieved %s", i, d.Untrusted, d.Retrieved)
		}
		if d.Score <= 0 || d.Score > 1 || i > 0 && d.Score > docs[i-1].Score {
			t.Errorf("document %d: score %v is out of range or order", i, d.Score)
		}
	}
}

// search fails the test on an error or a nil slice.
func search(t *testing.T, s sources.Source, q evidence.Query) []evidence.Document {
	t.Helper()
	docs, err := s.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("Search: %v", err)
	}
	if docs == nil {
		t.Fatal("Search returned nil without an error")
	}
	if len(docs) > max(q.Limit, 1) {
		t.Fatalf("%d documents, want at most %d", len(docs), q.Limit)
	}
	return docs
}

func testLimit(t *testing.T, spec sources.Spec, c *contract) {
	checkLimits(t, build(t, spec, c, 0, play(c.Hits)))
}

func checkLimits(t *testing.T, s sources.Source) {
	t.Helper()
	for _, limit := range []int{-1, 0, 1, 2, 50, 1 << 30} {
		q := query
		q.Limit = limit
		if docs := search(t, s, q); len(docs) == 0 {
			t.Errorf("limit %d: no documents", limit)
		}
	}
}

func testEmpty(t *testing.T, spec sources.Spec, c *contract) {
	if docs := search(t, build(t, spec, c, 0, play(c.Empty)), query); len(docs) != 0 {
		t.Errorf("documents = %+v, want none", docs)
	}
}

func testNulls(t *testing.T, spec sources.Spec, c *contract) {
	checkDocuments(t, spec.Name, search(t, build(t, spec, c, 0, play(c.Nulls)), query))
}

func testConcurrent(t *testing.T, spec sources.Spec, c *contract) {
	checkConcurrent(t, build(t, spec, c, 0, play(c.Hits)))
}

func checkConcurrent(t *testing.T, s sources.Source) {
	t.Helper()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if docs, err := s.Search(t.Context(), query); err != nil || len(docs) == 0 {
				t.Errorf("Search = %d documents, %v", len(docs), err)
			}
		})
	}
	wg.Wait()
}

func testCancelledBefore(t *testing.T, spec sources.Spec, c *contract) {
	checkCancelledBefore(t, build(t, spec, c, 0, play(c.Hits)))
}

func checkCancelledBefore(t *testing.T, s sources.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	docs, err := s.Search(ctx, query)
	if !errors.Is(err, context.Canceled) || docs != nil {
		t.Errorf("Search = %v, %v, want context.Canceled", docs, err)
	}
}

func testCancelled(t *testing.T, spec sources.Spec, c *contract) {
	arrived, disconnected := make(chan struct{}, 1), make(chan struct{}, 1)
	// With an hour to go, only the cancel can end it.
	s := build(t, spec, c, time.Hour, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		disconnected <- struct{}{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-arrived; cancel() }()
	if _, err := s.Search(ctx, query); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	<-disconnected // hangs if the server never sees the connection close
}

// holdsWords reports whether v holds each word of the query, which a service's
// query language may separate.
func holdsWords(v string) bool {
	for _, w := range strings.Fields(query.Text) {
		if !strings.Contains(v, w) {
			return false
		}
	}
	return true
}
