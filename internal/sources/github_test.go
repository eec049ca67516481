package sources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestGitHubDocuments(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, "github", nil, map[string][]canned{"/search/repositories": page(t, "github", "hits.json")})
	docs := found(t, s, evidence.Query{Text: "goroutine channel", Limit: 5})
	const at = "https://github.com/"
	want := []brief{
		{Title: "ann/chanpool: A pool of goroutines that are fed by a channel.", URL: at + "ann/chanpool",
			Text: "ann/chanpool: A pool of goroutines that are fed by a channel.\n\nTopics: goroutine, channel.\n\nRepository: written in Go; 640 stars; license MIT."},
		{Title: "bo/old: Channels with a timeout", URL: at + "bo/old",
			Text: "bo/old: Channels with a timeout\n\nRepository: written in Go; 3 stars; archived, no longer maintained."},
		{Title: "o/x", URL: at + "o/x", Text: "o/x is a repository on GitHub.\n\nRepository: 12 stars."},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"stars": "640", "language": "Go", "license": "MIT", "topics": "goroutine, channel", "changed": "2026-09-01T00:00:00Z"}, docs[0].Meta); diff != "" {
		t.Errorf("Meta (-want +got):\n%s", diff)
	}
}

func TestGitHub403(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer canned
		kind   fetch.Kind
	}{
		{"secondary limit", canned{code: 403, body: "{}", header: map[string]string{"Retry-After": "60"}}, fetch.Throttled},
		{"no user agent", canned{code: 403, body: "{}"}, fetch.Forbidden},
		{"no such search", canned{code: 422, body: "{}"}, fetch.BadStatus},
	} {
		s, _ := serve(t, "github", nil, map[string][]canned{"/search/repositories": {c.answer}})
		if _, err := s.Search(t.Context(), evidence.Query{Text: "x"}); !fetch.IsKind(err, c.kind) {
			t.Errorf("%s: err = %v, want %s", c.name, err, c.kind)
		}
	}
}

func TestGitHubQueryIsCutBetweenWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"a b", "a b"}, {"abcdef", "abcde"}, {"ab cd ef", "ab"}, {"abcde f", "abcde"}, {"日本語", "日"}, {"", ""},
	} {
		if got := cutWords(c.in, 5); got != c.want {
			t.Errorf("cutWords(%q, 5) = %q, want %q", c.in, got, c.want)
		}
	}
	s, srv := serve(t, "github", nil, map[string][]canned{"/search/repositories": page(t, "github", "empty.json")})
	found(t, s, evidence.Query{Text: strings.Repeat("channel ", 100), Limit: 5})
	if q := mustURL(t, srv.asked[0]).Query().Get("q"); len(q) > maxGitHubQuery || !strings.HasSuffix(q, "channel") {
		t.Errorf("q has %d bytes: %q", len(q), q)
	}
}
