package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func openAlexSpec() Spec {
	return Spec{
		Name: "openalex", About: "papers of every field, with abstracts where publishers allow it; needs a free key",
		DefaultURL: "https://api.openalex.org", DefaultTimeout: defaultTimeout, Lifetime: papersLifetime,
		Rate:    fetch.Rate{PerSecond: 2, Burst: 5}, // a key pays for about a thousand searches a day
		Enabled: true, Kinds: []string{KindScience}, New: newOpenAlex,
		Options: []Option{{Name: "key", About: "API key, free at openalex.org", Secret: true}},
		Needs:   []string{"key"},
	}
}

// openAlexFields are all that is read of a work.
const openAlexFields = "id,doi,title,display_name,publication_date,publication_year,language,type,primary_location,authorships,cited_by_count,is_retracted,abstract_inverted_index"

// openAlex searches OpenAlex.
type openAlex struct {
	endpoint
	key string
}

func newOpenAlex(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("openalex", s, network)
	return &openAlex{endpoint: e, key: s.Options["key"]}, err
}

func (o *openAlex) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	words := searchWords(q.Text, maxSearchWords)                                                      // wildcards and the like are refused
	dois := slices.DeleteFunc(doisOf(q), func(s string) bool { return strings.ContainsAny(s, ",|") }) // they separate
	if len(words)+len(dois) == 0 {
		return []evidence.Document{}, nil
	}
	limit := clamp(q.Limit, 1, maxLimit)
	params := url.Values{"per_page": {strconv.Itoa(limit)}, "select": {openAlexFields}, "api_key": {o.key}}
	if len(dois) > 0 {
		params.Set("filter", "doi:"+strings.Join(dois, "|"))
	} else {
		params.Set("search", strings.Join(words, " "))
	}
	docs, err := o.searchPapers(ctx, "/works", params, limit, &openAlexAnswer{})
	return docs, rephrased(err, explainOpenAlex)
}

// explainOpenAlex names the setting behind a refusal.
func explainOpenAlex(e *fetch.Error) {
	if e.Code == http.StatusUnauthorized {
		e.Kind, e.Detail = fetch.Forbidden, "does not accept sources.openalex.key"
	}
}

type openAlexAnswer struct {
	Results capped[json.RawMessage] `json:"results"`
}

// openAlexWork is one work. Any field may be null or absent.
type openAlexWork struct {
	ID        loose           `json:"id"` // an address
	DOI       loose           `json:"doi"`
	Title     loose           `json:"title"`
	Display   loose           `json:"display_name"`
	Date      loose           `json:"publication_date"`
	Year      loose           `json:"publication_year"`
	Language  loose           `json:"language"`
	Type      loose           `json:"type"`
	Cited     loose           `json:"cited_by_count"`
	Retracted maybe[bool]     `json:"is_retracted"`
	Abstract  maybe[inverted] `json:"abstract_inverted_index"`
	Location  maybe[struct {
		Page    loose `json:"landing_page_url"`
		License loose `json:"license"`
		Source  maybe[struct {
			Name loose `json:"display_name"`
		}] `json:"source"`
	}] `json:"primary_location"`
	Authors maybe[capped[struct {
		Author struct {
			Name loose `json:"display_name"`
		} `json:"author"`
	}]] `json:"authorships"`
}

// inverted is a text as the positions of each of its words.
type inverted map[string]capped[int]

// text puts the words in order. Gaps are closed: a position is an order, not an
// offset into memory.
func (v inverted) text() string {
	type word struct {
		position int
		text     string
	}
	var words []word
	for w, positions := range v {
		for _, p := range positions {
			words = append(words, word{p, w})
		}
	}
	slices.SortFunc(words, func(a, b word) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.text, b.text)) })
	var out strings.Builder
	for i, w := range words {
		if out.Len() > maxText { // a short answer can name a long word many times
			break
		}
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(w.text)
	}
	return out.String()
}

// papers reads the works in their order.
func (a *openAlexAnswer) papers(base *url.URL) ([]paper, error) {
	return readPapers(base, a.Results, func(w openAlexWork) paper { return w.paper(base) })
}

func (w *openAlexWork) paper(base *url.URL) paper {
	location := w.Location.v
	p := paper{
		title: string(cmp.Or(w.Title, w.Display)), abstract: w.Abstract.v.text(), doi: doiOf(string(w.DOI)),
		venue: string(location.Source.v.Name), published: dateOf(string(w.Date)), language: string(w.Language),
		license: string(location.License), retracted: w.Retracted.v,
		more: []string{"type", string(w.Type), "cited_by", string(w.Cited)},
	}
	p.url = cmp.Or(doiURL(p.doi), webURL(base, string(location.Page)), webURL(base, string(w.ID)))
	if year, err := strconv.Atoi(string(w.Year)); err == nil && p.published.IsZero() {
		p.published = day(year, 0, 0)
	}
	for _, a := range w.Authors.v {
		if name := strings.TrimSpace(string(a.Author.Name)); name != "" {
			p.authors = append(p.authors, name)
		}
	}
	return p
}
