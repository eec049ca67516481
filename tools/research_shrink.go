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
}

// shrinkAnswer cuts a to its budget. It removes the least useful parts first: the worst
// of the passages, the ends of quotes; the answer itself is cut last. Quotes stay
// verbatim at their offsets, and a citation is removed together with its marks.
func shrinkAnswer(a evidence.Answer, limit budget, zone *time.Location, next func() string) *answerShrinker {
	f := &answerShrinker{out: a, zone: zone, limit: limit}
	f.own()
	f.word = boundary(next, allOf(a))
	shrink(f.fits,
		f.dropStatistics, f.dropNotAsked, f.shortenErrors, f.dropEvidence, f.shortenQuotes, f.cutAnswerTo(leastAnswer), f.dropCitation, f.dropClaim,
		f.dropHealthySource, f.dropSource, f.dropWarning, f.halveAnswer,
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

// shortenQuotes cuts all quotes to two thirds of the longest one.
func (f *answerShrinker) shortenQuotes() bool {
	cs := f.out.Citations
	i := longest(len(cs), leastQuote, func(i int) int { return len(cs[i].Quote) })
	if i < 0 {
		return false
	}
	most := max(leastQuote, len(cs[i].Quote)*2/3)
	for i := range cs {
		short := prefix(cs[i].Quote, most)
		f.omitted.add("bytes of quotes", len(cs[i].Quote)-len(short))
		cs[i].Quote, cs[i].End = short, cs[i].Start+len(short)
	}
	return true
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
// the citations that nothing refers to afterwards.
func (f *answerShrinker) cutAnswerTo(least int) step {
	return func() bool {
		if len(f.out.Answer) <= least {
			return false
		}
		short, ok := withoutLastSentence(f.out.Answer)
		if !ok {
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
