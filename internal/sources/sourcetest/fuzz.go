package sourcetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/research-mcp/research-mcp/internal/sources"
)

// Fuzz replaces one of the answers that a source asks for by any bytes; the others
// are the recorded ones. dir returns the folder of a source's recorded answers. A
// source returns either documents that conform to the contract, or an error.
func Fuzz(f *testing.F, specs []sources.Spec, dir func(name string) string) {
	var current atomic.Pointer[[]reply]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { play(*current.Load())(w, r) }))
	f.Cleanup(srv.Close)
	network := newNetwork(f, nil)
	contracts, built := []*contract{}, []sources.Source{}
	for _, spec := range specs {
		c := load(f, dir(spec.Name))
		if len(c.Hits) == 0 { // it needs no network
			continue
		}
		seed(f, uint8(len(built)), len(c.Hits), dir(spec.Name)) //nolint:gosec // there are not 256 sources
		contracts = append(contracts, c)
		built = append(built, buildAt(f, spec, c, srv.URL, 0, network))
	}
	f.Fuzz(func(t *testing.T, source, hop uint8, raw []byte) {
		i := int(source) % len(built)
		replies := slices.Clone(contracts[i].Hits)
		replies[int(hop)%len(replies)].body = raw
		current.Store(&replies)
		docs, err := built[i].Search(t.Context(), query)
		if (docs == nil) == (err == nil) || len(docs) > query.Limit {
			t.Fatalf("%s: Search = %d documents, %v", built[i].Name(), len(docs), err)
		}
		checkDocuments(t, built[i].Name(), docs)
	})
}

// seed adds all recorded answers, as each of the answers that the source asks for.
func seed(f *testing.F, source uint8, hops int, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded answers", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(raw) > 64<<10 {
			continue // mutating it would take too long
		}
		for hop := range hops {
			f.Add(source, uint8(hop), raw) //nolint:gosec // a handful
		}
	}
}
