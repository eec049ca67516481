package sources

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// canned is one answer of a server.
type canned struct {
	code   int // 0: 200
	kind   string
	body   string
	header map[string]string
}

// server answers by path and, for repeated requests of a path, in order; without an
// answer it sends 404. It records the requests.
type server struct {
	mu      sync.Mutex
	answers map[string][]canned
	asked   []string // paths with their queries
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
	key := r.URL.EscapedPath()
	left := s.answers[key]
	if len(left) == 0 {
		http.NotFound(w, r)
		return
	}
	a := left[0]
	if len(left) > 1 {
		s.answers[key] = left[1:]
	}
	if a.kind == "" {
		a.kind = "application/json"
	}
	w.Header().Set("Content-Type", a.kind)
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.code != 0 {
		w.WriteHeader(a.code)
	}
	w.Write([]byte(a.body))
}

// serve makes a source whose service is a test server.
func serve(t *testing.T, name string, options map[string]string, answers map[string][]canned) (Source, *server) {
	t.Helper()
	return serveWith(t, name, options, answers, nil)
}

// serveCached is serve with a cache, in which answers are fresh for an hour.
func serveCached(t *testing.T, name string, options map[string]string, answers map[string][]canned) (Source, *server) {
	t.Helper()
	cache, err := fetch.OpenCache(t.Context(), filepath.Join(t.TempDir(), "cache.db"), fetch.CacheConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cache.Close() })
	return serveWith(t, name, options, answers, cache)
}

func serveWith(t *testing.T, name string, options map[string]string, answers map[string][]canned, cache *fetch.Cache) (Source, *server) {
	t.Helper()
	s := &server{answers: answers}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	network := fetch.New(fetch.Config{Contact: "test@example.org", Cache: cache})
	t.Cleanup(func() { network.Close() })
	given := map[string]string{}
	for name, value := range options {
		given[name] = strings.ReplaceAll(value, "{{url}}", srv.URL)
	}
	made, err := specOf(t, name).New(Settings{URL: srv.URL, Options: given, Lifetime: time.Hour}, network)
	if err != nil {
		t.Fatal(err)
	}
	return made, s
}

// found returns the documents of a search and fails the test on an error.
func found(t *testing.T, s Source, q evidence.Query) []evidence.Document {
	t.Helper()
	docs, err := s.Search(t.Context(), q)
	if err != nil || docs == nil {
		t.Fatalf("Search = %v, %v", docs, err)
	}
	checkParsed(t, docs)
	return docs
}

func page(t *testing.T, parts ...string) []canned {
	t.Helper()
	return []canned{{body: string(fixture(t, parts...))}}
}

// searches are the values of one parameter in the requests for a path.
func searches(t *testing.T, asked []string, key string) []string {
	t.Helper()
	var out []string
	for _, u := range asked {
		out = append(out, mustURL(t, u).Query().Get(key))
	}
	return out
}
