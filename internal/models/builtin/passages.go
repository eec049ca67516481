package builtin

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Weights of a unit's score, each of a feature in standard deviations, chosen on
// half of a set of questions about documentation; between half and twice of any of
// them the result changes within the noise.
const (
	unitPrior  = 0.5 // of the passage that it is in
	unitMatch  = 1.5 // of words
	unitCosine = 0.3
	unitGrams  = 0.2
	unitWord   = 1.0 // BM25 and coverage, each, where there is no encoder
	unitForm   = 0.8 // in points: it has the form that the question asks for

	unitAnnounces = -4.0 // in points: it says what other text is about
)

// Bounds of an answer made of units.
const (
	unitPassages = 8   // passages that are cut into units
	mostUnits    = 20  // that are scored
	mostQuoted   = 3   // units of an answer
	alikeUnits   = 0.8 // overlap of words from which on two units say the same
	nextCosine   = 0.8 // of the first unit's cosine that a further one must reach
	codeToCut    = 300 // bytes of an option listing from which on one entry is quoted
	nextUnit     = 2.5 // the most that the score of a further unit is below the first one's
	briefUnit    = 600 // bytes of a third unit: an answer is no heap
)

var (
	asksHow     = text.Pattern(`(?i)^\s*(how (do|can|could|should|to|would)\b|what (do|must|should|can) (i|we|you)\b)|\bhow (do|can) (i|we|you)\b`)
	asksFlag    = text.Pattern(`(?i)\b(which|what|with which|with what|name of the)\b.{0,30}\b(flags?|options?|settings?|keys?|variables?|parameters?|commands?|ports?|codes?|switch|arguments?|methods?|functions?|headers?|fields?)\b`)
	asksList    = text.Pattern(`(?i)\b(which|what)\b.{0,40}\b(are there|exist|kinds?|types?|ways|places|policies|styles|systems|states|encodings|methods|headers|managers|options are|does .* know)\b|^\s*list\b`)
	asksCompare = text.Pattern(`(?i)\b(difference|differ|versus|vs\.?|compared?|or .*\bwhich|apart|better than|which is which)\b|\b\w+ or \w+\b.*[:,?]`)
	announces   = text.Pattern(`(?i)\bin (?:this|the (?:next|following)) (?:section|chapter|article|guide|tutorial|page|document|part)s?\b|\bwe(?: will|['’]ll) (?:look|see|learn|cover|discuss|explore|explain|show)\b|` +
		`\bthis (?:section|chapter|article|guide|tutorial|page|document|part) (?:will |is |also )?(?:about|describes?|explains?|covers?|shows?|introduces?|lists?|discuss(?:es)?|outlines?)\b`)
	asksParts = text.Pattern(`(?i),? and (how|what|which|when|where|why|who|by whom)\b`)
)

// quoteUnits answers from documents with structure: it ranks the units of the
// best passages and quotes the best one whole, and the next ones where they are
// nearly as good.
func quoteUnits(ctx context.Context, encoder models.Matcher, q query, in evidence.Brief, asked string) (evidence.Draft, error) {
	q, asked = repaired(encoder, q, asked, in.Evidence)
	pool := slices.DeleteFunc(unitsOf(q, in.Evidence[:min(unitPassages, len(in.Evidence))], mostUnits), func(u unit) bool { return !u.readable() })
	if q.sides != nil {
		pool = append(pool, sideUnits(q, in.Evidence, pool)...)
	}
	if asksFlag().MatchString(asked) {
		pool = append(pool, siblings(asked, in.Evidence, pool)...)
	}
	pool = unsaid(in, pool, func(u unit) (int, evidence.Span) { return u.evidence, u.span })
	if len(pool) == 0 {
		return evidence.Draft{Abstain: true, Why: "no passage that was found holds anything to quote"}, nil
	}
	encoded, err := scoreUnits(ctx, encoder, q, in, asked, pool)
	if err != nil {
		return evidence.Draft{}, err
	}
	slices.SortStableFunc(pool, func(a, b unit) int { return cmp.Compare(b.score, a.score) })
	picked, named := pickSides(q, pool)
	if picked == nil {
		picked = wholeLists(asked, q, in, pickUnits(asked, pool), pool)
	}
	q.composite = in.Asked != "" || asksSeveral(asked)
	answerable, sure := confidence(q, picked, pool, encoded, named)
	if q.counts && !slices.ContainsFunc(picked, func(u unit) bool { return u.form == strictForm || q.quantity.in(u.head+"\n\n"+u.text) }) {
		answerable = noNumber
	}
	if encoded && namesUnknown(q, asked, in.Evidence) {
		answerable = min(answerable, noName)
	}
	if answerable < leastAnswerable {
		return evidence.Draft{Abstain: true, Confidence: min(sure, answerable), Why: cameNearest(pool[0].head, in.Evidence[pool[0].evidence].Document)}, nil
	}
	draft := evidence.Draft{Confidence: sure}
	tokens := 0
	for _, u := range picked {
		s := quoteUnit(q, in, u)
		n := text.EstimateTokens(s.Text)
		if tokens += n; tokens > in.MaxTokens && in.MaxTokens > 0 && len(draft.Sentences) > 0 {
			break
		}
		draft.Sentences = append(draft.Sentences, s)
	}
	return draft, nil
}

// repaired replaces words of the question that no passage has by the most similar
// one that some passage has: they are probably misspelt, unless the encoder knows them.
func repaired(encoder models.Matcher, q query, asked string, list []evidence.Evidence) (query, string) {
	known := map[string]string{} // stems, and a word of each
	for _, e := range list {
		for _, t := range text.Tokenize(e.Document.Title + " " + strings.Join(e.Passage.Heading, " ") + " " + e.Passage.Text) {
			if !t.Stop {
				known[t.Term] = t.Word
			}
		}
	}
	fixed := map[string]string{} // stems of the question, and the right ones
	tokens := text.Tokenize(asked)
	for _, t := range tokens {
		if t.Stop || known[t.Term] != "" || encoder != nil && encoder.Knows(t.Word) {
			continue
		}
		best, like := "", 0.0
		for term := range known {
			if s := misspelling(t.Term, term); s > like || s == like && s > 0 && term < best {
				best, like = term, s
			}
		}
		if best != "" {
			fixed[t.Term] = best
		}
	}
	q.terms = slices.Clone(q.terms)
	for i, t := range q.terms {
		if best := fixed[t.term]; best != "" {
			q.terms[i].term = best
		}
	}
	for _, t := range slices.Backward(tokens) {
		if term := fixed[t.Term]; term != "" {
			asked = asked[:t.Start] + known[term] + asked[t.End:]
		}
	}
	return q, asked
}

// misspelling is how likely a is a misspelling of b, 0 to 1.
func misspelling(a, b string) float64 {
	if len(a) < 4 || len(b) < 4 || a[0] != b[0] || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 0
	}
	d := levenshtein.ComputeDistance(a, b)
	if d > 2 || d == 2 && len(a) < 6 {
		return 0
	}
	return 1 - float64(d)/float64(len(a)+1)
}

// cameNearest says what came nearest to an answer: a place in a document.
func cameNearest(place string, d evidence.Document) string {
	if d.URL != "" {
		place += " (" + d.URL + ")"
	}
	return "what came nearest is " + place
}

// scoreUnits sets the features and the score of every unit. encoded reports whether the
// encoder took part: it does not if it is nil, fails, or the deadline of ctx passes.
func scoreUnits(ctx context.Context, encoder models.Matcher, q query, in evidence.Brief, asked string, pool []unit) (encoded bool, err error) {
	texts, terms := make([]string, len(pool)), make([][]string, len(pool))
	languages := map[int]string{} // by index of the evidence
	for i, u := range pool {
		texts[i] = u.head + ". " + u.text
		language, known := languages[u.evidence]
		if !known {
			language = cmp.Or(text.DetectLanguage(in.Evidence[u.evidence].Document.Text), "en")
			languages[u.evidence] = language
		}
		terms[i] = text.IndexTerms(u.text, language)
		pool[i].prior = in.Evidence[u.evidence].Passage.Score
	}
	var similar []likeness
	if encoder != nil {
		if similar, err = compare(ctx, encoder, asked, texts); err != nil {
			if cancelled(ctx) {
				return false, ctx.Err()
			}
			similar = nil // ranked by words alone
		}
	}
	idf := text.NewBM25(terms)
	grams := shares(asked, texts)
	for i := range pool {
		u := &pool[i]
		u.grams = grams[i]
		if similar != nil {
			u.like = similar[i]
		}
		u.lexical, u.coverage = unitWords(q, idf, terms[i], text.IndexTerms(u.head, languages[u.evidence]))
	}
	feature := func(weight float64, of func(unit) float64) {
		x := make([]float64, len(pool))
		for i, u := range pool {
			x[i] = of(u)
		}
		for i, z := range standardise(x) {
			pool[i].score += weight * z
		}
	}
	feature(unitPrior, func(u unit) float64 { return u.prior })
	feature(unitGrams, func(u unit) float64 { return u.grams })
	if similar != nil {
		feature(unitCosine, func(u unit) float64 { return u.like.cosine })
		feature(unitMatch, func(u unit) float64 { return u.like.words })
	} else {
		feature(unitWord, func(u unit) float64 { return u.lexical })
		feature(unitWord, func(u unit) float64 { return u.coverage })
	}
	for i := range pool {
		u := &pool[i]
		u.form = form(asked, q, *u)
		u.score += unitForm * u.form
		if announces().MatchString(u.text) {
			u.score += unitAnnounces
		}
	}
	return similar != nil, nil
}

// shares returns the share of the question's n-grams that each text holds, all
// counting the same: how much of what was asked is spoken of.
func shares(asked string, texts []string) []float64 {
	out := make([]float64, len(texts))
	for i, t := range texts {
		out[i] = text.GramCoverage(asked, t)
	}
	return out
}

// unitWords returns how well terms match the question, and the share of the
// question that they or the headings speak of.
func unitWords(q query, idf *text.BM25, terms, head []string) (lexical, coverage float64) {
	count := map[string]float64{}
	for _, t := range terms {
		count[t]++
	}
	all := 0.0
	for _, t := range q.terms {
		w := t.weight * idf.IDF(t.term)
		all += w
		n := count[t.term]
		if n > 0 {
			lexical += w * n * (text.BM25K1 + 1) / (n + text.BM25K1*(1-text.BM25B+text.BM25B*float64(len(terms))/80))
		}
		if n > 0 || slices.Contains(head, t.term) {
			coverage += w
		}
	}
	if all > 0 {
		lexical, coverage = lexical/all, coverage/all
	}
	return lexical, coverage
}

var (
	codeSpan = text.Pattern("`[^`]+`|(?:^|\\s)--?[a-z][\\w-]+|\\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\\b")
	numbered = text.Pattern(`(?m)^\s*\d+[.)] `)
)

// strictForm is the form of a unit that has what can hardly be answered without it: the
// number that was asked for, a definition of the subject.
const strictForm = 3

// form is how well the form of a unit suits the question, 0 to 1, or strictForm.
func form(asked string, q query, u unit) float64 {
	is := func(p func() *regexp.Regexp) bool { return p().MatchString(asked) }
	switch {
	case is(asksList):
		if u.has[evidence.BlockItem] || u.has[evidence.BlockTable] {
			return 1
		}
	case is(asksFlag):
		switch {
		case u.has[evidence.BlockDefinition], u.has[evidence.BlockHeading]:
			return 1
		case u.has[evidence.BlockTable], codeSpan().MatchString(u.text):
			return 0.6
		}
	case is(asksHow):
		switch {
		case u.has[evidence.BlockCode], numbered().MatchString(u.text):
			return 1
		case u.has[evidence.BlockItem], codeSpan().MatchString(u.text):
			return 0.5
		}
	case q.counts:
		if q.quantity.in(u.text) {
			return strictForm
		}
	case q.defines != nil:
		if q.defines.In(u.text) {
			return strictForm
		}
	case q.kind != kindOther:
		c := newCandidate(0, u.span, u.text, 0)
		if q.kind.fits(q, &c) {
			return 1
		}
	}
	return 0
}

// pickUnits chooses the units of an answer from a ranked pool: the best one, and
// others that are nearly as good or that a question of several parts needs.
//
// Beside one that has what can hardly be missing, only others that have it answer, too.
func pickUnits(asked string, pool []unit) []unit {
	parts := asksSeveral(asked)
	out := []unit{pool[0]}
	for _, u := range pool[1:] {
		both := pool[0].form == strictForm && u.form == strictForm
		if len(out) == mostQuoted {
			break
		}
		if u.score < pool[0].score-nextUnit && !parts && !both {
			continue
		}
		if len(out) == mostQuoted-1 && len(u.text) > briefUnit && !parts {
			continue
		}
		if pool[0].form == strictForm && u.form < strictForm && !parts {
			continue
		}
		if u.like.cosine < nextCosine*pool[0].like.cosine && !parts {
			continue
		}
		if !slices.ContainsFunc(out, func(have unit) bool { return overlap(text.Terms(have.text), text.Terms(u.text)) >= alikeUnits }) {
			out = append(out, u)
		}
	}
	return out
}

// asksSeveral reports whether a question asks for a comparison, a list or several things.
func asksSeveral(asked string) bool {
	return asksCompare().MatchString(asked) || asksParts().MatchString(asked) || asksList().MatchString(asked)
}

// quoteUnit is a unit as a sentence of the draft. A long paragraph is cut to the
// sentences around the one that answers best.
func quoteUnit(q query, in evidence.Brief, u unit) evidence.Sentence {
	sp := u.span
	doc := in.Evidence[u.evidence].Document.Text
	if u.entry {
		return evidence.Sentence{Text: u.text, Marks: []int{u.evidence + 1}, Quotes: []evidence.Span{sp}, Block: true, Code: true}
	}
	if u.prose() && sp.End-sp.Start > longestProse {
		sp = bestSentences(q, u)
	}
	body := doc[sp.Start:sp.End]
	cut := len(u.blocks) == 1 && u.has[evidence.BlockCode] && !strings.Contains(body, "```") && !strings.Contains(body, "~~~")
	return evidence.Sentence{Text: body, Marks: []int{u.evidence + 1}, Quotes: []evidence.Span{sp}, Block: true, Code: cut}
}

// bestSentences is the span of whole sentences around the best one, at most
// longestProse bytes.
func bestSentences(q query, u unit) evidence.Span {
	spans := text.Sentences(u.text)
	if len(spans) == 0 {
		return u.span
	}
	pool := make([]candidate, len(spans))
	for i, sp := range spans {
		pool[i] = newCandidate(0, sp, u.text[sp.Start:sp.End], i)
	}
	score(q, pool)
	best := 0
	for i, c := range pool {
		if c.score > pool[best].score {
			best = i
		}
	}
	from, to := best, best
	for {
		grown := false
		if to+1 < len(spans) && spans[to+1].End-spans[from].Start <= longestProse {
			to, grown = to+1, true
		}
		if from > 0 && spans[to].End-spans[from-1].Start <= longestProse {
			from, grown = from-1, true
		}
		if !grown {
			break
		}
	}
	return evidence.Span{Start: u.span.Start + spans[from].Start, End: u.span.Start + spans[to].End}
}

// streamed is a draft as it is shown while it is written.
func streamed(d evidence.Draft) string {
	var b strings.Builder
	for _, s := range d.Sentences {
		fmt.Fprintf(&b, "%s [%d]\n\n", strings.TrimSpace(s.Text), s.Marks[0])
	}
	return b.String()
}
