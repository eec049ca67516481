package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

func hackerNewsSpec() Spec {
	return Spec{
		Name: "hackernews", About: "stories and comments of Hacker News", DefaultURL: "https://hn.algolia.com", DefaultTimeout: defaultTimeout,
		Rate:    fetch.Rate{PerSecond: 2.5, Burst: burst}, // Algolia allows an address 10,000 requests an hour
		Enabled: true, Kinds: []string{KindCode, KindNews, KindScience, KindOther}, New: newHackerNews,
	}
}

// hackerNewsItem is the prefix of an item's web page.
const hackerNewsItem = "https://news.ycombinator.com/item?id="

// hackerNews searches stories and comments through Algolia's public index.
// Comments hold most of the knowledge; a story without text still has a title.
type hackerNews struct{ endpoint }

func newHackerNews(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("hackernews", s, network)
	return &hackerNews{e}, err
}

func (h *hackerNews) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, maxLimit)
	params := url.Values{
		"query": {cutWords(q.Text, maxSearchText)}, "tags": {"(story,comment)"}, "hitsPerPage": {strconv.Itoa(limit)},
		"attributesToHighlight": {""}, // otherwise the answer repeats every text
	}
	budget := h.budget()
	var a hackerNewsAnswer
	resp, err := h.client.GetJSON(ctx, h.request("/api/v1/search", params, budget), &a)
	if err != nil {
		return nil, err
	}
	docs, ok := h.read(&a, resp.Retrieved)
	if !ok {
		return nil, h.malformed()
	}
	if q.FullText {
		if docs, err = h.discuss(ctx, budget, &a, docs); err != nil {
			return nil, err
		}
	}
	docs = docs[:min(len(docs), limit)]
	if q.FullText {
		markLinks(docs, hackerNewsItem)
	}
	return docs, nil
}

type hackerNewsAnswer struct {
	Hits capped[json.RawMessage] `json:"hits"`
}

// hackerNewsHit is a story, a comment or a job. Any field may be null or absent.
type hackerNewsHit struct {
	ID         loose `json:"objectID"`
	Title      loose `json:"title"`
	Story      loose `json:"story_id"`    // of a comment
	StoryTitle loose `json:"story_title"` // of a comment's story
	URL        loose `json:"url"`
	StoryText  loose `json:"story_text"`   // HTML
	Comment    loose `json:"comment_text"` // HTML
	Author     loose `json:"author"`
	Points     loose `json:"points"`
	Comments   loose `json:"num_comments"`
	Created    loose `json:"created_at"`
}

// read makes documents of an answer, best first. It reports false when the
// answer is of another shape.
func (h *hackerNews) read(a *hackerNewsAnswer, retrieved time.Time) ([]evidence.Document, bool) {
	hits, ok := decodeHits[hackerNewsHit](a.Hits)
	if !ok {
		return nil, false
	}
	return collect(h.name, hits, retrieved, len(hits), h.document), true
}

// document is a hit before it is finished. Its score is 1, or less for one that
// says nothing beyond its title.
func (h *hackerNews) document(hit hackerNewsHit) evidence.Document {
	d := evidence.Document{Title: string(cmp.Or(hit.Title, hit.StoryTitle)), Score: 1}
	d.Text = extract.Fragment(string(cmp.Or(hit.Comment, hit.StoryText)))
	if d.Text == "" {
		d.Text, d.Score = text.Squash(d.Title), bareTitle
	}
	d.URL = webURL(h.base, linkOf(hit))
	if d.URL == "" && hit.ID != "" {
		d.URL = hackerNewsItem + url.QueryEscape(string(hit.ID))
	}
	d.Published = timestamp(hit.Created)
	d.Meta = meta("author", string(hit.Author), "points", string(hit.Points), "comments", string(hit.Comments))
	return d
}

// linkOf is the page that a hit points to, if that is an absolute address.
func linkOf(hit hackerNewsHit) string {
	if u := string(hit.URL); strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
		return u
	}
	return ""
}
