package world

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/text"
)

func mustLoad(t *testing.T) *library {
	t.Helper()
	lib, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func TestArticlesAreComplete(t *testing.T) {
	t.Parallel()
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, a := range mustLoad(t).articles {
		for _, name := range append([]string{a.title}, a.aliases...) {
			if name == "" || titles[name] {
				t.Errorf("title or alias %q is empty or used twice", name)
			}
			titles[name] = true
		}
		if a.id == 0 || ids[a.id] || a.revision == 0 || a.summary == "" || a.description == "" {
			t.Errorf("%s: head is not complete", a.title)
		}
		ids[a.id] = true
		if a.disambiguation {
			continue
		}
		if n := len(strings.Fields(a.body)); n < 150 || n > 350 {
			t.Errorf("%s has %d words, want 150 to 350", a.title, n)
		}
		if n := len(text.Sentences(a.summary)); n < 2 || n > 4 {
			t.Errorf("%s: summary of %d sentences, want 2 to 4", a.title, n)
		}
	}
	if len(ids) < 12 {
		t.Errorf("%d articles, want at least 12", len(ids))
	}
}

func TestItemsHaveEveryKindOfGap(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t)
	seen := map[int64]bool{}
	gaps := map[string]bool{}
	for _, it := range lib.items {
		if it.ID < 9_900_000_000 || seen[it.ID] {
			t.Errorf("item %d: the id is used twice, or may be a real one", it.ID)
		}
		seen[it.ID] = true
		if it.Kind == "comment" {
			if story, ok := lib.item(it.Story); !ok || story.Kind != "story" || it.Text == nil {
				t.Errorf("comment %d has no story or no text", it.ID)
			}
		}
		gaps["kind "+it.Kind] = true
		gaps["no title"] = gaps["no title"] || it.Title == nil
		gaps["no text"] = gaps["no text"] || it.Text == nil
		gaps["no points"] = gaps["no points"] || it.Points == nil
		gaps["no author"] = gaps["no author"] || it.Author == nil
		gaps["no page"] = gaps["no page"] || !it.Page
	}
	for _, want := range []string{"kind story", "kind comment", "kind job", "no title", "no text", "no points", "no author", "no page"} {
		if !gaps[want] {
			t.Errorf("no item with: %s", want)
		}
	}
}

// Near-duplicates are dropped before an answer is written, so each text must be
// different for every source to be quoted.
func TestTextsAreDistinct(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t)
	type piece struct{ name, text string }
	var pieces []piece
	for _, a := range lib.articles {
		if !a.disambiguation {
			pieces = append(pieces, piece{a.title, a.body}, piece{a.title + " (summary)", a.summary})
		}
	}
	for _, it := range lib.items {
		if it.Text != nil {
			pieces = append(pieces, piece{deref(it.Title) + deref(it.Author), *it.Text})
		}
	}
	sentences := map[string]string{}
	for i, p := range pieces {
		for _, sp := range text.Sentences(p.text) {
			s := strings.ToLower(p.text[sp.Start:sp.End])
			if other, twice := sentences[s]; twice {
				t.Errorf("%q is in %s and in %s", s, other, p.name)
			}
			sentences[s] = p.name
		}
		for _, q := range pieces[:i] {
			if d := text.Distance(text.SimHash(p.text), text.SimHash(q.text)); d <= text.NearDuplicate {
				t.Errorf("%s and %s are near-duplicates (distance %d)", p.name, q.name, d)
			}
		}
	}
}

func TestParseArticleRefusesUnknownKeys(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "title: x", "colour: red\n---\nx", "id: nine\n---\nx"} {
		if _, err := parseArticle(raw); err == nil {
			t.Errorf("parseArticle(%q) succeeded", raw)
		}
	}
}
