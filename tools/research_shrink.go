package tools

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// How far a text is shortened before something else is removed, in bytes.
const (
	leastQuote  = 160
	leastError  = 120
	leastAnswer = 400

	// Of what is left when the answer is one sentence with its citation.
	shortQuote    = 40
	shortSentence = 60
)

var (
	mark = text.Pattern(` ?\[(\d+)\]`)
	// Marks may follow the full stop of their sentence.
	marksAhead = text.Pattern(`^(\s*\[\d+\])+`)
)

// answerShrinker removes parts of its own copy of an answer.
type answerShrinker struct {
	out     evidence.Answer
	omitted omissions
	zone    *time.Location // of the days that are shown
	limit   budget
	word    string // fences foreign text in this result
	lean    bool   // the structured result has no field that says nothing
}

// shrinkAnswer cuts a to its budget. It removes the least useful parts first: the worst
// of the passages, the ends of quotes, then sentences with what they cite. One sentence
// keeps its citation as long as that fits, itself cut if need be. Quotes stay verbatim at
// their offsets, and a citation is removed together with its marks.
func shrinkAnswer(a evidence.Answer, limit budget, zone *time.Location, next func() string) *answerShrinker {
	f := &answerShrinker{out: a, zone: zone, limit: limit}
	f.own()
	f.word = boundary(next, allOf(a))
	shrink(f.fits,
		f.dropStatistics, f.dropNotAsked, f.shortenErrors, f.dropEvidence, f.shortenQuotesTo(leastQuote), f.cutAnswerTo(leastAnswer), f.dropHealthySource,
		f.dropClaim, f.cutAnswerTo(0), f.keepCited, f.shortenQuotesTo(shortQuote), f.dropSource, f.dropOtherCitation, f.dropWarning,
		f.beLean, f.shortenTitle, f.dropAddress, f.shortenSentence, f.dropQuotes, f.dropCitation, f.halveAnswer,
	)
	return f
}

// own copies what the steps modify, because the engine still uses the answer, and leaves
// out claims that only repeat the answer, and passages that it quotes in full.
func (f *answerShrinker) own() {
	f.out = f.out.Clone()
	f.out.Claims = slices.DeleteFunc(f.out.Claims, func(c evidence.Claim) bool { return c.Verdict == evidence.Supported })
	f.out.Evidence = slices.DeleteFunc(f.out.Evidence, func(p evidence.RankedPassage) bool {
		return strings.Contains(f.out.Answer, strings.TrimSpace(p.Text))
	})
}

func (f *answerShrinker) fits() bool { return f.limit.holds(f.text(), f.json) }

// dropEvidence drops the last of the ranked passages: the answer quotes the best.
func (f *answerShrinker) dropEvidence() bool {
	return dropLast(&f.out.Evidence, &f.omitted, "passages")
}

// dropStatistics drops what only the structured result has: the resource of the run has
// it, too.
func (f *answerShrinker) dropStatistics() bool {
	a := &f.out.Analysis
	if !f.limit.structured || len(a.Keywords)+len(a.TopDocuments)+len(f.out.Topics) == 0 {
		return false
	}
	a.Keywords, a.TopDocuments, f.out.Topics = nil, nil, nil
	f.omitted.add("statistics", 1)
	return true
}

func (f *answerShrinker) dropNotAsked() bool {
	n := len(f.out.NotAsked)
	f.out.NotAsked = nil
	f.omitted.add("sources not asked", n)
	return n > 0
}

// shortenQuotesTo cuts all quotes to two thirds of the longest one, and to least bytes at
// the end.
func (f *answerShrinker) shortenQuotesTo(least int) step {
	return func() bool {
		cs := f.out.Citations
		i := longest(len(cs), least, func(i int) int { return len(cs[i].Quote) })
		if i < 0 {
			return false
		}
		most := max(least, len(cs[i].Quote)*2/3)
		for i := range cs {
			short := prefix(cs[i].Quote, most)
			f.omitted.add("bytes of quotes", len(cs[i].Quote)-len(short))
			cs[i].Quote, cs[i].End = short, cs[i].Start+len(short)
		}
		return true
	}
}

func (f *answerShrinker) shortenErrors() bool {
	n := 0
	for i, r := range f.out.Sources {
		if len(r.Err) > leastError {
			f.out.Sources[i].Err = ellipsis(r.Err, leastError)
			n++
		}
	}
	f.omitted.add("ends of error texts", n)
	return n > 0
}

func (f *answerShrinker) dropClaim() bool { return dropLast(&f.out.Claims, &f.omitted, "claims") }

// cutAnswerTo removes the last sentence of an answer longer than least bytes, and
// the citations that nothing refers to afterwards. The last sentence that cites stays.
func (f *answerShrinker) cutAnswerTo(least int) step {
	return func() bool {
		if len(f.out.Answer) <= least {
			return false
		}
		short, ok := withoutLastSentence(f.out.Answer)
		if !ok || mark().MatchString(f.out.Answer) && !mark().MatchString(short) {
			return false
		}
		f.out.Answer = short
		f.omitted.add("answer sentences", 1)
		f.dropUnmarked()
		return true
	}
}

// withoutLastSentence keeps the marks of the other sentences. It returns false if
// there is only one sentence.
func withoutLastSentence(answer string) (string, bool) {
	answer = strings.TrimRight(answer, " \n\t")
	spans := text.Sentences(answer)
	for i := len(spans) - 2; i >= 0; i-- {
		end := spans[i].End
		end += len(marksAhead().FindString(answer[end:]))
		if end < len(answer) {
			return answer[:end], true
		}
	}
	return "", false
}

// keepCited removes all but the first sentence that cites.
func (f *answerShrinker) keepCited() bool {
	answer, start := f.out.Answer, 0
	spans := text.Sentences(answer)
	for _, s := range spans {
		end := s.End + len(marksAhead().FindString(answer[s.End:]))
		if kept := strings.TrimSpace(answer[start:end]); mark().MatchString(kept) {
			if kept == strings.TrimSpace(answer) {
				return false
			}
			f.out.Answer = kept
			f.omitted.add("answer sentences", max(1, len(spans)-1))
			f.dropUnmarked()
			return true
		}
		start = end
	}
	return false
}

// shortenSentence cuts the only sentence that is left to a third less. Its first mark stays.
func (f *answerShrinker) shortenSentence() bool {
	m := mark().FindStringIndex(f.out.Answer)
	if m == nil || m[0] <= shortSentence {
		return false
	}
	f.out.Answer = ellipsis(f.out.Answer[:m[0]], max(shortSentence, m[0]*2/3)) + " " + strings.TrimSpace(f.out.Answer[m[0]:m[1]])
	f.omitted.add("answer ends", 1)
	f.dropUnmarked()
	return true
}

// beLean leaves out what is about the result, and the list of what was left out.
func (f *answerShrinker) beLean() bool {
	was := f.lean
	f.lean, f.omitted.terse = true, true
	return !was
}

// dropQuotes removes the quotes: the document's id, and where they begin in it, stay.
func (f *answerShrinker) dropQuotes() bool {
	n := 0
	for i, c := range f.out.Citations {
		if f.limit.structured && c.Quote != "" && c.DocumentID != "" {
			f.out.Citations[i].Quote, f.out.Citations[i].End = "", c.Start
			n++
		}
	}
	f.omitted.add("quotes", n)
	return n > 0
}

// shortenTitle cuts the titles of what is cited.
func (f *answerShrinker) shortenTitle() bool {
	n := 0
	for i, c := range f.out.Citations {
		if len(c.Title) > shortQuote {
			f.out.Citations[i].Title = ellipsis(c.Title, shortQuote)
			n++
		}
	}
	f.omitted.add("ends of titles", n)
	return n > 0
}

// dropAddress removes the addresses and days of what is cited, which its id leads to.
func (f *answerShrinker) dropAddress() bool {
	n := 0
	for i, c := range f.out.Citations {
		if c.DocumentID != "" && c.URL != "" {
			f.out.Citations[i].URL, f.out.Citations[i].Retrieved = "", time.Time{}
			n++
		}
	}
	f.omitted.add("addresses", n)
	return n > 0
}

// dropOtherCitation removes the last citation unless it is the only one.
func (f *answerShrinker) dropOtherCitation() bool {
	return len(f.out.Citations) > 1 && f.dropCitation()
}

func (f *answerShrinker) dropUnmarked() {
	used := map[int]bool{}
	for _, m := range mark().FindAllStringSubmatch(f.out.Answer, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			used[n] = true
		}
	}
	for _, c := range f.out.Claims {
		for _, n := range c.Citations {
			used[n] = true
		}
	}
	before := len(f.out.Citations)
	f.out.Citations = slices.DeleteFunc(f.out.Citations, func(c evidence.Citation) bool { return !used[c.N] })
	f.omitted.add("citations", before-len(f.out.Citations))
}

// dropCitation removes the last citation and every mark that points to it.
func (f *answerShrinker) dropCitation() bool {
	if len(f.out.Citations) == 0 {
		return false
	}
	last := f.out.Citations[len(f.out.Citations)-1]
	f.out.Citations = f.out.Citations[:len(f.out.Citations)-1]
	f.omitted.add("citations", 1)
	if slices.ContainsFunc(f.out.Citations, func(c evidence.Citation) bool { return c.N == last.N }) {
		return true
	}
	number := strconv.Itoa(last.N)
	f.out.Answer = mark().ReplaceAllStringFunc(f.out.Answer, func(m string) string {
		if strings.Trim(m, " []") == number {
			return ""
		}
		return m
	})
	for i, c := range f.out.Claims {
		f.out.Claims[i].Citations = slices.DeleteFunc(c.Citations, func(n int) bool { return n == last.N })
	}
	return true
}

func (f *answerShrinker) dropHealthySource() bool {
	for i, r := range slices.Backward(f.out.Sources) {
		if r.Status == evidence.StatusOK || r.Status == evidence.StatusCached || r.Status == evidence.StatusEmpty {
			f.out.Sources = slices.Delete(f.out.Sources, i, i+1)
			f.omitted.add("source reports", 1)
			return true
		}
	}
	return false
}

func (f *answerShrinker) dropSource() bool {
	return dropLast(&f.out.Sources, &f.omitted, "source reports")
}

func (f *answerShrinker) dropWarning() bool {
	return dropLast(&f.out.Warnings, &f.omitted, "warnings")
}

func (f *answerShrinker) halveAnswer() bool {
	if len(f.out.Answer) < 16 {
		return false
	}
	f.out.Answer = ellipsis(f.out.Answer, len(f.out.Answer)*2/3)
	f.omitted.add("answer ends", 1)
	return true
}
