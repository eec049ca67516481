package builtin

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// questionType is what a question asks for.
type questionType int

const (
	kindOther questionType = iota // how, whether, compare and the rest: any sentence may answer
	kindWho
	kindWhen
	kindWhere
	kindNumber
	kindWhy
	kindDefinition
)

var (
	asksNumber = text.Pattern(`(?i)\bhow (many|much|long|old|big|large|tall|high|far|fast|often|deep|heavy|wide)\b|` +
		`\bwhat (is|was|are|were)? ?(the )?(percentage|percent|number|amount|population|size|age|distance|speed|price|cost)\b`)
	asksWhen = text.Pattern(`(?i)^(since |until )?when\b|\b(what|which) (year|date|day|month|century|decade)\b`)
	// "which city" asks for a place, "which of those cities" may ask for anything.
	asksWhere = text.Pattern(`(?i)^where\b|\b(what|which) (city|country|state|town|place|location|continent|county|region)\b`)
	asksWhy   = text.Pattern(`(?i)^why\b|\b(the reason|caused?\b)`)
	asksWho   = text.Pattern(`(?i)^(who|whom|whose)\b|\b(by|from|to|with) whom\b|\b(what|which) (person|man|woman|president|king|queen|actor|author|player|scientist|singer)\b`)
	asksWhat  = text.Pattern(`(?i)^(what|who) (is|are|was|were) (an? |the )?\S+( \S+){0,3}$|^define\b|\bmeans?$`)

	hasDate = text.Pattern(`\b(1[0-9]{3}|20[0-9]{2})s?\b|\b[0-9]{1,2}(st|nd|rd|th) century\b|\bBCE?\b|` +
		`\b(January|February|March|April|May|June|July|August|September|October|November|December)\b`)
	hasNumber = text.Pattern(`\d|\b(?i:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|twice|once|percent)\b`)
	hasPlace  = text.Pattern(`\b(?:in|at|near|from|to|of|on) (?:the )?\p{Lu}`)
	hasReason = text.Pattern(`(?i)\b(because|due to|since|so that|in order to|reasons?|caused?|causes|results? (of|in|from)|resulted|led to|therefore|thus)\b`)
	isA       = text.Pattern(`(?i)\b(is|are|was|were|refers? to|means?|describes?)\b`)
)

// subjectReach is how many bytes may precede the verb of a definition.
const subjectReach = 100

func kindOf(question string) questionType {
	q := strings.TrimRight(strings.TrimSpace(question), "?!. ")
	for _, k := range []struct {
		asks func() *regexp.Regexp
		kind questionType
	}{
		{asksNumber, kindNumber}, {asksWhen, kindWhen}, {asksWhere, kindWhere}, {asksWhy, kindWhy}, {asksWhat, kindDefinition}, {asksWho, kindWho},
	} {
		if k.asks().MatchString(q) {
			return k.kind
		}
	}
	return kindOther
}

// single reports whether one sentence can be the whole answer.
func (k questionType) single() bool {
	return k == kindWho || k == kindWhen || k == kindWhere || k == kindNumber
}

// openingWeight is the weight of the first sentence of a document about the
// subject, which usually defines it.
func (k questionType) openingWeight() float64 {
	switch k {
	case kindDefinition:
		return 1.5
	case kindOther:
		return 0.8
	}
	return 0
}

// fits reports whether the sentence has the form of an answer.
func (k questionType) fits(q query, c *candidate) bool {
	switch k {
	case kindWho:
		return hasName(q, c)
	case kindWhen:
		return hasDate().MatchString(c.text)
	case kindWhere:
		return hasPlace().MatchString(c.text)
	case kindNumber:
		return hasNumber().MatchString(c.text)
	case kindWhy:
		return hasReason().MatchString(c.text)
	case kindDefinition:
		return defines(q, c)
	}
	return false
}

// hasName reports whether there are two capitalised words in a row that are not in
// the question.
func hasName(q query, c *candidate) bool {
	run, end := 0, 0
	for _, t := range c.tokens {
		if run > 0 && strings.Trim(c.text[end:t.Start], " .") != "" {
			run = 0
		}
		end = t.End
		r, _ := utf8.DecodeRuneInString(c.text[t.Start:])
		if !unicode.IsUpper(r) || t.Stop || q.asks(t.Term) {
			run = 0
			continue
		}
		if run++; run == 2 {
			return true
		}
	}
	return false
}

// defines reports whether a term of the question precedes the verb.
func defines(q query, c *candidate) bool {
	verb := isA().FindStringIndex(c.text)
	if verb == nil || verb[0] > subjectReach {
		return false
	}
	for _, t := range text.Terms(c.text[:verb[0]]) {
		if q.asks(t) {
			return true
		}
	}
	return false
}
