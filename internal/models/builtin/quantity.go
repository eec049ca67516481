package builtin

import (
	"regexp"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/proof"
	"github.com/research-mcp/research-mcp/internal/text"
)

// quantity is a number that a question asks for.
type quantity struct {
	dims  []string // dimensions that it may have, as proof.Quantities names them; nil: any
	nouns []string // stems of what is counted; nil: anything
}

var (
	// Each pattern's last group is what follows the words that ask, in English,
	// Portuguese and Spanish, French, German, and Italian.
	asksCount = text.Pattern(`(?i)\b(?:how (?:many|much)|(?:what|which)(?: is| was| are)?(?: the)? (?:\w+ )?number of|(?:largest|highest|greatest|maximum|maximal|minimum|minimal|smallest|lowest|least|max|total|average|default) (?:number|count|amount) of|` +
		`quant[oa]s?|cu[aá]nt[oa]s?|combien(?: de| d['’])?|wie ?viele?|quant[ie])\s+(.*)`)
	asksExtent = text.Pattern(`(?i)\bhow (?:long|old|big|large|tall|high|far|fast|often|deep|heavy|wide|soon)\b|\bwie (?:lange|groß|hoch|weit|alt|oft)\b`)
	asksYear   = text.Pattern(`(?i)\b(?:what|which) year\b|^when (?:did|was|were)\b|\bem que ano\b|\ben qué año\b|\bin welchem jahr\b`)
	asksMoney  = text.Pattern(`(?i)\bhow much (?:does|do|is|are|did|would|will)\b.*\b(?:costs?|fees?|pay|paid|prices?|charged?|worth|earn)\b|\b(?:what|which)\b.*\b(?:price|costs?|fees?)\b`)
	asksShare  = text.Pattern(`(?i)\bwhat (?:percentage|percent|share|fraction|proportion)\b`)
	// A Japanese or Chinese question for a number, with the unit or the counter.
	asksCJK = text.Pattern(`(?:何|なん|几|幾|多少)\s?(\p{Katakana}[\p{Katakana}ー]+|[秒分時日年月個回件行人台倍個])|いくつ|いくら|どのくらい|どれくらい|多少|几个`)
)

// cjkUnits are units in Japanese and Chinese.
var cjkUnits = map[string]string{
	"秒": "time", "分": "time", "時": "time", "日": "time", "年": "time", "月": "time", "ミリ秒": "time",
	"バイト": "data", "キロバイト": "data", "メガバイト": "data", "ギガバイト": "data",
}

// byteWords are things that are measured in bytes.
var byteWords = set(strings.Fields("memory ram storage space disk bandwidth memória armazenamento memoria almacenamiento mémoire speicher"))

var money = []string{"dollar", "euro", "pound", "yen"}

// askedQuantity returns the number that a question asks for, if it does.
func askedQuantity(question string) (quantity, bool) {
	switch {
	case asksShare().MatchString(question):
		return quantity{dims: []string{"share"}}, true
	case asksYear().MatchString(question):
		return quantity{dims: []string{"year", "month"}}, true
	}
	if m := asksCount().FindStringSubmatch(question); m != nil {
		return counted(m[1], question), true
	}
	if m := asksCJK().FindStringSubmatch(question); m != nil {
		if dim := cjkUnits[m[1]]; dim != "" {
			return quantity{dims: []string{dim}}, true
		}
		return quantity{}, true
	}
	return quantity{}, asksExtent().MatchString(question)
}

// counted reads what follows "how many".
func counted(rest, question string) quantity {
	var nouns []string
	for i, t := range text.Tokenize(rest) {
		w := strings.ToLower(rest[t.Start:t.End])
		if dim := proof.UnitDimension(w); dim != "" {
			return quantity{dims: []string{dim}, nouns: []string{t.Term}}
		}
		if byteWords[w] && i == 0 {
			return quantity{dims: []string{"data"}}
		}
		if i == 0 && t.Stop {
			break // "how many of them", "how much does it"
		}
		if t.Stop || len(nouns) == 2 {
			break
		}
		nouns = append(nouns, t.Term)
	}
	if len(nouns) == 0 && asksMoney().MatchString(question) {
		return quantity{dims: money}
	}
	return quantity{nouns: nouns}
}

// Distances in words between a number and what it counts.
const (
	beforeNoun = 4 // "500 other concurrent requests"
	afterNoun  = 6 // "requests are limited to 500"
	inSentence = 20
)

// longestBefore is how many bytes in front of a number are read for what it is.
const longestBefore = 80

// listNumber is the number of a list's item, or of a heading.
var listNumber = text.Pattern(`(?m)^[\s>#]*(\d+(?:\.\d+)*[.)]?) `)

// nameBefore is in front of a number that names something and counts nothing.
var nameBefore = text.Pattern(`(?i)\b(?:version|versión|versão|release|chapter|section|part|page|table|figure|step|rfc|issue|python|go|java|error|status|port)\s+v?$`)

// in reports whether a text has such a number.
func (q quantity) in(s string) bool {
	found := proof.Quantities(s)
	if len(found) == 0 {
		return false
	}
	marks := listNumber().FindAllStringSubmatchIndex(s, -1)
	var tokens []text.Token
	if len(q.nouns) > 0 {
		tokens = text.Tokenize(s)
	}
	for _, f := range found {
		before := s[max(0, f.Start-longestBefore):f.Start]
		mark, _ := slices.BinarySearchFunc(marks, f.Start, func(m []int, start int) int { return m[3] - 1 - start })
		if f.Dim == "ordinal" || matches(nameBefore, before) || dotted().MatchString(s[f.Start:]) || mark < len(marks) && marks[mark][2] <= f.Start {
			continue
		}
		switch {
		case q.dims != nil:
			if slices.Contains(q.dims, f.Dim) || f.Dim == "" && (q.named(before) || q.counts(s, tokens, f, inSentence, inSentence)) {
				return true
			}
		case len(q.nouns) > 0:
			if q.counts(s, tokens, f, beforeNoun, afterNoun) {
				return true
			}
		case f.Dim != "year" && (f.Dim != "" || unitBefore().MatchString(before) || followed().MatchString(s[f.End:])):
			return true
		}
	}
	return false
}

// dotted is a version, not a number.
var dotted = text.Pattern(`^\d+(?:\.\d+){2,}`)

// followed is a number that counts something, or ends what it is said in.
var followed = text.Pattern("^[`\"'*_)\\]-]*(?:\\s?[\\p{L}%°]|[.,;:]?\\s*(?:\\n|$)|[.,;:])")

// unitBefore is a unit in front of its number: "days=31".
var unitBefore = text.Pattern(`([\p{L}]+)\s?[=:]\s?$`)

// named reports whether a unit of the dimension ends before.
func (q quantity) named(before string) bool {
	m := unitBefore().FindStringSubmatch(before)
	return m != nil && slices.Contains(q.dims, proof.UnitDimension(strings.ToLower(m[1])))
}

// counts reports whether the number is said of what the question counts, which is at
// most before words behind it or after words in front of it.
func (q quantity) counts(s string, tokens []text.Token, f proof.Quantity, before, after int) bool {
	at, _ := slices.BinarySearchFunc(tokens, f.Start, func(t text.Token, start int) int { return t.End - 1 - start })
	for i := max(0, at-after); i < min(len(tokens), at+before+1); i++ {
		if i == at || !sameLine(s, tokens, i, at) || i < at && countsOther(s, tokens, at) {
			continue
		}
		for _, n := range q.nouns {
			if similarity(n, tokens[i].Term) >= 0.8 || strings.Contains(tokens[i].Word, n) && len(n) > 3 {
				return true
			}
		}
	}
	return false
}

// countsOther reports whether a number counts what follows it: "requests go to 3
// servers".
func countsOther(s string, tokens []text.Token, at int) bool {
	if at+1 >= len(tokens) || tokens[at+1].Stop || strings.TrimSpace(s[tokens[at].End:tokens[at+1].Start]) != "" {
		return false
	}
	w := tokens[at+1].Word
	return strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && proof.UnitDimension(w) == ""
}

// sentenceEnd is between two words of different sentences.
var sentenceEnd = text.Pattern(`[.!?]["')]?\s|\n\s*\n`)

// sameLine reports whether two words are in one sentence.
func sameLine(s string, tokens []text.Token, i, j int) bool {
	i, j = min(i, j), max(i, j)
	return j < len(tokens) && tokens[i].End <= tokens[j].Start && !matches(sentenceEnd, s[tokens[i].End:tokens[j].Start])
}

func matches(p func() *regexp.Regexp, s string) bool { return p().MatchString(s) }
