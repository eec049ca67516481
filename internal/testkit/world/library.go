package world

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// The articles and discussions were written for this program.
//
//go:embed articles/*.md stories/items.json
var content embed.FS

// article is a page of the encyclopedia.
type article struct {
	title, description, summary, body string
	id, revision                      int
	aliases                           []string
	disambiguation                    bool
}

// item is a story, a comment or a job of the news site.
type item struct {
	ID       int64     `json:"id"`
	Kind     string    `json:"kind"` // story, comment or job
	Story    int64     `json:"story"`
	Author   *string   `json:"author"`
	At       time.Time `json:"at"`
	Title    *string   `json:"title"`
	Text     *string   `json:"text"` // HTML, as the site keeps it
	Points   *int      `json:"points"`
	Comments *int      `json:"comments"`
	Page     bool      `json:"page"` // links to a page, which this world serves
}

// library is all articles and items, with an index of each.
type library struct {
	articles     []article
	items        []item
	articleIndex *index
	itemIndex    *index
}

func load() (*library, error) {
	lib := &library{}
	files, err := fs.Glob(content, "articles/*.md")
	if err != nil {
		return nil, fmt.Errorf("listing the demo's articles: %w", err)
	}
	for _, name := range files {
		raw, err := content.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the demo's articles: %w", err)
		}
		a, err := parseArticle(string(raw))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		lib.articles = append(lib.articles, a)
	}
	raw, err := content.ReadFile("stories/items.json")
	if err == nil {
		err = json.Unmarshal(raw, &lib.items)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the demo's stories: %w", err)
	}
	lib.buildIndexes()
	return lib, nil
}

// parseArticle reads "key: value" lines up to "---", then the text.
func parseArticle(raw string) (article, error) {
	head, body, found := strings.Cut(raw, "\n---\n")
	if !found {
		return article{}, fmt.Errorf("no line of three dashes after the head")
	}
	a := article{body: strings.TrimSpace(body)}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		var err error
		switch key {
		case "title":
			a.title = value
		case "id":
			a.id, err = strconv.Atoi(value)
		case "revision":
			a.revision, err = strconv.Atoi(value)
		case "aliases":
			a.aliases = strings.Split(value, ", ")
		case "description":
			a.description = value
		case "summary":
			a.summary = value
		case "type":
			a.disambiguation = value == "disambiguation"
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return article{}, err
		}
	}
	return a, nil
}

func (l *library) buildIndexes() {
	docs := make([][]string, len(l.articles))
	for i, a := range l.articles {
		names := a.title + " " + strings.Join(a.aliases, " ")
		docs[i] = text.Terms(strings.Repeat(names+" ", titleWeight) + a.body)
	}
	l.articleIndex = newIndex(docs)

	titles := map[int64]string{}
	for _, it := range l.items {
		titles[it.ID] = deref(it.Title)
	}
	docs = make([][]string, len(l.items))
	for i, it := range l.items {
		docs[i] = text.Terms(titles[it.ID] + " " + titles[it.Story] + " " + deref(it.Text))
	}
	l.itemIndex = newIndex(docs)
}

// titleWeight is how often a title counts against a word of the text.
const titleWeight = 3

// article finds a page by its title or an alias, with spaces or underscores.
func (l *library) article(title string) (found article, alias, ok bool) {
	title = strings.ReplaceAll(title, "_", " ")
	for _, a := range l.articles {
		if a.title == title {
			return a, false, true
		}
	}
	for _, a := range l.articles {
		if slices.Contains(a.aliases, title) {
			return a, true, true
		}
	}
	return article{}, false, false
}

func (l *library) item(id int64) (item, bool) {
	i := slices.IndexFunc(l.items, func(it item) bool { return it.ID == id })
	if i < 0 {
		return item{}, false
	}
	return l.items[i], true
}

// index searches the articles or the items.
type index struct {
	bm25  *text.BM25
	terms []map[string]bool
}

func newIndex(docs [][]string) *index {
	x := &index{bm25: text.NewBM25(docs)}
	for _, d := range docs {
		set := map[string]bool{}
		for _, t := range d {
			set[t] = true
		}
		x.terms = append(x.terms, set)
	}
	return x
}

// minShare is the share of a query's weight that a hit must have. Rare words weigh
// more, so a document with only the common words of a question is not a hit.
const minShare = 0.5

// search returns the indexes of the hits, best first.
func (x *index) search(query string) []int {
	terms := text.QueryTerms(query)
	total := 0.0
	for _, t := range terms {
		total += x.bm25.IDF(t)
	}
	out := []int{}
	for i, have := range x.terms {
		weight := 0.0
		for _, t := range terms {
			if have[t] {
				weight += x.bm25.IDF(t)
			}
		}
		if weight > 0 && weight >= minShare*total {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(x.bm25.Score(terms, b), x.bm25.Score(terms, a)) })
	return out
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
