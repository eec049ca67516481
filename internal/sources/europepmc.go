package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func europePMCSpec() Spec {
	return Spec{
		Name: "europepmc", About: "abstracts of papers and preprints in medicine and the life sciences",
		DefaultURL: "https://www.ebi.ac.uk/europepmc/webservices/rest", DefaultTimeout: defaultTimeout, Lifetime: papersLifetime,
		Rate:    fetch.Rate{PerSecond: 1, Burst: 3}, // no figure is published
		Enabled: true, Kinds: []string{KindMedicine, KindScience}, New: newEuropePMC,
	}
}

// europePMCArticle is the prefix of an article's web page.
const europePMCArticle = "https://europepmc.org/article/"

// europePMC searches Europe PMC.
type europePMC struct{ endpoint }

func newEuropePMC(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("europepmc", s, network)
	return &europePMC{e}, err
}

func (e *europePMC) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	words := searchWords(q.Text, maxSearchWords) // every one has to match
	if dois := doisOf(q); len(dois) > 0 {
		words = []string{`DOI:"` + strings.Join(dois, `" OR DOI:"`) + `"`}
	}
	if len(words) == 0 {
		return []evidence.Document{}, nil
	}
	limit := clamp(q.Limit, 1, maxLimit)
	params := url.Values{
		"query": {strings.Join(words, " ")}, "format": {"json"}, "pageSize": {strconv.Itoa(limit)},
		"resultType": {"core"}, // others come without abstracts
	}
	return e.searchPapers(ctx, "/search", params, limit, &europePMCAnswer{})
}

type europePMCAnswer struct {
	Error loose `json:"errCode"`
	List  maybe[struct {
		Results capped[json.RawMessage] `json:"result"`
	}] `json:"resultList"`
}

// europePMCResult is one article. Any field may be null or absent.
type europePMCResult struct {
	ID       loose `json:"id"`
	Source   loose `json:"source"` // MED, PMC, PPR for preprints, …
	PMID     loose `json:"pmid"`
	DOI      loose `json:"doi"`
	Title    loose `json:"title"`        // HTML
	Abstract loose `json:"abstractText"` // HTML
	Authors  loose `json:"authorString"`
	Journal  maybe[struct {
		Journal struct {
			Title loose `json:"title"`
		} `json:"journal"`
	}] `json:"journalInfo"`
	Types maybe[struct {
		Type capped[loose] `json:"pubType"`
	}] `json:"pubTypeList"`
	Language  loose `json:"language"`
	License   loose `json:"license"`
	Year      loose `json:"pubYear"`
	Published loose `json:"firstPublicationDate"`
	Cited     loose `json:"citedByCount"`
}

// papers reads the results in their order.
func (a *europePMCAnswer) papers(base *url.URL) ([]paper, error) {
	if a.Error != "" {
		return nil, apiError(base.Host, string(a.Error), 0)
	}
	return readPapers(base, a.List.v.Results, func(r europePMCResult) paper { return r.paper() })
}

func (r *europePMCResult) paper() paper {
	p := paper{
		title: string(r.Title), abstract: string(r.Abstract), doi: doiOf(string(r.DOI)), venue: string(r.Journal.v.Journal.Title),
		language: string(r.Language), license: string(r.License), published: dateOf(string(r.Published)),
		retracted: slices.ContainsFunc(r.Types.v.Type, func(t loose) bool { return strings.EqualFold(string(t), "Retracted Publication") }),
		more:      []string{"pmid", string(r.PMID), "cited_by", string(r.Cited)},
	}
	if names := strings.TrimRight(string(r.Authors), ". "); names != "" {
		p.authors = strings.Split(names, ", ")
	}
	if year, err := strconv.Atoi(string(r.Year)); err == nil && p.published.IsZero() {
		p.published = day(year, 0, 0)
	}
	if r.Source != "" && r.ID != "" {
		p.url = europePMCArticle + url.PathEscape(string(r.Source)) + "/" + url.PathEscape(string(r.ID))
	}
	p.url = cmp.Or(p.url, doiURL(p.doi))
	return p
}
