// Package proof judges whether a passage says what a sentence says. A sentence
// that differs from the passage in a number, a name, a negation, an opposite, the
// order of roles or of time, or in how much or how certain it is, is not supported.
package proof

import (
	stdctx "context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Thresholds of a verdict. Share is that of a sentence's words, by weight, that the
// span has, too; cosine is the encoder's.
const (
	supportedShare  = 0.6
	supportedCosine = 0.5
	softShare       = 0.33
	weakShare       = 0.4
	weakCosine      = 0.45
	maxProofs       = 3  // citations of one sentence
	maxRead         = 16 // windows of which one sentence is compared with the vectors
	judged          = 6  // windows that the rules read
)

// Bounds of a sentence that tells what its source does not: the share of its words
// that the source has is small, though it is about the same.
const (
	inventedShare  = 0.3
	inventedCosine = 0.5
	inventedWords  = 3
	shortClaim     = 3 // words of content up to which each must be in the source
)

// Proof is a span of a document that was compared with a sentence.
type Proof struct {
	Evidence int           // index into the evidence of New
	Span     evidence.Span // of the document's text
	Score    float64       // compares proofs of one sentence
}

// Result is the verdict on a sentence.
type Result struct {
	Verdict string // evidence.Supported, Weak or Unsupported
	Why     string // empty when supported
	Proofs  []Proof
}

// Checker compares sentences with passages. It is not safe for concurrent use.
type Checker struct {
	evidence []evidence.Evidence
	windows  []*window
	encoder  models.Embedder
	vectors  map[string][]float32 // of words and windows
	known    map[string]bool      // stems of all windows
}

// window is one sentence of a passage or two neighbouring ones.
type window struct {
	evidence int
	span     evidence.Span
	body     string
	terms    map[string]bool
	nearby   string // title and headings, and the sentence before
	after    string // the sentence behind it
	single   bool   // it is one sentence

	parsed  *statement
	context context
}

// New prepares the evidence. encoder may be nil: then words alone are compared.
func New(ranked []evidence.Evidence, encoder models.Embedder) *Checker {
	c := &Checker{evidence: ranked, encoder: encoder, vectors: map[string][]float32{}, known: map[string]bool{}}
	for i, e := range ranked {
		c.windows = append(c.windows, windowsOf(i, e)...)
	}
	for _, w := range c.windows {
		maps.Copy(c.known, w.terms)
	}
	return c
}

func windowsOf(n int, e evidence.Evidence) []*window {
	spans := text.Sentences(e.Passage.Text)
	head := strings.Join(append([]string{e.Document.Title}, e.Passage.Heading...), ". ")
	var out []*window
	for i := range spans {
		for j := i; j < min(len(spans), i+2); j++ {
			body := e.Passage.Text[spans[i].Start:spans[j].End]
			if isHeading(body) {
				continue // it names a subject and says nothing of it
			}
			w := &window{evidence: n, body: body, terms: map[string]bool{}, nearby: head, single: i == j,
				span: evidence.Span{Start: e.Passage.Start + spans[i].Start, End: e.Passage.Start + spans[j].End}}
			if i > 0 {
				w.nearby += ". " + e.Passage.Text[spans[i-1].Start:spans[i-1].End]
			}
			if j+1 < len(spans) {
				w.after = e.Passage.Text[spans[j+1].Start:spans[j+1].End]
			}
			for _, t := range text.Tokenize(head + " " + body) {
				w.terms[stem(t.Word)] = true
			}
			out = append(out, w)
		}
	}
	return out
}

func isHeading(s string) bool {
	return strings.HasPrefix(s, "#") && !strings.Contains(strings.TrimSpace(s), "\n")
}

// parse reads the window on first use.
func (c *Checker) parse(w *window) {
	if w.parsed != nil {
		return
	}
	body, nearby, all := parse(w.body), parse(w.nearby), parse(c.evidence[w.evidence].Document.Title+". "+c.evidence[w.evidence].Passage.Text)
	w.parsed, w.context = &body, context{&nearby, &all, w.after}
}

// candidate is a window with its similarity to a sentence.
type candidate struct {
	*window
	words, cosine float64
	facts         float64 // share of the claim's numbers and names that the window has
	cited         bool
}

// factWeight is that of numbers and names beside all words.
const factWeight = 0.4

func (k candidate) score() float64 { return k.words + k.cosine + factWeight*k.facts }

// likeness is the score without numbers and names: a sentence with a wrong number is
// still most like the window with the right one.
func (k candidate) likeness() float64 { return k.words + k.cosine }

// Check judges a sentence by all of the evidence. cited are indexes of the evidence
// that it names, which is preferred where several windows support it.
func (c *Checker) Check(ctx stdctx.Context, sentence string, cited []int) Result {
	claim := parse(sentence)
	list := c.candidates(ctx, &claim, cited)
	var results []judgement
	for _, k := range list[:min(len(list), judged)] {
		if k.likeness() >= list[0].likeness()-farther {
			results = append(results, judgement{c.judge(&claim, k), k})
		}
	}
	support, ok := supporting(results, cited)
	against, contradicted := first(results, func(r judgement) bool { return r.Verdict == evidence.Unsupported && len(r.Proofs) > 0 })
	if ok && (!contradicted || support.outweighs(against)) {
		return c.withOthers(&claim, support, list, cited)
	}
	weak, near := first(results, func(r judgement) bool { return r.Verdict == evidence.Weak })
	switch {
	case contradicted && (!near || against.likeness() >= weak.likeness()-otherPlace):
		return against.Result
	case near:
		return weak.Result
	}
	if len(results) > 0 {
		return results[0].Result
	}
	return Result{Verdict: evidence.Unsupported, Why: "no passage that was read says it"}
}

// judgement is the verdict on a sentence by one window.
type judgement struct {
	Result
	candidate
}

// Margins of likeness. A window that supports a sentence decides against one that
// contradicts it if it is as like to it, or is about the same place and little less so.
const (
	farther     = 0.6 // below the best window: not judged
	samePlace   = 0.15
	otherPlace  = 0.3 // below a window that only does not say it: not about the same
	preferCited = 0.1
)

func (j judgement) outweighs(o judgement) bool {
	margin := 0.0
	if j.evidence == o.evidence && j.span.Start < o.span.End && o.span.Start < j.span.End {
		margin = samePlace
	}
	return j.likeness() >= o.likeness()-margin
}

// first returns the first that fits, which is the most alike.
func first(list []judgement, fits func(judgement) bool) (judgement, bool) {
	i := slices.IndexFunc(list, fits)
	if i < 0 {
		return judgement{}, false
	}
	return list[i], true
}

// supporting returns the window that supports the sentence best; of two that are
// nearly as good, the one that was cited.
func supporting(list []judgement, cited []int) (judgement, bool) {
	supports := func(r judgement) bool { return r.Verdict == evidence.Supported }
	best, ok := first(list, supports)
	if named, found := first(list, func(r judgement) bool { return supports(r) && slices.Contains(cited, r.evidence) }); found && named.score() >= best.score()-preferCited {
		return named, true
	}
	return best, ok
}

// withOthers adds what else was cited and supports the claim.
func (c *Checker) withOthers(claim *statement, best judgement, list []candidate, cited []int) Result {
	out := best.Result
	if len(cited) > 0 && !slices.Contains(cited, best.evidence) {
		out.Why = "the passage that was cited does not say it; this one does"
	}
	for _, k := range list {
		known := slices.ContainsFunc(out.Proofs, func(p Proof) bool { return p.Evidence == k.evidence })
		if len(out.Proofs) == maxProofs || known || !slices.Contains(cited, k.evidence) {
			continue
		}
		if r := c.judge(claim, k); r.Verdict == evidence.Supported {
			out.Proofs = append(out.Proofs, r.Proofs...)
		}
	}
	return out
}

// judge compares a sentence with one window.
func (c *Checker) judge(claim *statement, k candidate) Result {
	c.parse(k.window)
	a := c.align(claim, k.parsed)
	out := Result{Verdict: evidence.Weak, Proofs: []Proof{{Evidence: k.evidence, Span: k.span, Score: k.score()}}}
	if k.cosine < weakCosine && k.words < weakShare {
		out.Verdict, out.Why, out.Proofs = evidence.Unsupported, "no passage that was read says it", nil
		return out
	}
	var doubts []string
	for _, rule := range rules {
		for _, f := range rule(a, k.context) {
			if f.grave {
				out.Verdict, out.Why = evidence.Unsupported, f.why
				if f.absent {
					out.Proofs = nil
				}
				return out
			}
			doubts = append(doubts, f.why)
		}
	}
	if claim.cut {
		doubts = append(doubts, "it is too long to be compared")
	}
	share := a.share()
	if n, unmatched := a.unmatched(); len(doubts) == 0 && n <= shortClaim && unmatched > 0 {
		doubts = append(doubts, "the quote has not all of its words")
	}
	if added := c.added(a); len(added) >= manyAdded && (k.cosine < paraphraseCosine || len(added) == c.told(a, k.window)) {
		doubts = append(doubts, "no source has its words "+strings.Join(added, ", "))
	}
	if n, unmatched := a.unmatched(); share < inventedShare && k.cosine < inventedCosine && unmatched >= inventedWords && n > shortClaim {
		out.Verdict, out.Why = evidence.Unsupported, "most of it is not in the source"
		return out
	}
	switch {
	case len(doubts) > 0:
		out.Why = strings.Join(doubts, "; ")
	case k.words >= supportedShare && (c.encoder == nil || k.cosine >= weakCosine), k.cosine >= supportedCosine && share >= softShare:
		out.Verdict = evidence.Supported
	default:
		out.Why = fmt.Sprintf("the quote has %.0f %% of the sentence's words", 100*k.words)
	}
	return out
}

// A sentence with manyAdded words that no source has, nor any like them, says more than
// its source, if it is not near to it, or if all that it has from the source is the
// subject, which the title names.
const (
	manyAdded        = 2
	paraphraseCosine = 0.56
)

// told counts the words of a sentence that the title and the headings do not have.
func (c *Checker) told(a *alignment, w *window) int {
	e := c.evidence[w.evidence]
	subject := map[string]bool{}
	for _, t := range text.Tokenize(strings.Join(append([]string{e.Document.Title}, e.Passage.Heading...), " ")) {
		subject[stem(t.Word)] = true
	}
	told := map[string]bool{}
	for i, x := range a.claim.words {
		if a.weight[i] > 0 && !subject[x.stem] {
			told[x.stem] = true
		}
	}
	return len(told)
}

// added returns the words of a sentence that no passage has, nor its window any that is
// similar.
func (c *Checker) added(a *alignment) []string {
	var out []string
	for i, w := range a.claim.words {
		if a.weight[i] > 0 && a.sim[i] < boundWord && !c.known[w.stem] && !slices.Contains(out, w.text) {
			out = append(out, w.text)
		}
	}
	return out
}
