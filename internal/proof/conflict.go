package proof

import (
	stdctx "context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Conflict is a sentence of another document that gives another amount or date for the
// same thing.
type Conflict struct {
	Span  evidence.Span // of the sentence in its document that was asked about
	Says  string        // its amount, as it is written
	Other Proof         // the other's sentence
	Gives string        // the other's amount, as it is written
}

// Bounds of a comparison.
const (
	conflictSentences = 12 // of a span that are compared
	conflictWords     = 45 // of a sentence
	sharedWords       = 0.6
	equalWords        = 0.7  // of the words of each of two sentences, by weight, that the other has
	equalCosine       = 0.75 // of the sentences without their amounts
)

// Conflicts compares each sentence of a span of the evidence at index from with those
// of other documents. A difference of rounding, of units, of bounds, or in something
// that is said of another time, version, place or group is no conflict: it reports
// rather too few than too many.
func (c *Checker) Conflicts(ctx stdctx.Context, from int, span evidence.Span) []Conflict {
	doc := c.evidence[from].Document
	if span.Start < 0 || span.End > len(doc.Text) || span.Start >= span.End {
		return nil
	}
	var out []Conflict
	n := 0
	for _, sp := range text.Sentences(doc.Text[span.Start:span.End]) {
		sp.Start, sp.End = sp.Start+span.Start, sp.End+span.Start
		body := doc.Text[sp.Start:sp.End]
		if !plainProse(body) || n == conflictSentences {
			continue
		}
		a := parse(body)
		if len(a.quantities) == 0 || !comparable(&a) {
			continue
		}
		n++
		if found, ok := c.conflictOf(ctx, &a, from); ok {
			found.Span = sp
			out = append(out, found)
		}
	}
	return out
}

// conflictOf returns the first sentence of another document that contradicts a.
func (c *Checker) conflictOf(ctx stdctx.Context, a *statement, from int) (Conflict, bool) {
	doc := c.evidence[from].Document
	for _, w := range c.windows {
		other := c.evidence[w.evidence].Document
		if !w.single || sameDocument(doc, other) || !plainProse(w.body) || sharedStems(a, w.terms) < sharedWords {
			continue
		}
		b := parse(w.body)
		if !comparable(&b) {
			continue
		}
		qa, qb, ok := soleDifference(a, &b)
		if !ok || !c.sameStatement(ctx, a, &b, doc, other) || c.has(from, qb) || c.has(w.evidence, qa) {
			continue
		}
		return Conflict{Says: a.text[qa.start:qa.end], Gives: b.text[qb.start:qb.end],
			Other: Proof{Evidence: w.evidence, Span: w.span}}, true
	}
	return Conflict{}, false
}

// sameDocument reports whether two documents are one, or parts of one.
func sameDocument(a, b evidence.Document) bool {
	base := func(u string) string { u, _, _ = strings.Cut(u, "#"); return u }
	return a.ID == b.ID || a.URL != "" && base(a.URL) == base(b.URL)
}

var (
	// notProse are marks of code, tables and listings.
	notProse = text.Pattern("[|{}=<>]|```|https?:|^\\s*(?:[-*#>]|\\d+[.)])\\s|\\n\\n")

	// unsettled matches what makes a sentence an example, a guess or a condition.
	unsettled = text.Pattern(`(?i)\b(?:if|unless|suppose|imagine|assum\w+|examples?|e\.g\.|such as|for instance|may|might|could|would|perhaps|probably|estimat\w+|expected|planned|target\w*|versions?|editions?|releases?|revision|draft|v\d)\b`)
)

// plainProse reports whether a sentence states something in words.
func plainProse(s string) bool { return !notProse().MatchString(strings.TrimSpace(s)) }

// comparable reports whether a sentence states something as certain.
func comparable(s *statement) bool {
	return !s.cut && len(s.words) >= 4 && len(s.words) <= conflictWords && len(s.quantities) > 0 && len(s.quantities) <= 6 &&
		!unsettled().MatchString(s.text) && !strings.HasSuffix(strings.TrimSpace(s.text), "?")
}

// sharedStems is the share of the words of content of a that are among terms.
func sharedStems(a *statement, terms map[string]bool) float64 {
	have, all := 0, 0
	for _, w := range a.words {
		if w.stop || w.number {
			continue
		}
		all++
		if terms[w.stem] {
			have++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(have) / float64(all)
}

// sameStatement reports whether two sentences say the same of the same thing but for
// their amounts.
func (c *Checker) sameStatement(ctx stdctx.Context, a, b *statement, from, other evidence.Document) bool {
	if len(denialsOf(a)) != len(denialsOf(b)) || present(a) != present(b) && present(a)*present(b) != 0 {
		return false
	}
	titleA, titleB := parse(from.Title), parse(other.Title)
	if !namesWithin(a, &titleA, b, &titleB) || !namesWithin(b, &titleB, a, &titleA) || !numbersWithin(&titleA, b, &titleB) || !numbersWithin(&titleB, a, &titleA) {
		return false
	}
	named := ownSubject(a, &titleA) && ownSubject(b, &titleB) && sharesName(a, b)
	if !named && !sameTitle(&titleA, &titleB) {
		return false
	}
	texts := []string{withoutAmounts(a), withoutAmounts(b)}
	for _, s := range []*statement{a, b} {
		for _, w := range s.words {
			texts = append(texts, w.text)
		}
	}
	c.embed(ctx, texts)
	if c.encoder != nil && cosine(c.vectors[texts[0]], c.vectors[texts[1]]) < equalCosine {
		return false
	}
	return c.covered(a, b, &titleB) >= equalWords && c.covered(b, a, &titleA) >= equalWords
}

// covered is the weighted share of the words of a that b, or the title of its document,
// has. It is 0 if a word that sets apart is missing, or more than half of the words that
// are no names: those say what is measured.
func (c *Checker) covered(a, b, title *statement) float64 {
	var have, all, plain, plainAll float64
	for _, w := range a.words {
		if w.number || w.stop && !apart[w.text] || isUnit(w.text) {
			continue
		}
		weight := c.weight(w)
		if a.counts(w) {
			weight *= countedWeight
		}
		found := c.nearest(w, b, title) >= sameWord
		if !found && apart[w.text] {
			return 0
		}
		all += weight
		if !w.name {
			plainAll += weight
		}
		if found && !w.name {
			plain += weight
		}
		if found {
			have += weight
		}
	}
	if all == 0 || plain < plainAll/2 {
		return 0
	}
	return have / all
}

// nearest is the similarity of a word to the most similar one of the statements. Words
// that set apart are similar to themselves alone.
func (c *Checker) nearest(w word, in ...*statement) float64 {
	best := 0.0
	for _, s := range in {
		for _, o := range s.words {
			if !o.number && (w.stem == o.stem || !apart[w.text]) {
				best = max(best, c.similar(w, o))
			}
		}
	}
	return best
}

// countedWeight is that of what a number counts: "5 million" may be people.
const countedWeight = 0.5

// counts reports whether the word is right behind an amount.
func (s *statement) counts(w word) bool {
	return slices.ContainsFunc(s.quantities, func(q quantity) bool { return q.end <= w.start && strings.Trim(s.text[q.end:w.start], " ") == "" })
}

// apart are words that set one amount apart from another of the same thing.
var apart = wordSet(`first second third fourth fifth last next previous former initial initially final finally original originally minimum maximum min max average mean median
	least most early earlier late later old older new newer oldest newest north south east west northern southern eastern western upper lower male female men women
	boys girls man woman children adult adults left right summer winter spring autumn day night daily weekly monthly annual annually yearly hourly each per total half only other another
	inner outer internal external front rear top bottom high highest low lowest large larger largest small smaller smallest long longer longest short shorter shortest
	began begin started start ended end opened closed born died founded dissolved proposed approved completed published written announced
	client server read write input output request response source target local remote urban rural metropolitan city country state gross net peak idle current
	currently today now then once again before after until since when while during about except without`)

// namesWithin reports whether every name of a, and every word of the title of its
// document that it has, is in b or in the title of that document.
func namesWithin(a, own, b, title *statement) bool {
	for _, w := range a.words {
		named := w.name || !w.stop && own.hasStem(0, len(own.words), w.stem)
		if named && !w.number && !b.hasName(w) && !b.hasStem(0, len(b.words), w.stem) && !title.hasName(w) {
			return false
		}
	}
	return true
}

// ownSubject reports whether a sentence begins with a name or with what its document is
// about, and not with "it" or "the episode".
func ownSubject(s, title *statement) bool {
	for _, w := range s.words {
		switch {
		case pronouns[w.text]:
			return false
		case !w.stop:
			return w.name || title.hasStem(0, len(title.words), w.stem)
		}
	}
	return false
}

// numbersWithin reports whether the other sentence or its title has every figure of a
// title: the seasons 2012 and 2013 are not the same thing.
func numbersWithin(title, other, otherTitle *statement) bool {
	return !slices.ContainsFunc(title.words, func(w word) bool {
		return startsWithDigit(w.text) && !other.hasText(w.text) && !otherTitle.hasText(w.text)
	})
}

// sharesName reports whether both sentences have a name.
func sharesName(a, b *statement) bool {
	return slices.ContainsFunc(a.words, func(w word) bool {
		return w.name && !w.number && months[w.text] == 0 && b.hasStem(0, len(b.words), w.stem)
	})
}

// sameTitle reports whether one title has all words of the other.
func sameTitle(a, b *statement) bool {
	within := func(a, b *statement) bool {
		n := 0
		for _, w := range a.words {
			if w.stop || w.number {
				continue
			}
			if n++; !b.hasStem(0, len(b.words), w.stem) {
				return false
			}
		}
		return n > 0
	}
	return within(a, b) || within(b, a)
}

func denialsOf(s *statement) []string {
	var out []string
	for _, c := range s.clauses {
		out = append(out, c.denials...)
	}
	return out
}

// present is 1 for a sentence about now, -1 for one about the past, and 0 where its
// first auxiliary verb does not say.
func present(s *statement) int {
	for _, w := range s.words {
		switch w.text {
		case "is", "are", "has", "have":
			return 1
		case "was", "were", "had":
			return -1
		}
	}
	return 0
}

// withoutAmounts is the text of a statement with # in the place of each amount.
func withoutAmounts(s *statement) string {
	var out strings.Builder
	at := 0
	for _, q := range s.quantities {
		if q.start >= at {
			out.WriteString(s.text[at:q.start] + "#")
			at = q.end
		}
	}
	out.WriteString(s.text[at:])
	return out.String()
}

// has reports whether the passage at index n has an amount: if it has the other's, too,
// it speaks of both. Numbers without a unit are everywhere.
func (c *Checker) has(n int, q quantity) bool {
	return q.dim != "" && q.dim != "month" && slices.ContainsFunc(quantities(c.evidence[n].Passage.Text), q.same)
}
