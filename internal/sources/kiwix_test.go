package sources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const rss = "application/rss+xml; charset=utf-8"

func TestKiwixReadsPagesWithoutTheToolbar(t *testing.T) {
	t.Parallel()
	const dir = "/raw/small/content/"
	s, srv := serve(t, "kiwix", map[string]string{"content": "small"}, map[string][]canned{
		"/search":                         {{kind: rss, body: string(fixture(t, "kiwix", "hits.xml"))}},
		dir + "goroutines.html":           {{kind: "text/html", body: string(fixture(t, "kiwix", "page.html")), header: map[string]string{"ETag": `"e1"`}}},
		dir + "Caf%C3%A9_&_channel.html":  {{kind: "text/html", body: "<p></p>"}},
		dir + "select.html":               {{kind: "image/png", body: "\x89PNG"}},
		"/content/small/never-asked.html": {{body: "x"}},
	})
	docs := found(t, s, evidence.Query{Text: "What is a Góroutine's channel?", Limit: 9})
	var got []string
	for _, d := range docs {
		first, _, _ := strings.Cut(d.Text, ".")
		got = append(got, d.Title+" | "+mustURL(t, d.URL).EscapedPath()+" | "+first)
	}
	want := []string{
		"Goroutines | /small/goroutines.html | # Goroutines\n\nA goroutine is a function that runs beside others",
		"Café & channel | /small/Caf%C3%A9_&_channel.html | At the café a channel hands cups from one goroutine to the next: 3 < 4 & all is well",
		"Select | /content/small/select.html | It waits for the first channel of several",
		"Buffers | /small/buffers.html | A channel may have room for some values",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if d := docs[0]; strings.Contains(d.Text, "script words") || !strings.Contains(d.Text, "| send | blocks |") || d.Revision != `"e1"` || d.Language != "en" || d.Meta["book"] != "A small library" {
		t.Errorf("page = %+v", d)
	}
	q := mustURL(t, srv.asked[0]).Query()
	if q.Get("pattern") != "goroutine channel" || q.Get("content") != "small" || q.Get("pageLength") != "9" || len(srv.asked) != 1+kiwixPages {
		t.Errorf("asked %q", srv.asked)
	}
}

func TestKiwixAsksForAnyWordWhenNoPageHasAll(t *testing.T) {
	t.Parallel()
	none, some := canned{kind: rss, body: string(fixture(t, "kiwix", "empty.xml"))}, canned{kind: rss, body: string(fixture(t, "kiwix", "hits.xml"))}
	s, srv := serve(t, "kiwix", nil, map[string][]canned{"/search": {none, some}})
	if docs := found(t, s, evidence.Query{Text: "goroutine channel", Limit: 1}); len(docs) != 1 {
		t.Errorf("documents = %+v", briefs(docs))
	}
	if got := searches(t, srv.asked[:2], "pattern"); got[1] != "goroutine OR channel" {
		t.Errorf("patterns = %q", got)
	}
	for text, requests := range map[string]int{"zzzz": 1, "zzzz yyyy": 2, "?!": 0, "the": 1} {
		s, srv := serve(t, "kiwix", nil, map[string][]canned{"/search": {none}})
		if docs := found(t, s, evidence.Query{Text: text, Limit: 1}); len(docs) != 0 || len(srv.asked) != requests {
			t.Errorf("%q: %d documents after %q", text, len(docs), srv.asked)
		}
	}
}

func TestKiwixNamesAMissingBook(t *testing.T) {
	t.Parallel()
	for book, says := range map[string]string{"": "answered 400", "nope": "look whether sources.kiwix.content names a book"} {
		s, _ := serve(t, "kiwix", map[string]string{"content": book}, map[string][]canned{"/search": {{code: 400, kind: "application/xml", body: string(fixture(t, "kiwix", "error.xml"))}}})
		if _, err := s.Search(t.Context(), evidence.Query{Text: "x"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("book %q: err = %v, want %q", book, err, says)
		}
	}
}

func TestKiwixRawPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, page, want string }{
		{"http://h:1", "http://h:1/small/A/b%20c.html", "http://h:1/raw/small/content/A/b%20c.html"},
		{"http://h:1", "http://h:1/content/small/b", "http://h:1/raw/small/content/b"},
		{"http://h:1/x", "http://h:1/x/small/b", "http://h:1/x/raw/small/content/b"},
		{"http://h:1/x", "http://h:1/small/b", ""},
		{"http://h:1", "http://elsewhere/small/b", ""},
		{"http://h:1", "http://h:1/small", ""},
		{"http://h:1", "http://h:1/small/", ""},
		{"http://h:1", "", ""},
	} {
		k := &kiwix{endpoint: endpoint{base: mustURL(t, c.base)}}
		if got := k.rawURL(c.page); got != c.want {
			t.Errorf("rawURL(%q) at %s = %q, want %q", c.page, c.base, got, c.want)
		}
	}
}
