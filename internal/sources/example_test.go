package sources_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// A local wiki instead of Wikipedia, with all other sources off.
func ExampleBuild() {
	wiki := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"batchcomplete":true,"query":{"pages":[{"title":"Goroutine","index":1,"extract":"A goroutine is cheap."}]}}`)
	}))
	defer wiki.Close()
	network := fetch.New(fetch.Config{Version: "example"})
	defer network.Close()

	settings := map[string]sources.Settings{}
	for _, spec := range sources.Registry() {
		settings[spec.Name] = sources.Settings{Enabled: spec.Name == "wikipedia", URL: wiki.URL}
	}
	built, err := sources.Build(settings, network)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range built {
		docs, err := s.Search(context.Background(), evidence.Query{Text: "goroutine", Limit: 3})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Name(), s.Timeout(), docs[0].Title, docs[0].Text)
	}
	// Output: wikipedia 8s Goroutine A goroutine is cheap.
}

func ExampleMissing() {
	spec := sources.Spec{Name: "notes", Needs: []string{"dir", "key"}}
	for _, setting := range sources.Missing(spec, sources.Settings{Options: map[string]string{"dir": "/home/ann/notes"}}) {
		fmt.Println(setting)
	}
	// Output:
	// sources.notes.key
}
