package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// pubmedRate is the rate that NCBI allows with a key, unless another was set.
func pubmedRate(set fetch.Rate, key string) fetch.Rate {
	if key != "" && set == pubmedSpec().Rate {
		return fetch.Rate{PerSecond: 10, Burst: 10}
	}
	return set
}

func pubmedSpec() Spec {
	return Spec{
		Name: "pubmed", About: "abstracts of the medical literature; europepmc has them too",
		DefaultURL: "https://eutils.ncbi.nlm.nih.gov/entrez/eutils", DefaultTimeout: defaultTimeout, Lifetime: papersLifetime,
		Rate: fetch.Rate{PerSecond: 3, Burst: 3}, Kinds: []string{KindMedicine}, New: newPubMed,
		Options: []Option{{Name: "key", About: "API key, free at ncbi.nlm.nih.gov: ten requests a second instead of three", Secret: true}},
	}
}

// pubmedArticle is the prefix of an article's web page.
const pubmedArticle = "https://pubmed.ncbi.nlm.nih.gov/"

// pubmed searches PubMed and then reads the articles: a search returns only their
// ids.
type pubmed struct {
	endpoint
	key   string
	email string
}

func newPubMed(s Settings, network *fetch.Network) (Source, error) {
	key := s.Options["key"]
	s.Rate = pubmedRate(s.Rate, key)
	e, err := newEndpoint("pubmed", s, network)
	return &pubmed{endpoint: e, key: key, email: email(network)}, err
}

func (p *pubmed) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	words := searchWords(q.Text, maxSearchWords) // every one has to match
	if dois := doisOf(q); len(dois) > 0 {
		words = []string{`"` + strings.Join(dois, `"[doi] OR "`) + `"[doi]`}
	}
	if len(words) == 0 {
		return []evidence.Document{}, nil
	}
	limit := clamp(q.Limit, 1, maxLimit)
	budget := p.budget() // for both requests together
	search := p.identified("/esearch.fcgi", budget, url.Values{
		"term": {strings.Join(words, " ")}, "retmax": {strconv.Itoa(limit)}, "retmode": {"json"}, "sort": {"relevance"},
	})
	var a pubmedAnswer
	if _, err := p.client.GetJSON(ctx, search, &a); err != nil {
		return nil, err
	}
	ids, err := a.ids(p.base)
	if err != nil {
		p.client.Invalidate(search)
		return nil, err
	}
	if len(ids) == 0 {
		return []evidence.Document{}, nil
	}
	ids = ids[:min(len(ids), limit)]
	read := p.identified("/efetch.fcgi", budget, url.Values{"id": {strings.Join(ids, ",")}, "retmode": {"xml"}})
	var set pubmedSet
	resp, err := p.getXML(ctx, read, "text/xml", &set)
	if err != nil {
		return nil, err
	}
	found, err := set.papers(p.base, ids)
	if err != nil {
		return nil, err
	}
	return paperDocuments(p.name, found, limit, resp.Retrieved), nil
}

// identified is a request with the tool's name, the contact and the key. NCBI reads
// the key only from the URL; errors show no more of a URL than its host.
func (p *pubmed) identified(path string, budget *fetch.Budget, params url.Values) fetch.Request {
	params.Set("db", "pubmed")
	params.Set("tool", "research-mcp")
	if p.email != "" {
		params.Set("email", p.email)
	}
	if p.key != "" {
		params.Set("api_key", p.key)
	}
	return p.request(path, params, budget)
}

type pubmedAnswer struct {
	Error  loose `json:"error"`
	Result maybe[struct {
		Error loose                   `json:"ERROR"`
		IDs   capped[json.RawMessage] `json:"idlist"`
	}] `json:"esearchresult"`
}

var pubmedID = text.Pattern(`^[0-9]{1,10}$`)

// ids are those of the articles found, best first.
func (a *pubmedAnswer) ids(base *url.URL) ([]string, error) {
	switch problem := strings.ToLower(string(cmp.Or(a.Error, a.Result.v.Error))); {
	case strings.Contains(problem, "rate limit"):
		return nil, apiError(base.Host, "ratelimited", 0)
	case problem != "":
		return nil, apiError(base.Host, "", 0)
	case a.Result.v.IDs == nil:
		return nil, malformed(base)
	}
	var out []string
	for _, raw := range a.Result.v.IDs {
		var id loose
		_ = id.UnmarshalJSON(raw) // never fails
		if pubmedID().MatchString(string(id)) {
			out = append(out, string(id))
		}
	}
	if len(out) == 0 && len(a.Result.v.IDs) > 0 {
		return nil, malformed(base)
	}
	return out, nil
}

type pubmedSet struct {
	XMLName  xml.Name             `xml:"PubmedArticleSet"`
	Articles capped[pubmedRecord] `xml:"PubmedArticle>MedlineCitation"`
	Books    capped[pubmedRecord] `xml:"PubmedBookArticle>BookDocument"`
}

// pubmedRecord is an article, or a chapter, whose fields are one level higher.
type pubmedRecord struct {
	PMID    string        `xml:"PMID"`
	Article pubmedContent `xml:"Article"`
	pubmedContent
}

type pubmedContent struct {
	Title   innerMarkup `xml:"ArticleTitle"`
	Journal struct {
		Title string     `xml:"Title"`
		Date  pubmedDate `xml:"JournalIssue>PubDate"`
	} `xml:"Journal"`
	Book struct {
		Title innerMarkup `xml:"BookTitle"`
		Date  pubmedDate  `xml:"PubDate"`
	} `xml:"Book"`
	Online   pubmedDate         `xml:"ArticleDate"`
	Sections capped[pubmedPart] `xml:"Abstract>AbstractText"`
	Rights   string             `xml:"Abstract>CopyrightInformation"`
	Authors  capped[struct {
		Last  string `xml:"LastName"`
		Fore  string `xml:"ForeName"`
		Group string `xml:"CollectiveName"`
	}] `xml:"AuthorList>Author"`
	Languages capped[string] `xml:"Language"`
	Types     capped[string] `xml:"PublicationTypeList>PublicationType"`
	Places    capped[struct {
		Type  string `xml:"EIdType,attr"`
		Value string `xml:",chardata"`
	}] `xml:"ELocationID"`
}

type pubmedDate struct {
	Year   string `xml:"Year"`
	Month  string `xml:"Month"` // Jan or 01
	Day    string `xml:"Day"`
	Season string `xml:"MedlineDate"` // 2025 Nov-Dec
}

// pubmedPart is a part of an abstract, such as METHODS.
type pubmedPart struct {
	label string
	text  innerMarkup
}

// UnmarshalXML reads to the element's end.
func (p *pubmedPart) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	for _, a := range start.Attr {
		if a.Name.Local == "Label" {
			p.label = a.Value
		}
	}
	return p.text.UnmarshalXML(d, start)
}

// papers returns the articles that were asked for, in the order of ids.
func (s *pubmedSet) papers(base *url.URL, ids []string) ([]paper, error) {
	byID := map[string]paper{}
	for _, r := range slices.Concat(s.Articles, s.Books) {
		byID[strings.TrimSpace(r.PMID)] = r.paper()
	}
	var out []paper
	for _, id := range ids {
		if p, ok := byID[id]; ok {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, notXML(base.Host)
	}
	return out, nil
}

func (r *pubmedRecord) paper() paper {
	c := &r.Article
	if c.Title == "" {
		c = &r.pubmedContent
	}
	id := strings.TrimSpace(r.PMID)
	p := paper{
		title: string(c.Title), venue: cmp.Or(escaped(c.Journal.Title), string(c.Book.Title)), url: pubmedArticle + id + "/",
		retracted: slices.Contains(c.Types, "Retracted Publication"),
		more:      []string{"pmid", id, "rights", c.Rights},
	}
	p.published = c.Online.time()
	for _, d := range []pubmedDate{c.Journal.Date, c.Book.Date} {
		if p.published.IsZero() {
			p.published = d.time()
		}
	}
	if len(c.Languages) > 0 {
		p.language = c.Languages[0]
	}
	for _, l := range c.Places {
		if l.Type == "doi" {
			p.doi = cmp.Or(p.doi, doiOf(l.Value))
		}
	}
	for _, a := range c.Authors {
		if name := cmp.Or(text.Squash(a.Fore+" "+a.Last), text.Squash(a.Group)); name != "" {
			p.authors = append(p.authors, name)
		}
	}
	p.abstract = c.abstract()
	return p
}

// abstract is its parts as paragraphs, each under its label.
func (c *pubmedContent) abstract() string {
	var out []string
	for _, part := range c.Sections {
		body := string(part.text)
		if body == "" {
			continue
		}
		if label := escaped(part.label); label != "" {
			body = label + ": " + body
		}
		out = append(out, "<p>"+body+"</p>")
	}
	return strings.Join(out, "")
}

// time is zero when the year cannot be read.
func (d pubmedDate) time() time.Time {
	year, month, _ := strings.Cut(strings.TrimSpace(d.Season), " ")
	y, _ := strconv.Atoi(strings.TrimSpace(cmp.Or(d.Year, year)))
	month, _, _ = strings.Cut(strings.TrimSpace(cmp.Or(d.Month, month)), "-")
	m, err := strconv.Atoi(month)
	if at, bad := time.Parse("Jan", month); err != nil && bad == nil {
		m = int(at.Month())
	}
	n, _ := strconv.Atoi(strings.TrimSpace(d.Day))
	return day(y, m, n)
}
