package research

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Limits of what an Analysis lists.
const (
	maxKeywords     = 12
	maxTopDocuments = 5
)

// Analyse computes the statistics of what was read. A document's relevance is the
// one in in.Relevance, or else the source's own score. The result does not depend
// on the order of the documents; its slices and maps are never nil.
func Analyse(in evidence.AnalysisInput) evidence.Analysis {
	out := evidence.Analysis{
		Status:       evidence.StatusOK,
		Documents:    len(in.Documents),
		BySource:     map[string]int{},
		Keywords:     topKeywords(in.Documents),
		TopDocuments: []evidence.TopDocument{},
	}
	sum := 0.0
	for _, d := range in.Documents {
		out.BySource[d.Source]++
		score := documentRelevance(in, d)
		out.TopDocuments = append(out.TopDocuments, evidence.TopDocument{Title: d.Title, URL: d.URL, Source: d.Source, Score: score})
	}
	slices.SortFunc(out.TopDocuments, bestFirst)
	for _, d := range out.TopDocuments { // in their final order: floating-point sums depend on it
		sum += d.Score
	}
	if len(in.Documents) > 0 {
		out.MeanRelevance = sum / float64(len(in.Documents))
	}
	out.TopDocuments = slices.Clip(out.TopDocuments[:min(maxTopDocuments, len(out.TopDocuments))])
	return out
}

func documentRelevance(in evidence.AnalysisInput, d evidence.Document) float64 {
	if r, known := in.Relevance[d.ID]; known {
		return r
	}
	return d.Score
}

func bestFirst(a, b evidence.TopDocument) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Title, b.Title),
		cmp.Compare(a.Source, b.Source), cmp.Compare(a.URL, b.URL))
}

// stemCount is a stem, how often it occurs, and in which written forms.
type stemCount struct {
	count int
	forms map[string]int
}

// topKeywords returns the most frequent stems of titles and texts, each in its
// most frequent form.
func topKeywords(docs []evidence.Document) []evidence.TermCount {
	terms := map[string]*stemCount{}
	for _, d := range docs {
		for _, s := range []string{d.Title, d.Text} {
			countTerms(terms, s)
		}
	}
	out := make([]evidence.TermCount, 0, len(terms))
	for _, t := range terms {
		out = append(out, evidence.TermCount{Term: t.form(), Count: t.count})
	}
	slices.SortFunc(out, func(a, b evidence.TermCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Term, b.Term))
	})
	return slices.Clip(out[:min(maxKeywords, len(out))])
}

func countTerms(terms map[string]*stemCount, s string) {
	for _, tok := range text.Tokenize(s) {
		if tok.Stop || !isKeyword(tok.Word) {
			continue
		}
		t := terms[tok.Term]
		if t == nil {
			t = &stemCount{forms: map[string]int{}}
			terms[tok.Term] = t
		}
		t.count++
		t.forms[surfaceForm(s[tok.Start:tok.End])]++
	}
}

// isKeyword rejects numbers and single letters. A single ideograph is a word.
func isKeyword(w string) bool {
	if !strings.ContainsFunc(w, unicode.IsLetter) {
		return false
	}
	r, n := utf8.DecodeRuneInString(w)
	return n < len(w) || unicode.Is(unicode.Han, r)
}

// surfaceForm returns a word as it is written, except for the case of ordinary
// words: "Attention" becomes "attention", GPT remains GPT.
func surfaceForm(w string) string {
	for _, possessive := range []string{"'s", "’s"} {
		w = strings.TrimSuffix(w, possessive)
	}
	_, first := utf8.DecodeRuneInString(w)
	if rest := w[first:]; rest != strings.ToLower(rest) {
		return w
	}
	return strings.ToLower(w)
}

// form returns the most frequent form, of equals the alphabetically first.
func (t *stemCount) form() string {
	best := ""
	for f, n := range t.forms {
		if best == "" || n > t.forms[best] || n == t.forms[best] && f < best {
			best = f
		}
	}
	return best
}
