package sources

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestLongQueriesAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("語 ", 400) + strings.Repeat("w", 900)
	for name, path := range map[string]string{
		"github": "/search/repositories", "hackernews": algoliaSearch, "kiwix": "/search", "mediawiki": "/w/api.php", "searxng": "/search",
		"stackexchange": advanced, "wikidata": "/w/api.php", "wikipedia": "/w/api.php", "wikipedia-summary": "/w/api.php",
	} {
		for _, text := range []string{long, strings.Repeat("日", 900)} {
			s, srv := serve(t, name, nil, map[string][]canned{path: {{code: 500}}})
			if _, err := s.Search(t.Context(), evidence.Query{Text: text, Limit: 50}); !fetch.IsKind(err, fetch.Server) || len(srv.asked) == 0 {
				t.Errorf("%s: err = %v after %d requests, want the server's own", name, err, len(srv.asked))
			}
		}
	}
}
