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

func crossrefSpec() Spec {
	return Spec{
		Name: "crossref", About: "what publishers register of papers and books: titles, authors, some abstracts",
		DefaultURL: "https://api.crossref.org", DefaultTimeout: defaultTimeout, Lifetime: papersLifetime,
		Rate:    fetch.Rate{PerSecond: 1, Burst: 3}, // three a second are allowed to clients with an address
		Enabled: true, Kinds: []string{KindScience}, New: newCrossref,
	}
}

// crossrefFields are the fields that are read; whole works include every reference.
const crossrefFields = "DOI,URL,title,container-title,author,issued,abstract,license,type,is-referenced-by-count,publisher"

// crossref searches the registry of DOIs.
type crossref struct {
	endpoint
	mailto string
	slots  semaphore // a client without an address may send one request at a time
}

func newCrossref(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("crossref", s, network)
	c := &crossref{endpoint: e, mailto: email(network), slots: make(semaphore, 1)}
	if c.mailto != "" {
		c.slots = make(semaphore, 3)
	}
	return c, err
}

func (c *crossref) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	if err := c.slots.acquire(ctx); err != nil {
		return nil, err
	}
	defer c.slots.release()
	limit := clamp(q.Limit, 1, maxLimit)
	params := url.Values{"rows": {strconv.Itoa(limit)}, "select": {crossrefFields}}
	if filter := crossrefFilter(doisOf(q)); filter != "" {
		params.Set("filter", filter)
	} else {
		asked, _ := text.Cut(q.Text, maxSearchText)
		params.Set("query.bibliographic", asked)
	}
	if c.mailto != "" {
		params.Set("mailto", c.mailto)
	}
	return c.searchPapers(ctx, "/works", params, limit, &crossrefAnswer{})
}

// crossrefFilter asks for works by their DOIs. A comma separates filters, so that a DOI
// with one cannot be asked for.
func crossrefFilter(dois []string) string {
	var out []string
	for _, doi := range dois {
		if !strings.Contains(doi, ",") {
			out = append(out, "doi:"+doi)
		}
	}
	return strings.Join(out, ",")
}

type crossrefAnswer struct {
	Status  loose `json:"status"`
	Message maybe[struct {
		Items capped[json.RawMessage] `json:"items"`
	}] `json:"message"`
}

// crossrefWork is one entry. Any field may be null, absent or empty.
type crossrefWork struct {
	DOI       loose                `json:"DOI"`
	URL       loose                `json:"URL"`
	Type      loose                `json:"type"`
	Title     maybe[capped[loose]] `json:"title"`
	Container maybe[capped[loose]] `json:"container-title"`
	Publisher loose                `json:"publisher"`
	Abstract  loose                `json:"abstract"` // JATS
	Cited     loose                `json:"is-referenced-by-count"`
	Issued    maybe[dateJSON]      `json:"issued"`
	Authors   maybe[capped[struct {
		Given  loose `json:"given"`
		Family loose `json:"family"`
		Name   loose `json:"name"` // of a group
	}]] `json:"author"`
	Licenses maybe[capped[struct {
		URL loose `json:"URL"`
	}]] `json:"license"`
}

// dateJSON is a list of dates, each of one to three numbers or nulls.
type dateJSON struct {
	Parts capped[capped[loose]] `json:"date-parts"`
}

func (d dateJSON) time() time.Time {
	var n [3]int
	if len(d.Parts) > 0 {
		for i, part := range d.Parts[0][:min(len(d.Parts[0]), len(n))] {
			n[i], _ = strconv.Atoi(string(part)) // null and words are 0
		}
	}
	return day(n[0], n[1], n[2])
}

// papers reads the works in their order.
func (a *crossrefAnswer) papers(base *url.URL) ([]paper, error) {
	if s := string(a.Status); s != "" && s != "ok" {
		return nil, apiError(base.Host, s, 0)
	}
	return readPapers(base, a.Message.v.Items, func(w crossrefWork) paper { return w.paper(base) })
}

func (w *crossrefWork) paper(base *url.URL) paper {
	p := paper{
		title: string(first(w.Title.v)), abstract: string(w.Abstract), doi: doiOf(string(w.DOI)),
		venue:     string(cmp.Or(first(w.Container.v), w.Publisher)),
		published: w.Issued.v.time(),
		more:      []string{"type", string(w.Type), "cited_by", string(w.Cited)},
	}
	p.url = cmp.Or(doiURL(p.doi), webURL(base, string(w.URL)))
	for _, a := range w.Authors.v {
		if name := text.Squash(string(a.Given + " " + a.Family)); name != "" {
			p.authors = append(p.authors, name)
		} else if a.Name != "" {
			p.authors = append(p.authors, strings.TrimSpace(string(a.Name)))
		}
	}
	for _, l := range w.Licenses.v {
		p.license = cmp.Or(p.license, openLicense(string(l.URL)))
	}
	return p
}

// first is the first of a list that is not empty.
func first(list []loose) loose { return cmp.Or(list...) }
