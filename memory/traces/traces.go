package traces

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Traces is what tells that a stored answer knew a forgotten document.
type Traces struct {
	ids, urls, titles, words map[string]bool
}

// New returns the traces of nothing.
func New() Traces {
	return Traces{ids: map[string]bool{}, urls: map[string]bool{}, titles: map[string]bool{}, words: map[string]bool{}}
}

// Add adds those of a document.
func (t Traces) Add(uid string, d evidence.Document, body string) {
	t.ids[uid] = true
	if d.URL != "" {
		t.urls[d.URL] = true
	}
	if d.Title != "" {
		t.titles[d.Title] = true
	}
	for _, w := range Words(d.Title + " " + d.URL + " " + body) {
		t.words[w] = true
	}
}

// Cited reports whether an answer cites one of the documents.
func (t Traces) Cited(a evidence.Answer) bool {
	return slices.ContainsFunc(a.Citations, func(c evidence.Citation) bool { return t.ids[c.DocumentID] })
}

// Knows reports whether an answer names one of the documents.
func (t Traces) Knows(a evidence.Answer) bool {
	return slices.ContainsFunc(a.Evidence, t.passage) || slices.ContainsFunc(a.Analysis.TopDocuments, t.topDocument)
}

func (t Traces) passage(p evidence.RankedPassage) bool {
	return t.ids[p.DocumentID] || p.DocumentID == "" && t.urls[p.URL]
}

func (t Traces) topDocument(d evidence.TopDocument) bool {
	return t.urls[d.URL] || d.URL == "" && t.titles[d.Title]
}

// Scrub removes the documents from an answer that does not rest on them: their
// passages, titles and addresses, and from keywords and topics their words, unless
// the question has them.
func (t Traces) Scrub(a *evidence.Answer) {
	asked := map[string]bool{}
	for _, w := range Words(a.Question) {
		asked[w] = true
	}
	theirs := func(s string) bool {
		return slices.ContainsFunc(Words(s), func(w string) bool { return t.words[w] && !asked[w] })
	}
	a.Evidence = slices.DeleteFunc(a.Evidence, t.passage)
	a.Analysis.TopDocuments = slices.DeleteFunc(a.Analysis.TopDocuments, t.topDocument)
	a.Analysis.Keywords = slices.DeleteFunc(a.Analysis.Keywords, func(k evidence.TermCount) bool { return theirs(k.Term) })
	a.Topics = slices.DeleteFunc(a.Topics, theirs)
	a.Warnings = slices.DeleteFunc(a.Warnings, t.named)
	for i := range a.Sources {
		if t.named(a.Sources[i].Err) {
			a.Sources[i].Err = ""
		}
	}
}

// named reports whether s has an id, address or title of the documents.
func (t Traces) named(s string) bool {
	for _, all := range []map[string]bool{t.ids, t.urls, t.titles} {
		for name := range all {
			if len(name) >= minNamed && strings.Contains(s, name) {
				return true
			}
		}
	}
	return false
}

// minNamed is the shortest title that is searched for in messages: a shorter one
// is part of other words.
const minNamed = 5

// AddID adds a document of which nothing but the id is known.
func (t Traces) AddID(uid string) { t.ids[uid] = true }

// ScrubUnder removes from an answer that is about to be stored what it knows of
// documents that were forgotten while it was made, and returns the others of used.
func ScrubUnder(run *evidence.Answer, used []string, forgotten func(id string) (bool, error)) (*evidence.Answer, []string, error) {
	gone, left := New(), used[:0:0]
	for _, id := range used {
		was, err := forgotten(id)
		if err != nil {
			return nil, nil, err
		}
		if !was {
			left = append(left, id)
			continue
		}
		gone.AddID(id)
		for _, p := range run.Evidence {
			if p.DocumentID == id {
				gone.Add(id, evidence.Document{Title: p.Title, URL: p.URL}, p.Text)
			}
		}
	}
	if len(gone.ids) == 0 {
		return run, used, nil
	}
	clean := *run // the caller keeps its answer as it is
	clean.Evidence, clean.Topics, clean.Warnings, clean.Sources = slices.Clone(clean.Evidence), slices.Clone(clean.Topics), slices.Clone(clean.Warnings), slices.Clone(clean.Sources)
	// What is not among the passages is known by its id alone: the statistics may have more of it.
	clean.Analysis.Keywords, clean.Analysis.TopDocuments = nil, nil
	gone.Scrub(&clean)
	clean.Analysis.Keywords, clean.Analysis.TopDocuments = []evidence.TermCount{}, []evidence.TopDocument{}
	return &clean, left, nil
}
