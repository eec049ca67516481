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
	maxEntities     = 10  // of one search
	shorterName     = 0.7 // factor of the score for each word of the query that was left out
	wikidataTries   = 3   // the query, and shorter prefixes of it
	wikidataLicense = "CC0 1.0"
)

func wikidataSpec() Spec {
	return Spec{
		Name: "wikidata", About: "one-line descriptions of people, places and things by name, from Wikidata",
		DefaultURL: "https://www.wikidata.org", DefaultTimeout: defaultTimeout,
		Rate: wikimediaRate, Enabled: true, Kinds: []string{KindGeneral}, New: newWikidata,
	}
}

// wikidata looks up names. Its search matches the beginning of a label or alias, so
// a query of many words finds nothing; then shorter prefixes of it are tried.
type wikidata struct {
	endpoint
	language string
}

func newWikidata(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("wikidata", s, network)
	return &wikidata{endpoint: e, language: s.Language}, err
}

func (w *wikidata) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit, budget := clamp(q.Limit, 1, maxEntities), w.budget()
	language := "en"
	if l := cmp.Or(q.Language, w.language); languageCode().MatchString(l) {
		language = l
	}
	name, factor := cutWords(q.Text, maxSearchText), 1.0
	words := strings.Fields(name)
	for try := 1; ; try++ {
		docs, err := w.searchName(ctx, budget, name, language, limit)
		for i := range docs {
			docs[i].Score *= factor
		}
		if err != nil || len(docs) > 0 || try == wikidataTries || len(words) < 2 {
			return docs, err
		}
		words = words[:len(words)-1]
		name, factor = strings.Join(words, " "), factor*shorterName
	}
}

// searchName finds the entities whose label or alias begins with name.
func (w *wikidata) searchName(ctx context.Context, budget *fetch.Budget, name, language string, limit int) ([]evidence.Document, error) {
	params := url.Values{
		"action": {"wbsearchentities"}, "format": {"json"}, "formatversion": {"2"}, "errorformat": {"plaintext"}, "maxlag": {"5"},
		"search": {name}, "language": {language}, "uselang": {language}, "type": {"item"},
		"limit": {strconv.Itoa(limit + 2)}, // two more, as some may be pages of Wikimedia's own
	}
	var a wikidataAnswer
	req := w.request("/w/api.php", params, budget)
	resp, err := w.client.GetJSON(ctx, req, &a)
	if err != nil {
		return nil, err
	}
	if code := a.problem(); code != "" {
		w.client.Invalidate(req)
		return nil, apiError(w.base.Host, code, resp.RetryAfter)
	}
	docs, ok := w.read(&a, language, limit, resp.Retrieved)
	if !ok {
		return nil, w.malformed()
	}
	return docs, nil
}

type wikidataAnswer struct {
	apiHead
	Search capped[json.RawMessage] `json:"search"`
}

// wikidataEntity is a hit. Any field may be null or absent.
type wikidataEntity struct {
	ID          loose         `json:"id"`
	URL         loose         `json:"url"` // without its scheme
	Label       loose         `json:"label"`
	Description loose         `json:"description"`
	Aliases     capped[loose] `json:"aliases"` // that matched
	Display     struct {
		Label       wikidataTerm `json:"label"`
		Description wikidataTerm `json:"description"`
	} `json:"display"`
	Match struct {
		Text loose `json:"text"`
	} `json:"match"`
}

// wikidataTerm may be in another language than the query's.
type wikidataTerm struct {
	Value    loose `json:"value"`
	Language loose `json:"language"`
}

// read makes documents of an answer, best first. It reports false when the
// answer is of another shape.
func (w *wikidata) read(a *wikidataAnswer, language string, limit int, retrieved time.Time) ([]evidence.Document, bool) {
	entities, ok := decodeHits[wikidataEntity](a.Search)
	if !ok {
		return nil, false
	}
	return collect(w.name, entities, retrieved, limit, func(e wikidataEntity) evidence.Document {
		d := e.document(language)
		d.URL = webURL(w.base, string(e.URL))
		if d.URL == "" && entityID(string(e.ID)) {
			d.URL = w.base.String() + "/wiki/" + string(e.ID)
		}
		return d
	}), true
}

func entityID(s string) bool { return len(s) > 1 && s[0] == 'Q' && numeric().MatchString(s[1:]) }

// document is an entity before it is finished. Its score is 1, or less for one
// without a description. It has no text for a page of Wikimedia's own.
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
