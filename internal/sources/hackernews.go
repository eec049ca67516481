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
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// hackerNewsItem is where people read an item; the API lives elsewhere.
const hackerNewsItem = "https://news.ycombinator.com/item?id="

// bareTitle is what a hit that says nothing beyond its title is worth beside
// one with text.
const bareTitle = 0.5

// hackerNews searches stories and comments through Algolia's public index.
// Comments hold most of what people there know; a story without text still
// tells by its title what it links to.
type hackerNews struct {
	base    *url.URL
	door    *fetch.Client
	timeout time.Duration
}

func newHackerNews(s Settings, client *fetch.Network) (Source, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	door, err := s.door(client)
	if err != nil {
		return nil, err
	}
	return &hackerNews{base: base, door: door, timeout: s.Timeout}, nil
}

func (h *hackerNews) Name() string { return "hackernews" }

func (h *hackerNews) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, 50)
	params := url.Values{
		"query": {cutWords(q.Text, maxSearchText)}, "tags": {"(story,comment)"}, "hitsPerPage": {strconv.Itoa(limit)},
		"attributesToHighlight": {""}, // or most of the body is the text once more
	}
	budget := fetch.NewBudget(h.timeout)
	var a hackerNewsAnswer
	resp, err := h.door.GetJSON(ctx, fetch.Request{URL: h.base.String() + "/api/v1/search?" + params.Encode(), Budget: budget}, &a)
	if err != nil {
		return nil, err
	}
	docs, ok := h.read(&a, resp.Retrieved)
	if !ok {
		return nil, &fetch.Error{Kind: fetch.Malformed, Host: h.base.Host}
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
	Hits few[json.RawMessage] `json:"hits"`
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

// read makes documents of an answer, best first. It reports false when it is
// of another shape.
func (h *hackerNews) read(a *hackerNewsAnswer, retrieved time.Time) ([]evidence.Document, bool) {
	hits, ok := each[hackerNewsHit](a.Hits)
	if !ok || a.Hits == nil { // a search without hits has an empty list
		return nil, false
	}
	docs, seen := []evidence.Document{}, map[string]bool{}
	for place, hit := range hits {
		d, ok := finish(h.document(hit), retrieved)
		if !ok || seen[d.ID] { // one page is often submitted more than once
			continue
		}
		seen[d.ID] = true
		d.Score *= rankScore(place)
		docs = append(docs, d)
	}
	return byScore(docs), true
}

// document is a hit before it is cleaned. Its score is 1, or less for one that
// says nothing beyond its title.
func (h *hackerNews) document(hit hackerNewsHit) evidence.Document {
	d := evidence.Document{Source: h.Name(), Title: string(cmp.Or(hit.Title, hit.StoryTitle)), Score: 1}
	d.Text = plainText(string(cmp.Or(hit.Comment, hit.StoryText)))
	if d.Text == "" {
		d.Text, d.Score = text.Squash(d.Title), bareTitle
	}
	d.URL = webURL(h.base, linkOf(hit))
	if d.URL == "" && hit.ID != "" {
		d.URL = hackerNewsItem + url.QueryEscape(string(hit.ID))
	}
	if at, err := time.Parse(time.RFC3339, string(hit.Created)); err == nil {
		d.Published = at.UTC()
	}
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
