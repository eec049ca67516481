package sources

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// feedServer serves testdata/feeds, and 500 for /down.
func feedServer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/feeds")))
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func openFeeds(t *testing.T, urls string) (Source, error) {
	t.Helper()
	network := fetch.New(fetch.Config{Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }})
	t.Cleanup(func() { network.Close() })
	built, err := build([]Spec{feedsSpec()}, map[string]Settings{"feeds": {Enabled: true, Options: map[string]string{"urls": urls}}}, network)
	if err != nil {
		return nil, err
	}
	return built[0], nil
}

func titles(docs []evidence.Document) []string {
	out := []string{}
	for _, d := range docs {
		out = append(out, d.Title)
	}
	return out
}

func TestFeedsReturnMatchingItems(t *testing.T) {
	t.Parallel()
	at := feedServer(t)
	s, err := openFeeds(t, at+"/rss.xml,"+at+"/atom.xml\n"+at+"/rss.xml")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		"goroutine channel": {"When a goroutine & a channel disagree", "A channel in three sentences", "goroutine leak, found by luck", "Version 3: every goroutine gets a name"},
		"bread":             {"Bread without kneading"},
		"zebra":             {},
		"latest news":       {"Version 3: every goroutine gets a name", "When a goroutine & a channel disagree", "Bread without kneading", "Version 2", "A channel in three sentences", "goroutine leak, found by luck"},
	} {
		docs, err := s.Search(t.Context(), evidence.Query{Text: query, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		opts := cmp.Options{}
		if query == "goroutine channel" { // the order of the short ones is not tested
			opts = cmp.Options{sorted()}
			if docs[0].Title != want[0] {
				t.Errorf("%s: first is %q, want %q", query, docs[0].Title, want[0])
			}
		}
		if diff := cmp.Diff(want, titles(docs), opts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func sorted() cmp.Option {
	return cmp.Transformer("counted", func(in []string) map[string]int {
		out := map[string]int{}
		for _, s := range in {
			out[s]++
		}
		return out
	})
}

func TestFeedItemsWithoutLinkOrDate(t *testing.T) {
	t.Parallel()
	at := feedServer(t)
	s, err := openFeeds(t, at+"/rss.xml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := s.Search(t.Context(), evidence.Query{Text: "goroutine channel", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	byTitle := map[string]evidence.Document{}
	for _, d := range docs {
		byTitle[d.Title] = d
	}
	full := byTitle["When a goroutine & a channel disagree"]
	if want := "A goroutine that sends on an unbuffered channel waits until somebody receives.\n\nClose the channel only from the side that sends."; full.Text != want {
		t.Errorf("text = %q, want %q", full.Text, want)
	}
	if want := time.Date(2026, 10, 5, 6, 30, 0, 0, time.UTC); full.URL != "https://notes.example.org/2026/10/disagree" || !full.Published.Equal(want) || full.Language != "en" {
		t.Errorf("url %s, published %s, language %s", full.URL, full.Published, full.Language)
	}
	if diff := cmp.Diff(map[string]string{"feed": "Notes on running things at once", "author": "Ada Example", "topics": "concurrency"}, full.Meta); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	if d := byTitle["A channel in three sentences"]; d.URL != "https://notes.example.org/2026/08/three" || !d.Published.IsZero() {
		t.Errorf("an id that is an address: url %s, published %s", d.URL, d.Published)
	}
	if d := byTitle["goroutine leak, found by luck"]; !strings.HasPrefix(d.URL, at+"/rss.xml#") || d.Text != d.Title {
		t.Errorf("neither link nor text: url %s, text %q", d.URL, d.Text)
	}
}

func TestAFeedsKeyIsNotInItsItems(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, inner := range map[string]string{
		"no link": "<guid>7</guid>", "nothing at all": "", "fragment": "<link>#7</link>", "relative": "<link>?p=7</link>",
	} {
		for _, head := range []string{"", "<link>#home</link>", "<link>https://home.example/</link>"} {
			f, err := parseFeed([]byte(`<rss version="2.0"><channel>`+head+`<item><title>Cats</title>`+inner+`</item></channel></rss>`), "")
			if err != nil {
				t.Fatal(err)
			}
			docs := items(mustURL(t, "https://example.org/feed.xml?token="+secret), f, time.Time{})
			if len(docs) != 1 || strings.Contains(docs[0].URL, secret) || strings.Contains(docs[0].Meta["feed"], secret) {
				t.Errorf("%s, %q: %+v", name, head, docs)
			}
		}
	}
}

func TestAFailingFeedDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	at := feedServer(t)
	s, err := openFeeds(t, at+"/down "+at+"/page.html "+at+"/rss.xml "+at+"/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := s.Search(t.Context(), evidence.Query{Text: "bread", Limit: 10})
	if err != nil || len(docs) != 1 {
		t.Errorf("Search = %q, %v, want the one item", titles(docs), err)
	}
	s, err = openFeeds(t, at+"/down "+at+"/page.html")
	if err != nil {
		t.Fatal(err)
	}
	docs, err = s.Search(t.Context(), evidence.Query{Text: "bread", Limit: 10})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != fetch.Server || docs != nil || !strings.HasPrefix(err.Error(), "2 of 2 feeds failed, the first with: ") {
		t.Errorf("with all of them down: %v, %v", docs, err)
	}
}

func TestNoItemsAndAFailedFeedIsAnError(t *testing.T) {
	t.Parallel()
	at := feedServer(t)
	for urls, want := range map[string]string{
		at + "/rss.xml " + at + "/down":                    "1 of 2 feeds failed, the first with: ",
		at + "/nowhere " + at + "/rss.xml " + at + "/down": "2 of 3 feeds failed, the first with: ",
	} {
		s, err := openFeeds(t, urls)
		if err != nil {
			t.Fatal(err)
		}
		docs, err := s.Search(t.Context(), evidence.Query{Text: "zebra", Limit: 10})
		var e *fetch.Error
		if docs != nil || !errors.As(err, &e) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error that begins with %q", urls, docs, err, want)
		}
	}
}

func TestAPageInsteadOfAFeedIsNotCached(t *testing.T) {
	t.Parallel()
	const rss = "application/rss+xml"
	s, srv := serveCached(t, "feeds", map[string]string{"urls": "{{url}}/a {{url}}/b"}, map[string][]canned{
		"/a": {{kind: rss, body: `<rss version="2.0"><channel><item><title>Cats</title></item></channel></rss>`}},
		"/b": {{kind: "text/html", body: "<p>Back soon"}, {kind: rss, body: `<rss version="2.0"><channel><item><title>More cats</title></item></channel></rss>`}},
	})
	for _, want := range []int{1, 2, 2} {
		if docs := found(t, s, evidence.Query{Text: "cats", Limit: 5}); len(docs) != want {
			t.Errorf("%q, want %d", titles(docs), want)
		}
	}
	if len(srv.asked) != 3 {
		t.Errorf("asked %q, want the page asked for again", srv.asked)
	}
}

func TestFeedsRefuseBadAddresses(t *testing.T) {
	t.Parallel()
	for _, urls := range []string{"example.org/feed.xml", "file:///etc/passwd", "https://", "https://me:hunter2@example.org/feed", "example.org/feed?token=hunter2", "https:///feed?a=b&token=hunter2", ",", "https://a.example,ftp://b.example"} {
		_, err := openFeeds(t, urls)
		if p := evidence.AsProblem(err); err == nil || !p.Usage || !strings.Contains(p.What, "sources.feeds.urls") || strings.Contains(p.Error(), "hunter2") {
			t.Errorf("urls %q: %v, want a problem that names the setting", urls, err)
		}
	}
	for _, urls := range []string{"https://me:hunter2@example.org/feed", "https://hunter2@example.org/feed?u=hunter2", "https://a.example,http://:hunter2@b.example"} {
		_, err := openFeeds(t, urls)
		if err == nil || !strings.Contains(err.Error(), "a user or password") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("urls %q: %v, want a problem that says why", urls, err)
		}
	}
	if _, err := openFeeds(t, strings.Repeat("https://a.example/?feed=1&x=2 ", 2)); err != nil {
		t.Errorf("an address with a query, twice: %v", err)
	}
}
