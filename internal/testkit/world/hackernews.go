package world

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// hackerNews answers as Algolia's index of Hacker News does.
func (w *World) hackerNews(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	query := q.Get("query")
	found := []item{}
	for _, hit := range w.library.itemIndex.search(query) {
		if it := w.library.items[hit]; tagged(it, q.Get("tags")) {
			found = append(found, it)
		}
	}
	perPage := number(q, "hitsPerPage", 20, 1000)
	highlight := !q.Has("attributesToHighlight")
	hits := []object{}
	for _, it := range found[:min(len(found), perPage)] {
		hits = append(hits, w.hit(it, query, highlight))
	}
	replyJSON(rw, http.StatusOK, object{
		"exhaustive": object{"nbHits": true, "typo": true}, "exhaustiveNbHits": true, "exhaustiveTypo": true,
		"hits": hits, "hitsPerPage": perPage, "nbHits": len(found), "nbPages": (len(found) + perPage - 1) / perPage, "page": 0,
		"params": r.URL.RawQuery, "processingTimeMS": 1, "processingTimingsMS": object{"total": 1}, "query": query, "serverTimeMS": 1,
	})
}

// tagged supports one tag, and a list of alternatives in parentheses.
func tagged(it item, tags string) bool {
	if tags == "" {
		return true
	}
	for tag := range strings.SplitSeq(strings.Trim(tags, "()"), ",") {
		if strings.TrimSpace(tag) == it.Kind {
			return true
		}
	}
	return false
}

// hit has the fields of its kind, and null where the real index has null.
func (w *World) hit(it item, query string, highlight bool) object {
	author := any(nil)
	tags := []string{it.Kind}
	if it.Author != nil {
		author, tags = *it.Author, append(tags, "author_"+*it.Author)
	}
	h := object{
		"objectID": fmt.Sprint(it.ID), "author": author, "created_at": it.At.UTC().Format(time.RFC3339), "created_at_i": it.At.Unix(),
		"updated_at": it.At.UTC().Format(time.RFC3339), "points": it.Points, "num_comments": it.Comments, "url": nil, "title": it.Title, "_tags": tags,
	}
	if it.Page {
		h["url"] = fmt.Sprintf("%s/item?id=%d", w.urls[hackernews], it.ID)
	}
	switch it.Kind {
	case "comment":
		story, _ := w.library.item(it.Story)
		h["comment_text"], h["story_text"] = it.Text, nil
		h["story_id"], h["parent_id"], h["story_title"], h["story_url"] = it.Story, it.Story, story.Title, nil
		h["_tags"] = append(tags, fmt.Sprintf("story_%d", it.Story))
	case "job":
		h["url"], h["story_text"] = "", ""
	default:
		h["story_id"], h["story_text"] = it.ID, it.Text
		h["_tags"] = append(tags, fmt.Sprintf("story_%d", it.ID))
	}
	if highlight && it.Title != nil {
		h["_highlightResult"] = object{"title": object{
			"value": *it.Title, "matchLevel": "partial", "fullyHighlighted": false, "matchedWords": text.QueryTerms(query),
		}}
	}
	return h
}
