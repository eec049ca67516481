package research

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Thresholds of a verdict: the share of a sentence's weighty words that the
// quoted span has too.
const (
	supportedShare = 0.65
	weakShare      = 0.4
	maxProofs      = 3 // citations of one sentence
	quoteSentences = 2 // most sentences of one quote
)

// proof is a span that supports a sentence.
type proof struct {
	evidence int           // index into the verifier's evidence
	span     evidence.Span // of the document's text
	share    float64
	missing  []string // numbers and names of the sentence that the span lacks
	negated  bool     // one of the two is a negation and the other is not
}

// checked is a sentence with its verdict.
type checked struct {
	text    string
	block   bool // the text is Markdown whose line breaks count
	proofs  []proof
	verdict string
	why     string
}

// verifier compares sentences with passages, without a model.
type verifier struct {
	evidence []evidence.Evidence
	windows  [][]window // of each passage
	idf      *text.BM25
}

// words are the words of a piece of text.
type words struct {
	terms map[string]bool // stems
	hard  map[string]bool // unstemmed: names and numbers
}

func wordsOf(s string) words {
	w := words{terms: map[string]bool{}, hard: map[string]bool{}}
	for _, t := range text.Tokenize(s) {
		w.terms[t.Term], w.hard[normal(t.Word)] = true, true
	}
	return w
}

// window is one or two neighbouring sentences of a passage, together with the
// document's title, which is often what "it" and "the model" refer to.
type window struct {
	span  evidence.Span // of the document's text
	parts []words
	deny  bool
}

func (w window) hasTerm(t string) bool {
	return slices.ContainsFunc(w.parts, func(p words) bool { return p.terms[t] })
}

func (w window) hasHard(h string) bool {
	return slices.ContainsFunc(w.parts, func(p words) bool { return p.hard[h] })
}

func newVerifier(ranked []evidence.Evidence) *verifier {
	v := &verifier{evidence: ranked}
	var all [][]string
	for _, e := range ranked {
		all = append(all, text.Terms(e.Passage.Text))
		v.windows = append(v.windows, windowsOf(e))
	}
	v.idf = text.NewBM25(all)
	return v
}

func windowsOf(e evidence.Evidence) []window {
	spans := text.Sentences(e.Passage.Text)
	title := wordsOf(e.Document.Title)
	parts, deny := make([]words, len(spans)), make([]bool, len(spans))
	for i, sp := range spans {
		sentence := e.Passage.Text[sp.Start:sp.End]
		parts[i], deny[i] = wordsOf(sentence), denies(sentence)
	}
	var out []window
	for i := range spans {
		w := window{span: evidence.Span{Start: e.Passage.Start + spans[i].Start}, parts: []words{title}}
		for j := i; j < min(len(spans), i+quoteSentences); j++ {
			w.span.End = e.Passage.Start + spans[j].End
			w.parts = append(slices.Clone(w.parts), parts[j])
			w.deny = w.deny || deny[j]
			out = append(out, w)
		}
	}
	return out
}

// check gives each sentence of the draft its verdict.
func (v *verifier) check(draft evidence.Draft) []checked {
	var out []checked
	for _, s := range draft.Sentences {
		if strings.TrimSpace(s.Text) == "" {
			continue
		}
		if len(s.Quotes) > 0 {
			out = append(out, v.checkQuote(s))
		} else {
			out = append(out, v.checkProse(s))
		}
	}
	return out
}

// checkQuote accepts a sentence that is verbatim at one of its quotes.
func (v *verifier) checkQuote(s evidence.Sentence) checked {
	c := checked{text: s.Text, block: s.Block, verdict: evidence.Supported}
	for i, sp := range s.Quotes {
		if i >= len(s.Marks) || s.Marks[i] < 1 || s.Marks[i] > len(v.evidence) {
			continue
		}
		doc := v.evidence[s.Marks[i]-1].Document
		if sp.Start >= 0 && sp.Start < sp.End && sp.End <= len(doc.Text) && doc.Text[sp.Start:sp.End] == s.Text {
			c.proofs = append(c.proofs, proof{evidence: s.Marks[i] - 1, span: sp, share: 1})
		}
	}
	if len(c.proofs) == 0 {
		return v.checkProse(evidence.Sentence{Text: s.Text, Marks: s.Marks})
	}
	return c
}

// checkProse looks for spans that support a written sentence: first in the
// passages that it cites, then, unless those support it, in all others.
func (v *verifier) checkProse(s evidence.Sentence) checked {
	c := checked{text: s.Text}
	claim := newClaim(s.Text)
	cited := slices.DeleteFunc(slices.Clone(s.Marks), func(m int) bool { return m < 1 || m > len(v.evidence) })
	for _, m := range cited {
		if p, ok := v.best(claim, m-1); ok {
			c.proofs = append(c.proofs, p)
		}
	}
	c.settle()
	if c.verdict == evidence.Supported {
		return c
	}
	others := checked{text: s.Text}
	for i := range v.evidence {
		if p, ok := v.best(claim, i); ok && !slices.Contains(cited, i+1) {
			others.proofs = append(others.proofs, p)
		}
	}
	others.settle()
	if others.verdict == evidence.Supported || c.verdict == evidence.Unsupported && others.verdict == evidence.Weak {
		if len(cited) > 0 {
			others.why = "the passage that was cited does not say it; this one does"
		}
		return others
	}
	return c
}

// claim is a written sentence, prepared for comparison.
type claim struct {
	terms []string // distinct, without stop words
	hard  []string // numbers and names, which must be in the quote
	deny  bool
}

func newClaim(s string) claim {
	c := claim{terms: text.QueryTerms(s), deny: denies(s)}
	for i, t := range text.Tokenize(s) {
		first, _ := firstRune(s[t.Start:])
		name := unicode.IsUpper(first) && i > 0 && !t.Stop
		if (name || hasDigit(t.Word)) && !slices.Contains(c.hard, normal(t.Word)) {
			c.hard = append(c.hard, normal(t.Word))
		}
	}
	return c
}

// best returns the window of passage i with the largest share of the claim's
// words; of two equal ones the shorter.
func (v *verifier) best(c claim, i int) (proof, bool) {
	out := proof{evidence: i, share: -1}
	for _, w := range v.windows[i] {
		have, all := 0.0, 0.0
		for _, t := range c.terms {
			weight := v.idf.IDF(t)
			all += weight
			if w.hasTerm(t) {
				have += weight
			}
		}
		if all == 0 {
			return out, false
		}
		var missing []string
		for _, h := range c.hard {
			if !w.hasHard(h) {
				missing = append(missing, h)
			}
		}
		share := have / all
		if share > out.share+0.001 && len(missing) <= len(out.missing) || out.share < 0 || len(missing) < len(out.missing) && share >= weakShare {
			out = proof{evidence: i, span: w.span, share: share, missing: missing, negated: w.deny != c.deny}
		}
	}
	return out, out.share >= weakShare
}

// settle keeps the strongest proofs and sets the verdict by the first.
func (c *checked) settle() {
	slices.SortStableFunc(c.proofs, func(a, b proof) int {
		if len(a.missing) != len(b.missing) {
			return len(a.missing) - len(b.missing)
		}
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	if len(c.proofs) == 0 {
		c.verdict, c.why = evidence.Unsupported, "no passage that was read says it"
		return
	}
	p := c.proofs[0]
	switch {
	case len(p.missing) > 0:
		c.verdict, c.why = evidence.Unsupported, "the nearest passage does not have: "+strings.Join(p.missing, ", ")
	case p.negated:
		c.verdict, c.why = evidence.Weak, "only one of claim and quote is negated"
	case p.share >= supportedShare:
		c.verdict = evidence.Supported
	default:
		c.verdict, c.why = evidence.Weak, fmt.Sprintf("the quote has %.0f %% of the sentence's words", 100*p.share)
	}
	keep := 1
	for keep < len(c.proofs) && keep < maxProofs && len(c.proofs[keep].missing) == 0 && c.proofs[keep].share >= supportedShare {
		keep++
	}
	c.proofs = c.proofs[:keep]
}

// normal makes numbers comparable: 1,000 and 1000 are one.
func normal(word string) string {
	if hasDigit(word) {
		return strings.ReplaceAll(word, ",", "")
	}
	return word
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

func firstRune(s string) (rune, bool) {
	for _, r := range s {
		return r, true
	}
	return 0, false
}

// denials are the words that negate a statement.
var denials = []string{"not", "no", "never", "neither", "nor", "without", "cannot", "none", "nobody"}

func denies(s string) bool {
	for _, t := range text.Tokenize(s) {
		if slices.Contains(denials, t.Word) || strings.HasSuffix(t.Word, "n't") {
			return true
		}
	}
	return false
}
