package proof

import (
	"slices"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

// word is a word of a statement.
type word struct {
	at         int // its index
	start, end int // byte offsets into the statement
	text       string
	stem       string
	stop       bool // a function word, which is not compared by itself
	name       bool // written as a name or an identifier
	number     bool // a figure, or a part of one
	clause     int  // index of its clause
}

// clause is a part of a statement that says one thing.
type clause struct {
	from, to int      // range of words
	denials  []string // words that negate it
	mood     mood
	amounts  amount
}

// statement is a piece of text, prepared for comparison.
type statement struct {
	text       string
	words      []word
	clauses    []clause
	quantities []quantity
	cut        bool // it is longer than maxWords
}

// maxWords of a statement are read, which bounds the time of the rules.
const maxWords = 100

func parse(s string) statement {
	s = text.LinearNumbers(s)
	out := statement{text: s}
	for _, t := range text.Tokenize(s) {
		acronym := t.Stop && t.End-t.Start > 1 && isUpper(s[t.Start:t.End]) && modals[t.Word] == factual && !denialWords[t.Word] && !auxiliaries[t.Word] && isLowerSomewhere(s)
		out.words = append(out.words, word{start: t.Start, end: t.End, text: t.Word, stem: stem(t.Word), stop: t.Stop && !compared[t.Word] && !acronym, name: acronym})
	}
	if out.cut = len(out.words) > maxWords; out.cut {
		out.words = out.words[:maxWords]
		s = s[:out.words[maxWords-1].end]
		out.text = s
	}
	out.quantities = quantities(s)
	for i := range out.words {
		w := &out.words[i]
		w.at = i
		w.number = startsWithDigit(w.text) || numberWord(w.text) || slices.ContainsFunc(out.quantities, func(q quantity) bool { return q.start <= w.start && w.end <= q.end })
		w.name = w.name || !w.number && out.isName(i)
	}
	out.bounds()
	out.divide()
	for i := range out.clauses {
		out.judgeClause(&out.clauses[i])
	}
	return out
}

func isUpper(s string) bool { return s == strings.ToUpper(s) && s != strings.ToLower(s) }

// isLowerSomewhere reports whether a text is not all in capitals.
func isLowerSomewhere(s string) bool { return strings.ContainsFunc(s, unicode.IsLower) }

// compared are words of the stop list that carry the meaning of a statement.
var compared = map[string]bool{
	"above": true, "below": true, "always": true, "never": true, "down": true, "up": true, "off": true, "on": false, "over": false, "under": false,
	"less": true, "more": true, "most": true, "few": true, "many": true, "need": false, "likely": false, "keep": true,
	"find": true, "become": false, "given": false, "made": true, "make": true, "taken": true, "take": true, "once": false, "use": true, "used": true, "using": true, "uses": true,
}

// bounds takes the words of "at least", "no more than", "or more" out of the
// comparison: they belong to a number.
func (s *statement) bounds() {
	at := func(i int) string {
		if i >= 0 && i < len(s.words) {
			return s.words[i].text
		}
		return ""
	}
	for i := range s.words {
		w := &s.words[i]
		switch w.text {
		case "least", "most":
			w.stop = w.stop || at(i-1) == "at"
		case "more", "less", "fewer":
			w.stop = w.stop || at(i-1) == "or" || at(i+1) == "than" && i+2 < len(s.words) && s.words[i+2].number
		}
	}
}

// isName reports whether a word is written as a name: with a capital letter that
// does not begin the sentence, or with capitals or marks within it.
func (s *statement) isName(i int) bool {
	w := s.words[i]
	raw := s.text[w.start:w.end]
	if strings.ContainsFunc(raw[1:], unicode.IsUpper) && strings.ContainsFunc(raw, unicode.IsLower) || s.identifier(w) {
		return true
	}
	first := []rune(raw)[0]
	if !unicode.IsUpper(first) || w.stop || isStop(w.text) || modals[w.text] != factual {
		return false
	}
	if i > 0 && !endsSentence(s.between(i)) {
		return true
	}
	// The first word: a name when another one follows, or when it is an acronym.
	allUpper := len(raw) > 1 && raw == strings.ToUpper(raw)
	next := i+1 < len(s.words) && s.between(i+1) == " " && startsUpper(s.text[s.words[i+1].start:]) && !isStop(s.words[i+1].text)
	return allUpper || next
}

// identifier reports whether a word is marked as code: in backticks, an option, or
// with an underscore.
func (s *statement) identifier(w word) bool {
	before := s.text[:w.start]
	return strings.Contains(w.text, "_") || strings.HasSuffix(before, "`") || strings.HasSuffix(before, " --") || strings.HasSuffix(before, "`--")
}

// between is the text between word i and the one before it.
func (s *statement) between(i int) string {
	from := 0
	if i > 0 {
		from = s.words[i-1].end
	}
	return s.text[from:s.words[i].start]
}

// endsSentence reports whether a sentence or a block ends in the gap between two
// words. A line break alone is no end.
func endsSentence(gap string) bool {
	return strings.ContainsAny(gap, ".!?:•|") || strings.Contains(gap, "\n\n") || strings.Contains(gap, "\n- ") || strings.Contains(gap, "\n* ")
}

func startsUpper(s string) bool {
	for _, r := range s {
		return unicode.IsUpper(r)
	}
	return false
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// isStop reports whether the folded word is a function word.
func isStop(w string) bool { return text.IsStop(w) }

// Words that begin a clause wherever they stand.
var clauseWords = wordSet(`but whereas although though because unless until if when whenever while which who whose where however
	conversely since yet so except`)

// Words that begin a clause behind a comma or "and".
var afterComma = wordSet(`and or it they he she we you this that these those there then not never must may can could should will would shall
	might is are was were has have had does do did an the a its their his her in at by for as to nor`)

// Words with which a clause begins that ends at the first comma.
var openers = wordSet(`if when whenever unless after before while as although though since unlike without with in by at during because
	once despite compared given under for on to`)

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// divide finds the clauses.
func (s *statement) divide() {
	start := 0
	cut := func(at int) {
		if at > start {
			s.clauses = append(s.clauses, clause{from: start, to: at})
			start = at
		}
	}
	for i := 1; i < len(s.words); i++ {
		if s.opensClause(i, start) {
			cut(i)
		}
	}
	cut(len(s.words))
	s.clauses = s.divided(s.clauses)
	for n, c := range s.clauses {
		for i := c.from; i < c.to; i++ {
			s.words[i].clause = n
		}
	}
}

// divided cuts clauses at an "and" or "or" behind which something is denied, or the
// opposite said.
func (s *statement) divided(in []clause) []clause {
	var out []clause
	for _, c := range in {
		for i := c.from + 1; i < c.to-1; i++ {
			if w := s.words[i].text; w != "and" && w != "or" {
				continue
			}
			if s.hasContent(c.from, i) && s.hasContent(i, c.to) && s.turnsAt(c, i) {
				out = append(out, clause{from: c.from, to: i})
				c.from = i
			}
		}
		out = append(out, c)
	}
	return out
}

// turnsAt reports whether only the words behind i have a denial, or a word that is
// opposed to one before i.
func (s *statement) turnsAt(c clause, i int) bool {
	before, behind := false, false
	for j := c.from; j < c.to; j++ {
		if !denialWords[s.words[j].text] {
			continue
		}
		if j < i {
			before = true
		} else {
			behind = true
		}
	}
	if behind && !before {
		return true
	}
	for _, j := range s.content(clause{from: c.from, to: i}) {
		for _, k := range s.content(clause{from: i, to: c.to}) {
			if k > i+1 && j < i-1 && opposed(s.words[j], s.words[k]) {
				return true
			}
		}
	}
	return false
}

func (s *statement) opensClause(i, start int) bool {
	gap, w := s.between(i), s.words[i].text
	switch {
	case strings.Contains(gap, "(") && !s.shortAside(i):
		return true
	case strings.Contains(gap, ")") && !strings.Contains(gap, "("):
		return w == "or" || w == "and" || w == "but" || strings.ContainsAny(gap, ".;,") || !s.shortAside(s.asideStart(i))
	case strings.ContainsAny(gap, ";:—–!?") || strings.Contains(gap, ". ") || strings.Contains(gap, ".\n") || strings.Contains(gap, "--") && strings.HasPrefix(gap, "--") && len(gap) > 2:
		return true
	case clauseWords[w]:
		return w != "but" && w != "except" || !excepting(s.words[i-1].text, w)
	case strings.Contains(gap, ","):
		list := s.words[start].text == "no" || s.words[start].text == "neither"
		return openers[s.words[start].text] || !list && (afterComma[w] && !s.enumerates(i) || s.verbAhead(i))
	case w == "that" && i+1 < len(s.words) && s.hasContent(start, i) && (auxiliaries[s.words[i+1].text] || modals[s.words[i+1].text] != factual):
		return true
	case relatives[s.words[start].text] && i > start+2 && (auxiliaries[w] || modals[w] != factual) && !auxiliaries[s.words[i-1].text] && modals[s.words[i-1].text] == factual && s.words[i-1].text != "not" && s.hasContent(start+1, i):
		return true // the relative clause has ended
	case w == "and" && i+1 < len(s.words):
		next := s.words[i+1].text
		return modals[next] != factual || auxiliaries[next] || pronouns[next] || next == "not" || next == "never" || s.verbAhead(i+1)
	}
	return false
}

var relatives = wordSet("that which who")

func (s *statement) hasContent(from, to int) bool {
	for _, w := range s.words[from:to] {
		if !w.stop {
			return true
		}
	}
	return false
}

// asideWords is the length up to which words in parentheses belong to the clause
// before them.
const asideWords = 3

// shortAside reports whether the parenthesis that opens before word i holds only a
// few words.
func (s *statement) shortAside(i int) bool {
	for j := i + 1; j <= i+asideWords && j < len(s.words); j++ {
		if strings.Contains(s.between(j), ")") {
			return true
		}
	}
	return i+asideWords >= len(s.words)
}

// asideStart returns the word that the parenthesis before word i begins with.
func (s *statement) asideStart(i int) int {
	for j := i - 1; j > 0; j-- {
		if strings.Contains(s.between(j), "(") {
			return j
		}
	}
	return 0
}

// verbAhead reports whether a verb follows the one or two words at i, so that a
// comma before them ends a clause.
func (s *statement) verbAhead(i int) bool {
	for j := i + 1; j < min(i+3, len(s.words)) && !strings.Contains(s.between(j), ","); j++ {
		w := s.words[j].text
		if auxiliaries[w] || modals[w] != factual {
			return true
		}
	}
	return false
}

// enumerates reports whether word i, behind a comma, ends a list: "a, b, and c".
func (s *statement) enumerates(i int) bool {
	w := s.words[i].text
	if w != "and" && w != "or" || i+1 >= len(s.words) {
		return false
	}
	next := s.words[i+1].text
	for j := i + 1; j < len(s.words) && j < i+11; j++ {
		if auxiliaries[s.words[j].text] || modals[s.words[j].text] != factual {
			return false
		}
	}
	return !pronouns[next]
}

var (
	auxiliaries = wordSet("is are was were be been being has have had do does did isn't aren't wasn't weren't doesn't don't didn't hasn't haven't hadn't won't can't couldn't shouldn't wouldn't")
	pronouns    = wordSet("it they he she we you i them him her this that these those its their his")
)

// content returns the indexes of the words of a clause that are compared.
func (s *statement) content(c clause) []int {
	var out []int
	for i := c.from; i < c.to; i++ {
		if !s.words[i].stop {
			out = append(out, i)
		}
	}
	return out
}

// hasStem reports whether one of the words from..to has the stem.
func (s *statement) hasStem(from, to int, stem string) bool {
	for _, w := range s.words[from:to] {
		if w.stem == stem {
			return true
		}
	}
	return false
}
