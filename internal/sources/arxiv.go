package sources

import (
	"context"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

func arxivSpec() Spec {
	return Spec{
		Name: "arxiv", About: "abstracts of preprints in physics, mathematics and computer science",
		DefaultURL: "https://export.arxiv.org", DefaultTimeout: defaultTimeout, Lifetime: papersLifetime,
		Rate:    fetch.Rate{PerSecond: 1.0 / 3, Burst: 1}, // its terms of use
		Enabled: true, Kinds: []string{KindScience}, New: newArxiv,
	}
}

// arxivLicense is that of arXiv's metadata, abstracts included. The papers have
// their own licenses.
const arxivLicense = "CC0"

// arxiv searches arXiv's Atom interface.
type arxiv struct {
	endpoint
	slots semaphore // its terms allow one connection
}

func newArxiv(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("arxiv", s, network)
	return &arxiv{endpoint: e, slots: make(semaphore, 1)}, err
}

func (a *arxiv) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, maxLimit)
	params := arxivParams(q, limit)
	if params == nil {
		return []evidence.Document{}, nil
	}
	if err := a.slots.acquire(ctx); err != nil {
		return nil, err
	}
	defer a.slots.release()
	var feed arxivFeed
	resp, err := a.getXML(ctx, a.request("/api/query", params, a.budget()), "application/atom+xml", &feed)
	if err != nil {
		return nil, err
	}
	if params.Has("id_list") && len(feed.Entries) == 0 {
		return []evidence.Document{}, nil // its count is that of the numbers asked for
	}
	found, err := feed.papers(a.base)
	if err != nil {
		return nil, err
	}
	return paperDocuments(a.name, found, limit, resp.Retrieved), nil
}

// arxivParams asks for the papers that the query names, or else for those with its
// words. It is nil for a query without either.
func arxivParams(q evidence.Query, limit int) url.Values {
	params := url.Values{"start": {"0"}, "max_results": {strconv.Itoa(limit)}}
	if ids := arxivIDs(q); len(ids) > 0 {
		params.Set("id_list", strings.Join(ids, ","))
		return params
	}
	terms := arxivTerms(q.Text)
	if terms == "" {
		return nil
	}
	params.Set("search_query", terms)
	params.Set("sortBy", "relevance")
	params.Set("sortOrder", "descending")
	return params
}

// arxivTerms is a query for all of the words, anywhere in a paper's metadata.
func arxivTerms(s string) string {
	words := searchWords(s, maxSearchWords)
	for i, w := range words {
		words[i] = "all:" + w
	}
	return strings.Join(words, " AND ")
}

type arxivFeed struct {
	XMLName xml.Name           `xml:"http://www.w3.org/2005/Atom feed"`
	Total   *string            `xml:"http://a9.com/-/spec/opensearch/1.1/ totalResults"`
	Entries capped[arxivEntry] `xml:"http://www.w3.org/2005/Atom entry"`
}

type arxivEntry struct {
	ID        string `xml:"http://www.w3.org/2005/Atom id"`
	Title     string `xml:"http://www.w3.org/2005/Atom title"`
	Summary   string `xml:"http://www.w3.org/2005/Atom summary"`
	Published string `xml:"http://www.w3.org/2005/Atom published"`
	Authors   capped[struct {
		Name string `xml:"http://www.w3.org/2005/Atom name"`
	}] `xml:"http://www.w3.org/2005/Atom author"`
	Categories capped[struct {
		Term string `xml:"term,attr"`
	}] `xml:"http://www.w3.org/2005/Atom category"`
	DOI     string `xml:"http://arxiv.org/schemas/atom doi"`
	Journal string `xml:"http://arxiv.org/schemas/atom journal_ref"`
	Comment string `xml:"http://arxiv.org/schemas/atom comment"`
}

// failed reports whether the entry is an error in the form of a paper.
func (e *arxivEntry) failed() bool {
	return strings.Contains(e.ID, "/api/errors") || strings.TrimSpace(e.Title) == "Error"
}

// papers reads the entries in their order. A feed without a number of hits, or with
// none of the hits that it counts, is an error.
func (f *arxivFeed) papers(base *url.URL) ([]paper, error) {
	if f.Total == nil {
		return nil, notXML(base.Host)
	}
	if total, _ := strconv.Atoi(strings.TrimSpace(*f.Total)); total > 0 && len(f.Entries) == 0 {
		return nil, &fetch.Error{Kind: fetch.API, Host: base.Host, Detail: "it counted hits and sent none"}
	}
	var out []paper
	for _, e := range f.Entries {
		if e.failed() {
			return nil, &fetch.Error{Kind: fetch.API, Host: base.Host, Detail: "its API reported an error"}
		}
		out = append(out, e.paper(base))
	}
	return out, nil
}

func (e *arxivEntry) paper(base *url.URL) paper {
	p := paper{
		title: escaped(e.Title), abstract: escaped(e.Summary), doi: doiOf(e.DOI), venue: escaped(e.Journal),
		language: "en", license: arxivLicense, // abstracts have to be in English
	}
	p.url, p.revision = arxivURL(base, e.ID)
	p.published = timestamp(loose(strings.TrimSpace(e.Published)))
	for _, a := range e.Authors {
		if name := text.Squash(a.Name); name != "" {
			p.authors = append(p.authors, name)
		}
	}
	var categories []string
	for _, c := range e.Categories {
		categories = append(categories, c.Term)
	}
	p.more = []string{"categories", strings.Join(categories, " "), "comment", e.Comment}
	return p
}

// escaped is plain text on one line, escaped for markup: "a < b" is not a tag.
func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text.Squash(s))
}

var arxivID = text.Pattern(`^https?://(?:[a-z]+\.)?arxiv\.org/abs/([A-Za-z0-9./-]+?)(?:(v[0-9]+))?$`)

// arxivURL is the URL of a paper without its version, and the version.
func arxivURL(base *url.URL, id string) (string, string) {
	id = strings.TrimSpace(id)
	if m := arxivID().FindStringSubmatch(id); m != nil {
		return "https://arxiv.org/abs/" + m[1], m[2]
	}
	return webURL(base, id), ""
}
