package sources

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHackerNewsReadsEveryKindOfHit(t *testing.T) {
	t.Parallel()
	var a hackerNewsAnswer
	decodeJSON(t, fixture(t, "hackernews", "hits.json"), &a)
	docs, ok := (&hackerNews{endpoint{name: "hackernews", base: mustURL(t, "https://hn.algolia.com")}}).read(&a, retrieved)
	item := "https://news.ycombinator.com/item?id="
	want := []brief{
		{Title: "Ask HN: errgroup or channels?", Text: "I'm asking: errgroup or channels?\n\nSecond paragraph with a link", URL: item + "46000009"},
		{Title: "Go 1.26 is out", Text: "A goroutine is cheap.", URL: item + "46000002"},
		{Title: "Go 1.26 is out", Text: "Go 1.26 is out", URL: "https://go.dev/x"},
		{Title: "Example (YC W26) is hiring", Text: "Example (YC W26) is hiring", URL: item + "46000010"},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Fatalf("read, ok %v (-want +got):\n%s", ok, diff)
	}
	if diff := cmp.Diff(map[string]string{"author": "ann", "points": "640", "comments": "210"}, docs[2].Meta); diff != "" {
		t.Errorf("Meta (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"author": "cy"}, docs[1].Meta); diff != "" {
		t.Errorf("Meta of a comment (-want +got):\n%s", diff)
	}
	if want := time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC); !docs[2].Published.Equal(want) {
		t.Errorf("Published = %s, want %s", docs[2].Published, want)
	}
}

func TestHackerNewsReturnsEachPageOnce(t *testing.T) {
	t.Parallel()
	var a hackerNewsAnswer
	decodeJSON(t, []byte(`{"hits":[{"objectID":"1","title":"x < y","url":"https://a.org/"},{"objectID":"2","title":"again","url":"https://a.org/"},
		{"objectID":3,"title":"relative","url":"/item"},{"title":"nowhere"},{"objectID":"4","title":"script","url":"javascript:x"}]}`), &a)
	docs, ok := (&hackerNews{endpoint{name: "hackernews", base: mustURL(t, "https://hn.algolia.com")}}).read(&a, retrieved)
	item := "https://news.ycombinator.com/item?id="
	want := []brief{{Title: "x < y", Text: "x < y", URL: "https://a.org/"}, {Title: "relative", Text: "relative", URL: item + "3"}, {Title: "script", Text: "script", URL: item + "4"}}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
}
