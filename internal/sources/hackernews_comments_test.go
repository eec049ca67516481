package sources

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	algoliaSearch = "/api/v1/search"
	algoliaItem   = "/api/v1/items/"
)

func TestHackerNewsFullText(t *testing.T) {
	t.Parallel()
	s, srv := serve(t, "hackernews", nil, map[string][]canned{algoliaSearch: page(t, "hackernews", "hits.json"), algoliaItem + "46000001": page(t, "hackernews", "item.json")})
	docs := found(t, s, evidence.Query{Text: "go", Limit: 10, FullText: true})
	if len(docs) != 5 || len(srv.asked) != 2 {
		t.Fatalf("%+v after %q, want the four hits and one discussion", briefs(docs), srv.asked)
	}
	got := docs[0]
	want := brief{
		Title: "Discussion of Go 1.26 is out", URL: "https://news.ycombinator.com/item?id=46000001",
		Text: "cy: A goroutine is cheap.\n\n```\nch <- 1\n```\n\nbo: Nobody replied to this.\n\ndi: A channel is not.",
	}
	if diff := cmp.Diff(want, briefs(docs)[0]); diff != "" {
		t.Errorf("discussion (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"points": "640", "story": "https://go.dev/x"}, got.Meta); diff != "" || !got.Truncated || !got.Published.Equal(time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("discussion %+v, Meta (-want +got):\n%s", got, diff)
	}
	s, srv = serve(t, "hackernews", nil, map[string][]canned{algoliaSearch: page(t, "hackernews", "hits.json")})
	if docs := found(t, s, evidence.Query{Text: "go", Limit: 10}); len(docs) != 4 || len(srv.asked) != 1 {
		t.Errorf("%d documents after %q, want no comments unless they are asked for", len(docs), srv.asked)
	}
}

func TestHackerNewsWithoutADiscussionGivesTheHits(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]canned{
		"404": {code: 404}, "garbage": {body: "{"}, "a list": {body: "[]"}, "null": {body: "null"}, "no comments": {body: `{"title":"x","children":[]}`},
		"children of another shape": {body: `{"children":{"a":1}}`}, "huge": {body: `{"text":"` + strings.Repeat("x", discussionBytes) + `"}`},
	} {
		s, srv := serve(t, "hackernews", nil, map[string][]canned{algoliaSearch: page(t, "hackernews", "hits.json"), algoliaItem + "46000001": {a}})
		if docs := found(t, s, evidence.Query{Text: "go", Limit: 10, FullText: true}); len(docs) != 4 || len(srv.asked) != 2 {
			t.Errorf("%s: %d documents after %q, want the four hits", name, len(docs), srv.asked)
		}
	}
}

func TestHackerNewsPutsCommentsUnderAQuestion(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, "hackernews", nil, map[string][]canned{
		algoliaSearch:     {{body: `{"hits":[{"objectID":"9","title":"Ask HN: channels?","story_text":"Which ones?","num_comments":1,"url":null}]}`}},
		algoliaItem + "9": {{body: `{"id":9,"title":"Ask HN: channels?","text":"Which ones?","url":null,"children":[{"author":"bo","text":"All."}]}`}},
	})
	docs := found(t, s, evidence.Query{Text: "go", Limit: 10, FullText: true})
	want := []brief{{Title: "Ask HN: channels?", Text: "Which ones?\n\nbo: All.", URL: "https://news.ycombinator.com/item?id=9"}}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestHackerNewsAsksForTheBestStoriesAlone(t *testing.T) {
	t.Parallel()
	hits := []hackerNewsHit{
		{ID: "1", Title: "none", Comments: "0"}, {ID: "2", Comment: "c", Story: "7"}, {ID: "3", Title: "some", Comments: "4"},
		{ID: "7", Title: "the same", Comments: "9"}, {ID: "../x", Comments: "3"}, {ID: "4", Comment: "c"}, {ID: "5", Comments: "1"},
	}
	if diff := cmp.Diff([]string{"7", "3", "5"}, discussed(hits)); diff != "" {
		t.Errorf("discussed (-want +got):\n%s", diff)
	}
}

func TestItemIsReadWithinBounds(t *testing.T) {
	t.Parallel()
	var wide strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&wide, `,{"author":"a%d","text":"comment %d","children":[{"author":"b","text":"reply"}]}`, i, i)
	}
	item, err := readItem([]byte(`{"title":"wide","children":[` + wide.String()[1:] + `]}`))
	if err != nil || len(item.comments) > commentsRead+commentDepth || !item.cut {
		t.Errorf("wide: %d comments, cut %v, %v, want about %d", len(item.comments), item.cut, err, commentsRead)
	}
	if best := item.best(); len(best) != commentsKept || best[0].Author != "a0" {
		t.Errorf("best = %d, first by %q", len(best), best[0].Author)
	}
	deep := strings.Repeat(`{"author":"a","text":"t","children":[`, 500) + strings.Repeat(`]}`, 500)
	if item, err = readItem([]byte(deep)); err != nil || len(item.comments) != commentDepth || !item.cut {
		t.Errorf("deep: %d comments, cut %v, %v, want %d", len(item.comments), item.cut, err, commentDepth)
	}
	if _, err := readItem([]byte(strings.Repeat(`{"children":[`, 100_000))); err == nil {
		t.Error("what breaks off at a great depth = nil error")
	}
	d := (&hackerNews{}).discussion("1", hackerNewsItemTree{comments: []hackerNewsNode{
		{Author: "a", Text: loose(strings.Repeat("long ", 10_000))}, {Author: "b", Text: "short"},
	}}, retrieved, 1)
	if d.Text != "b: short" || !d.Truncated {
		t.Errorf("text of %d bytes, truncated %v, want what has room", len(d.Text), d.Truncated)
	}
}

func FuzzItem(f *testing.F) {
	f.Add(fixture(f, "hackernews", "item.json"))
	f.Add([]byte(`{"children":[null,[],{"children":null},7,{"children":[{"author":"x","text":"<p>y"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		item, err := readItem(raw)
		if err != nil {
			return
		}
		if len(item.comments) > commentsRead+commentDepth || len(item.best()) > commentsKept {
			t.Errorf("%d comments, %d best", len(item.comments), len(item.best()))
		}
		if d := (&hackerNews{}).discussion("1", item, retrieved, 1); d.Text != "" {
			checkParsed(t, []evidence.Document{d})
		}
	})
}
