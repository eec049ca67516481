package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

const (
	maxEntities     = 10  // a document: each is a line long
	shorterName     = 0.7 // what a thing is worth that only part of the query names, for each word left out
	wikidataTries   = 3   // the query, and shorter beginnings of it
	wikidataLicense = "CC0 1.0"
)

func wikidataSpec() Spec {
	return Spec{
		Name: "wikidata", About: "what the things of a name are, in a line each, from Wikidata",
		DefaultURL: "https://www.wikidata.org", DefaultTimeout: defaultTimeout,
		Rate:    fetch.Rate{PerSecond: wikimediaPerSecond, Burst: burst},
		Enabled: true, Kinds: []string{KindGeneral}, New: newWikidata,
	}
}

// wikidata looks up names. Its search goes by the beginning of a label or an
// alias, so a query of many words finds nothing; then shorter beginnings of it
// are tried.
type wikidata struct {
	endpoint
	language string
}

func newWikidata(s Settings, client *fetch.Network) (Source, error) {
	e, err := newEndpoint(s, client)
	return &wikidata{endpoint: e, language: s.Language}, err
}

func (w *wikidata) Name() string { return "wikidata" }

func (w *wikidata) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit, budget := clamp(q.Limit, 1, maxEntities), fetch.NewBudget(w.timeout)
	language := "en"
	if l := cmp.Or(q.Language, w.language); languageCode().MatchString(l) {
		language = l
	}
	name, worth := cutWords(q.Text, maxSearchText), 1.0
	words := strings.Fields(name)
	for try := 1; ; try++ {
		docs, err := w.look(ctx, budget, name, language, limit)
		for i := range docs {
			docs[i].Score *= worth
		}
		if err != nil || len(docs) > 0 || try == wikidataTries || len(words) < 2 {
			return docs, err
		}
		words = words[:len(words)-1]
		name, worth = strings.Join(words, " "), worth*shorterName
	}
}

// look finds the things of one name.
func (w *wikidata) look(ctx context.Context, budget *fetch.Budget, name, language string, limit int) ([]evidence.Document, error) {
	params := url.Values{
		"action": {"wbsearchentities"}, "format": {"json"}, "formatversion": {"2"}, "errorformat": {"plaintext"}, "maxlag": {"5"},
		"search": {name}, "language": {language}, "uselang": {language}, "type": {"item"},
		"limit": {strconv.Itoa(limit + 2)}, // two more, as some may be no things
	}
	var a wikidataAnswer
	req := fetch.Request{URL: w.base.String() + "/w/api.php?" + params.Encode(), Budget: budget}
	resp, err := w.door.GetJSON(ctx, req, &a)
	if err != nil {
		return nil, err
	}
	if code := a.problem(); code != "" {
		w.door.Invalidate(req)
		return nil, apiError(w.base.Host, code, resp.RetryAfter)
	}
	docs, ok := w.read(&a, language, resp.Retrieved)
	if !ok {
		return nil, w.malformed()
	}
	return docs[:min(len(docs), limit)], nil
}

type wikidataAnswer struct {
	apiHead
	Search few[json.RawMessage] `json:"search"`
}

// wikidataEntity is one that was found. Any field may be null or absent.
type wikidataEntity struct {
	ID          loose      `json:"id"`
	URL         loose      `json:"url"` // without its scheme
	Label       loose      `json:"label"`
	Description loose      `json:"description"`
	Aliases     few[loose] `json:"aliases"` // that matched
	Display     struct {
		Label       wikidataTerm `json:"label"`
		Description wikidataTerm `json:"description"`
	} `json:"display"`
	Match struct {
		Text loose `json:"text"`
	} `json:"match"`
}

// wikidataTerm may be in another language than the one that was asked for.
type wikidataTerm struct {
	Value    loose `json:"value"`
	Language loose `json:"language"`
}

// read makes documents of an answer, best first. It reports false when it is of
// another shape.
func (w *wikidata) read(a *wikidataAnswer, language string, retrieved time.Time) ([]evidence.Document, bool) {
	entities, ok := each[wikidataEntity](a.Search)
	if !ok || a.Search == nil { // a search without hits has an empty list
		return nil, false
	}
	docs, seen := []evidence.Document{}, map[string]bool{}
	for place, e := range entities {
		d := e.document(language)
		d.Source, d.Score = w.Name(), d.Score*rankScore(place)
		d.URL = webURL(w.base, string(e.URL))
		if d.URL == "" && entityID(string(e.ID)) {
			d.URL = w.base.String() + "/wiki/" + string(e.ID)
		}
		if d, ok := finish(d, retrieved); ok && !seen[d.ID] {
			seen[d.ID] = true
			docs = append(docs, d)
		}
	}
	return byScore(docs), true
}

func entityID(s string) bool { return len(s) > 1 && s[0] == 'Q' && numeric().MatchString(s[1:]) }

// document is an entity before it is cleaned. Its score is 1, or less for one
// that does not say what it is. It has no text when it is a page and no thing.
func (e wikidataEntity) document(language string) evidence.Document {
	label := string(cmp.Or(e.Label, e.Display.Label.Value, e.Match.Text))
	about := string(cmp.Or(e.Description, e.Display.Description.Value))
	d := evidence.Document{Title: label, License: wikidataLicense, Score: 1, Language: string(cmp.Or(e.Display.Description.Language, loose(language)))}
	if label == "" || strings.HasPrefix(about, "Wikimedia ") { // disambiguation pages, categories, lists
		return d
	}
	d.Text = label + ": " + about + "."
	if about == "" {
		d.Text, d.Score = label+" ("+string(e.ID)+").", bareTitle
	}
	names := []string{}
	for _, a := range append(e.Aliases, e.Match.Text) {
		if name := string(a); name != "" && name != label && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		d.Text += " Also known as " + strings.Join(names, ", ") + "."
	}
	d.Meta = meta("wikidata", string(e.ID), "description", about)
	return d
}
