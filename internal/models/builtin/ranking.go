package builtin

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Weights added to a sentence's BM25, which is in standard deviations. Chosen on
// sets of questions with known answer sentences; half or twice any of them does as
// well within the noise.
const (
	alignWeight    = 2.0  // × the share of the question that it covers
	kindWeight     = 0.8  // it has what the question asks for: a name, a date, a number, a place
	positionWeight = 0.4  // it is the first of its text, half of that for the second
	aboutWeight    = 0.8  // its document is about the subject of the question
	titleWeight    = 0.25 // a term of the question that only the title has, as a part of its IDF
	beforeWeight   = 0.5  // a term that only the sentence before has, to which "it" may refer
	priorWeight    = 0.5  // its passage is the best one found
	personalWeight = -1.0 // it is written in the first person
	hangingWeight  = -0.1 // it begins with a word that refers to something before it
)

// impliedCoverage is the coverage of a term that only the title of the document or
// the sentence before has: "It was released in 2018".
const impliedCoverage = 0.7

// lengthPenalty is BM25's b. The usual 0.75 is for passages: a longer sentence says
// more rather than repeating itself.
const lengthPenalty = 0.2

// Scored is a sentence of one of the texts that were ranked.
type Scored struct {
	Text     int           // index into the texts
	Span     evidence.Span // of the sentence in its text
	Score    float64       // compares sentences of one call only
	Coverage float64       // share of the question that it covers, 0..1; rare terms count more
}

// RankSentences returns the sentences of texts, the likeliest answer to the
// question first, without headings, questions and fragments. Synthesizer uses the
// same ranking, and also knows titles, the scores of passages and the conversation.
// encoder may be nil; its error is the only one.
func RankSentences(ctx context.Context, encoder models.Matcher, question string, texts []string) ([]Scored, error) {
	var pool []candidate
	for i, s := range texts {
		for pos, sp := range text.Sentences(s) {
			if sentence := s[sp.Start:sp.End]; quotable(sentence) {
				pool = append(pool, newCandidate(i, sp, sentence, pos))
			}
		}
	}
	score(newQuery(question, ""), pool)
	if _, err := scoreMeaning(ctx, encoder, question, pool); err != nil {
		return nil, err
	}
	out := make([]Scored, len(pool))
	for i, c := range pool {
		out[i] = Scored{Text: c.doc, Span: c.span, Score: c.score, Coverage: c.coverage}
	}
	slices.SortStableFunc(out, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
	return out, nil
}

// query is a parsed question.
type query struct {
	kind     questionType
	terms    []queryTerm
	counts   bool     // it asks for a number
	quantity quantity // which
	defines  *text.Definition
	sides    *text.Sides
	english  bool // or not known to be another language

	composite bool // it asks for several things, or was completed from the conversation
}

type queryTerm struct {
	term   string
	weight float64 // 1 for a term of the question, less for an aspect or a term of the conversation
}

// contextWeight is the weight of a term that only the conversation has.
const contextWeight = 0.35

// aspectWeight is the weight of words such as "work" in "how does it work" and
// "differ" in "how do they differ": answers seldom repeat them.
const aspectWeight = 0.3

// newQuery parses a question. context is text that the question depends on, or "".
func newQuery(question, context string) query {
	q := query{kind: kindOf(question), english: inEnglish(question)}
	q.quantity, q.counts = askedQuantity(question)
	q.defines, q.sides = text.DefinitionOf(question), text.SidesOf(question)
	for _, t := range text.QueryTerms(question) {
		weight := 1.0
		if plainVerbs()[t] || vagueWords()[t] {
			weight = aspectWeight
		}
		q.terms = append(q.terms, queryTerm{t, weight})
	}
	if context == "" {
		return q
	}
	for _, t := range text.QueryTerms(context) {
		if !q.asks(t) {
			q.terms = append(q.terms, queryTerm{t, contextWeight})
		}
	}
	return q
}

func (q query) asks(term string) bool {
	return slices.ContainsFunc(q.terms, func(t queryTerm) bool { return t.term == term })
}

// candidate is a sentence that could be quoted.
type candidate struct {
	doc      int // index of its text
	span     evidence.Span
	text     string
	pos      int // its index in the text, from 0
	prior    float64
	source   string
	document string   // names its document
	title    []string // the stems of its document's title
	name     string   // title of its document
	about    bool     // its document is about what the question asks about, by its title
	tokens   []text.Token
	terms    []string
	says     []string // the terms of the query that it contains itself
	asked    bool     // one of them is the question's own
	score    float64
	opening  float64 // the part of score that counts for the first sentence of an answer only
	coverage float64
	like     likeness // to the question; zero: not measured
}

func newCandidate(doc int, sp evidence.Span, s string, pos int) candidate {
	c := candidate{doc: doc, span: sp, text: s, pos: pos, tokens: text.Tokenize(s)}
	for _, t := range c.tokens {
		if !t.Stop {
			c.terms = append(append(c.terms, t.Term), text.OtherForms(s, t, "")...)
		}
	}
	return c
}

// score sets the score and the coverage of every candidate. The candidates of one
// document must be adjacent and in its order.
func score(q query, pool []candidate) {
	docs := make([][]string, len(pool))
	length := 0
	for i := range pool {
		docs[i] = pool[i].terms
		length += len(docs[i])
	}
	mean := max(float64(length)/float64(max(len(pool), 1)), 1)
	bm := text.NewBM25(docs)
	alike := similarities(q, pool)
	words := make([]float64, len(pool))
	most := leadingIDF(q, pool, bm)
	for i := range pool {
		c := &pool[i]
		var before []string
		if i > 0 && pool[i-1].doc == c.doc && c.refers() {
			before = pool[i-1].terms
		}
		said, all := 0.0, 0.0
		for _, t := range q.terms {
			idf := t.weight * bm.IDF(t.term)
			words[i] += idf * saturated(c.terms, t.term, mean)
			best := 0.0
			for _, x := range c.terms {
				best = max(best, alike[t.term][x])
			}
			if best >= leastAlike {
				c.says = append(c.says, t.term)
				c.asked = c.asked || t.weight == 1
			}
			if best < 1 {
				if w := implied(t.term, before, c.title); w > 0 {
					words[i] += w * idf
					best = max(best, impliedCoverage)
				}
			}
			if t.weight == aspectWeight {
				idf = t.weight * min(bm.IDF(t.term), most)
			}
			said, all = said+idf*best, all+idf
		}
		if all > 0 {
			c.coverage = said / all
		}
	}
	for i, z := range standardise(words) {
		c := &pool[i]
		c.score = z + alignWeight*c.coverage + positionWeight/float64(1+c.pos) + priorWeight*c.prior + styleScore(c.tokens)
		if c.about {
			c.opening = aboutWeight + q.kind.openingWeight()/float64(1+c.pos)
			c.score += c.opening
		}
		if q.kind.fits(q, c) {
			c.score += kindWeight
		}
	}
}

// leadingIDF returns the highest IDF of the question's own terms that a candidate
// contains. It limits the weight of aspects: "work" in "how do goroutines work" is
// not more specific than the subject, even if it is rarer.
func leadingIDF(q query, pool []candidate, bm *text.BM25) float64 {
	most := 0.0
	for _, t := range q.terms {
		if t.weight != 1 {
			continue
		}
		if slices.ContainsFunc(pool, func(c candidate) bool { return slices.Contains(c.terms, t.term) }) {
			most = max(most, bm.IDF(t.term))
		}
	}
	if most == 0 {
		return math.Inf(1)
	}
	return most
}

// saturated returns BM25's term-frequency factor for one term.
func saturated(terms []string, term string, mean float64) float64 {
	tf := 0.0
	for _, x := range terms {
		if x == term {
			tf++
		}
	}
	if tf == 0 {
		return 0
	}
	return tf * (text.BM25K1 + 1) / (tf + text.BM25K1*(1-lengthPenalty+lengthPenalty*float64(len(terms))/mean))
}

// implied returns the weight of a term that the sentence does not contain itself.
func implied(term string, before, title []string) float64 {
	switch {
	case slices.Contains(before, term):
		return beforeWeight
	case slices.Contains(title, term):
		return titleWeight
	}
	return 0
}

var (
	firstPersons   = set(strings.Fields("i i'm i've i'd i'll me my mine myself"))
	referringWords = set(strings.Fields("it its this these those they them their he him his she her such"))
	hangingWords   = set(strings.Fields("it its this these those they their he his she her such however therefore thus also but and so then both"))
)

// refers reports whether the sentence has a word that refers to something before
// it.
func (c *candidate) refers() bool {
	return slices.ContainsFunc(c.tokens, func(t text.Token) bool { return referringWords[t.Word] })
}

// styleScore returns the penalties for the style of a sentence.
func styleScore(tokens []text.Token) float64 {
	out := 0.0
	if len(tokens) > 0 && hangingWords[tokens[0].Word] {
		out += hangingWeight
	}
	if slices.ContainsFunc(tokens, func(t text.Token) bool { return firstPersons[t.Word] }) {
		out += personalWeight
	}
	return out
}

// similarities returns, for each term of the question, the similar terms of the
// candidates and their similarity, as "inventor" for "invent".
func similarities(q query, pool []candidate) map[string]map[string]float64 {
	out := make(map[string]map[string]float64, len(q.terms))
	for _, t := range q.terms {
		out[t.term] = map[string]float64{}
	}
	seen := map[string]bool{}
	for i := range pool {
		for _, x := range pool[i].terms {
			if seen[x] {
				continue
			}
			seen[x] = true
			for _, t := range q.terms {
				if s := similarity(t.term, x); s > 0 {
					out[t.term][x] = s
				}
			}
		}
	}
	return out
}

// leastAlike is the similarity below which two words are considered unrelated.
const leastAlike = 0.5

// similarity returns the Dice coefficient of the trigrams of two terms, or 0 below
// leastAlike. It is 1 for the same term only.
func similarity(a, b string) float64 {
	if a == b {
		return 1
	}
	if len(a) < 4 || len(b) < 4 || a[0] != b[0] {
		return 0
	}
	a, b = "<"+a+">", "<"+b+">"
	shared := 0
	for i := 0; i+3 <= len(a); i++ {
		if strings.Contains(b, a[i:i+3]) {
			shared++
		}
	}
	if s := 2 * float64(shared) / float64(len(a)+len(b)-4); s >= leastAlike && s < 1 {
		return s
	}
	return 0
}

// standardise returns x in standard deviations from its mean.
func standardise(x []float64) []float64 {
	out := make([]float64, len(x))
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += v
		squares += v * v
	}
	n := float64(max(len(x), 1))
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0))
	if deviation < 1e-9 {
		return out
	}
	for i, v := range x {
		out[i] = (v - mean) / deviation
	}
	return out
}

const (
	leastWords  = 4    // fewer are a caption, not a sentence
	longestText = 1000 // in bytes; more are a table without its lines, not a sentence
)

// quotable reports whether a sentence may be quoted: it is no heading, question,
// fragment or list of symbols.
func quotable(s string) bool {
	if len(s) > longestText || strings.HasSuffix(s, "?") || strings.ContainsAny(s[:min(1, len(s))], "#|=>") {
		return false
	}
	words, letters, others := 0, 0, 0
	in := false
	for _, r := range s {
		letter := unicode.IsLetter(r)
		switch {
		case letter && (!in || r >= 0x2E80): // each ideograph counts as a word
			words++
			letters++
		case letter || unicode.IsDigit(r):
			letters++
		case !unicode.IsSpace(r):
			others++
		}
		in = letter || r == '\'' || r == '’'
	}
	return words >= leastWords && letters > 2*others && endsSentence(s)
}

// endsSentence reports whether s is a whole sentence, not a caption or the first
// half of one.
func endsSentence(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, `"'”’»)]*_`))
	if strings.ContainsRune(".!…。！:;", last) {
		return true
	}
	// Comments on forums and items of lists often go without a full stop.
	return len(strings.Fields(s)) >= 2*leastWords
}
