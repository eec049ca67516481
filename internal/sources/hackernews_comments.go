package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// Bounds of reading a discussion. One of thousands of comments is megabytes, most
// of them replies to replies.
const (
	discussions      = 2       // stories of one search whose comments are read
	discussionBytes  = 4 << 20 // of JSON
	commentDepth     = 3       // replies below this are left out
	commentsRead     = 400     // of one story, in its own order
	commentsKept     = 20      // those with most replies
	commentTextBytes = 24 << 10
)

// discuss adds the comments of the best stories, one document for each story.
// A discussion that cannot be read is left out; the error is ctx's.
func (h *hackerNews) discuss(ctx context.Context, budget *fetch.Budget, a *hackerNewsAnswer, docs []evidence.Document) ([]evidence.Document, error) {
	hits, _ := decodeEach[hackerNewsHit](a.Hits)
	for rank, story := range discussed(hits) {
		if rank == discussions {
			break
		}
		req := fetch.Request{URL: h.base.String() + "/api/v1/items/" + story, Accept: "application/json", Budget: budget, MaxBody: discussionBytes}
		resp, err := h.client.Get(ctx, req)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("reading comments: %w", ctx.Err())
		}
		if err != nil {
			continue
		}
		item, err := readItem(resp.Body)
		if err != nil {
			h.client.Invalidate(req)
			continue
		}
		docs = addOrReplace(docs, h.discussion(story, item, resp.Retrieved, rankScore(rank)))
	}
	return byScore(docs), nil
}

// discussed are the ids of the stories that hits are of or comment on, best first.
func discussed(hits []hackerNewsHit) []string {
	var out []string
	for _, hit := range hits {
		id := string(hit.ID)
		if hit.Comment != "" {
			id = string(hit.Story)
		} else if hit.Comments == "" || hit.Comments == "0" {
			continue
		}
		if numeric().MatchString(id) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// discussion is a document of the comments under a story. Its text is empty when
// there are none.
func (h *hackerNews) discussion(story string, item hackerNewsItemTree, retrieved time.Time, score float64) evidence.Document {
	d := evidence.Document{
		Source: h.name, URL: hackerNewsItem + url.QueryEscape(story), Title: "Discussion of " + string(item.Title), Score: score,
		Meta: meta("points", string(item.Points), "story", linkOf(hackerNewsHit{URL: item.URL})),
	}
	d.Published = timestamp(item.Created)
	var parts []string
	size, cut := 0, item.cut
	for _, c := range item.best() {
		body := extract.Fragment(string(c.Text))
		if size+len(body) > commentTextBytes {
			cut = true
			continue
		}
		if body == "" {
			continue
		}
		size += len(body)
		parts = append(parts, string(c.Author)+": "+body)
	}
	if len(parts) == 0 {
		return evidence.Document{}
	}
	if own := extract.Fragment(string(item.Text)); own != "" {
		parts = append([]string{own}, parts...)
	}
	d.Text = strings.Join(parts, "\n\n")
	d.Truncated = cut
	d, _ = finish(d, retrieved)
	return d
}

// addOrReplace adds a document, or replaces the one of the same page: the URL of
// a story without a link is that of its comments.
func addOrReplace(docs []evidence.Document, d evidence.Document) []evidence.Document {
	if d.Text == "" {
		return docs
	}
	for i := range docs {
		if docs[i].ID == d.ID {
			d.Title, d.Score = docs[i].Title, max(d.Score, docs[i].Score)
			docs[i] = d
			return docs
		}
	}
	return append(docs, d)
}

// hackerNewsItemTree is a story with its comments as a list. Any field may be
// null; a deleted comment has neither author nor text.
type hackerNewsItemTree struct {
	hackerNewsNode
	comments []hackerNewsNode // parents after their children
	cut      bool             // there are more
}

type hackerNewsNode struct {
	Title, URL, Text, Author, Points, Created loose

	order   int
	replies int // at all depths that were read
}

// best are the comments with most replies, at most commentsKept.
func (t hackerNewsItemTree) best() []hackerNewsNode {
	out := slices.DeleteFunc(slices.Clone(t.comments), func(c hackerNewsNode) bool { return c.Author == "" || c.Text == "" })
	slices.SortFunc(out, func(a, b hackerNewsNode) int {
		if a.replies != b.replies {
			return b.replies - a.replies
		}
		return a.order - b.order
	})
	return out[:min(len(out), commentsKept)]
}

var errNoItem = errors.New("the answer is not an item")

// readItem reads an item and its comments token by token, so that a huge discussion
// takes no more memory than the part that is kept.
func readItem(body []byte) (hackerNewsItemTree, error) {
	r := itemReader{dec: json.NewDecoder(bytes.NewReader(body))}
	root, err := r.item(0)
	if err == nil && root == nil {
		err = errNoItem
	}
	if err != nil {
		return hackerNewsItemTree{}, err
	}
	return hackerNewsItemTree{hackerNewsNode: *root, comments: r.comments, cut: r.cut}, nil
}

type itemReader struct {
	dec      *json.Decoder
	seen     int
	comments []hackerNewsNode
	cut      bool
}

// item reads one value. It is nil for one that is not an object.
func (r *itemReader) item(depth int) (*hackerNewsNode, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		if t == json.Delim('[') {
			return nil, errNoItem
		}
		return nil, nil
	}
	node := &hackerNewsNode{order: r.seen}
	r.seen++
	for r.dec.More() {
		key, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		if key == "children" {
			err = r.children(node, depth)
		} else {
			err = r.field(node, key)
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = r.dec.Token()
	return node, err
}

// field reads one value of an item.
func (r *itemReader) field(node *hackerNewsNode, key json.Token) error {
	var ignored json.RawMessage
	fields := map[json.Token]*loose{
		"title": &node.Title, "url": &node.URL, "text": &node.Text, "author": &node.Author, "points": &node.Points, "created_at": &node.Created,
	}
	if to := fields[key]; to != nil {
		return r.dec.Decode(to)
	}
	return r.dec.Decode(&ignored)
}

// children reads the comments below an item within the bounds above, and skips the
// rest.
func (r *itemReader) children(parent *hackerNewsNode, depth int) error {
	var ignored json.RawMessage
	t, err := r.dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		if t == json.Delim('{') {
			return errNoItem
		}
		return nil // null
	}
	for r.dec.More() {
		if depth >= commentDepth || r.seen > commentsRead {
			r.cut = true
			if err := r.dec.Decode(&ignored); err != nil {
				return err
			}
			continue
		}
		child, err := r.item(depth + 1)
		if err != nil {
			return err
		}
		if child != nil {
			parent.replies += 1 + child.replies
			r.comments = append(r.comments, *child)
		}
	}
	_, err = r.dec.Token()
	return err
}
