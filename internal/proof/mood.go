package proof

import "strings"

// mood is how certain or obligatory a clause is.
type mood uint8

const (
	factual mood = iota
	certain      // will, always, guaranteed
	must
	should
	may     // is allowed, is able
	might   // is not certain
	omitted // need not, may leave out, optional
)

// modals are the words that set a mood.
var modals = map[string]mood{
	"must": must, "shall": must, "required": must, "requires": must, "require": must, "mandatory": must, "needs": must, "compulsory": must, "obligatory": must,
	"should": should, "ought": should, "recommended": should, "advisable": should, "advised": should,
	"may": may, "can": may, "could": might, "might": might, "perhaps": might, "possible": might, "possibly": might, "probably": might, "maybe": might,
	"cannot": may, "can't": may, "couldn't": might, "allowed": may, "permitted": may, "shouldn't": should, "mustn't": must,
	"potentially": might, "allegedly": might, "supposedly": might, "suspected": might, "presumably": might,
	"proven": certain, "proved": certain, "proves": certain, "undisputed": certain, "undeniable": certain,
	"optional": omitted, "optionally": omitted, "voluntary": omitted,
	"will": certain, "definitely": certain, "certainly": certain, "guaranteed": certain, "guarantees": certain, "inevitably": certain, "surely": certain, "won't": certain, "undoubtedly": certain,
}

// amount is a set of quantity words of a clause.
type amount uint8

const (
	every amount = 1 << iota
	most
	some
	only
	alsoOthers // also, too, as well
)

var amounts = map[string]amount{
	"all": every, "every": every, "each": every, "always": every, "everyone": every, "everything": every, "entire": every, "entirely": every, "completely": every, "any": every, "whole": every, "everywhere": every, "invariably": every,
	"most": most, "mostly": most, "usually": most, "generally": most, "typically": most, "normally": most, "majority": most, "mainly": most, "commonly": most, "primarily": most,
	"some": some, "sometimes": some, "several": some, "occasionally": some, "partly": some, "few": some, "many": some, "often": some, "frequently": some, "partially": some, "minority": some, "rarely": some, "seldom": some,
	"only": only, "solely": only, "exclusively": only, "sole": only,
	"also": alsoOthers, "too": alsoOthers,
}

// denialWords negate their clause.
var denialWords = wordSet(`not no never neither none nobody nothing nowhere without cannot hardly barely scarcely
	lack lacks lacked lacking fail fails failed unable refuse refuses refused prevent prevents prevented preventing avoid avoids avoided
	impossible unset unless reject rejects rejected rejecting refusing forbid forbids forbidden prohibit prohibits prohibited
	disallow disallows disallowed ignore ignores ignored disable disables disabled disabling deactivate deactivates deactivated isn't aren't wasn't weren't doesn't don't didn't hasn't haven't hadn't won't can't couldn't shouldn't wouldn't mustn't needn't ain't
	nor`)

// reportedVerbs tell what others hold: "is thought to".
var reportedVerbs = wordSet("thought believed assumed suspected said considered expected supposed hypothesised hypothesized")

// unchanged are words for what nothing is done to.
var unchanged = wordSet("unchanged untouched intact unaffected unmodified unaltered")

// judgeClause counts what negates the clause, and finds its mood and quantity words.
func (s *statement) judgeClause(c *clause) {
	at := func(i int) string {
		if i < c.to && i >= c.from {
			return s.words[i].text
		}
		return ""
	}
	moods := 0
	for i := c.from; i < c.to; i++ {
		w := at(i)
		next := at(i + 1)
		if denialWords[w] && !bounding(w, next, at(i+2)) && (w != "nor" || len(c.denials) == 0) && (w != "not" || next != "only") && !excepting(w, next) {
			c.denials = append(c.denials, denialOf(w))
		}
		if w == "alone" && s.leaves(c, i) || unchanged[w] || w == "as" && (at(i+1) == "they" || at(i+1) == "it") && beForms[at(i+2)] {
			c.denials = append(c.denials, w) // nothing is done to it
		}
		if w == "off" && (beForms[at(i-1)] || strings.HasPrefix(at(i-1), "turn") || strings.HasPrefix(at(i-1), "switch")) {
			c.denials = append(c.denials, w)
		}
		m := modals[w]
		if reportedVerbs[w] && beForms[at(i-1)] && (next == "to" || next == "that" || at(i-2) == "it") {
			m = might
		}
		if w == "have" || w == "has" || w == "had" {
			if next == "to" {
				m = must
			}
		}
		if m == factual || m == certain && c.mood != factual {
			continue
		}
		if (m == must || w == "necessary" || w == "needed") && len(c.denials) > 0 && (w != "must" && w != "shall") {
			m = omitted // is not required
			c.denials = c.denials[:len(c.denials)-1]
		}
		if c.mood != factual && c.mood != certain && c.mood != m {
			moods++
		}
		c.mood = m
	}
	if moods > 0 {
		c.mood = factual // of two moods none can be compared
	}
	s.omission(c)
	for i := c.from; i < c.to; i++ {
		w := at(i)
		if w == "most" && i > c.from && at(i-1) == "at" || w == "many" && at(i-1) == "as" {
			continue
		}
		if w == "as" && at(i+1) == "well" && at(i+2) != "as" {
			c.amounts |= alsoOthers
		}
		if w == "only" && at(i-1) == "not" {
			c.amounts |= alsoOthers
			continue
		}
		if excepting(w, at(i+1)) || w == "alone" && !s.leaves(c, i) {
			c.amounts |= only
			continue
		}
		c.amounts |= amounts[w]
	}
}

// excepting reports whether a denial means "only": "nobody but the owner".
func excepting(w, next string) bool {
	return (w == "nobody" || w == "none" || w == "nothing" || w == "no") && (next == "but" || next == "except")
}

// leaves reports whether a form of "leave" stands before word i: "leave it alone".
func (s *statement) leaves(c *clause, i int) bool {
	for j := c.from; j < i; j++ {
		if stem(s.words[j].text) == "leav" {
			return true
		}
	}
	return false
}

// denialOf is what the forms of a denial have in common.
func denialOf(w string) string {
	if strings.HasSuffix(w, "n't") || w == "cannot" {
		return "not"
	}
	return stem(w)
}

// bounding reports whether a denial only sets a bound: "no more than", "no longer
// than", "no matter".
func bounding(w, next, after string) bool {
	if w != "no" && w != "not" {
		return false
	}
	switch next {
	case "matter", "doubt":
		return true
	case "more", "less", "fewer", "smaller", "larger", "later", "earlier", "greater", "higher", "lower", "longer", "shorter", "bigger":
		return after == "than"
	}
	return false
}

// omissions are the ways to say that something may be left out.
var omissions = []string{"leave out", "left out", "do without", "leave off", "be omitted", "omit", "skip", "need not", "needn't", "no need", "not necessary", "not needed", "do not have to", "does not have to", "don't have to", "doesn't have to"}

// omission sets the mood of a clause that says that something may be left out.
func (s *statement) omission(c *clause) {
	if c.to <= c.from {
		return
	}
	body := strings.ToLower(s.text[s.words[c.from].start:s.words[c.to-1].end])
	for _, o := range omissions {
		if strings.Contains(body, o) && (c.mood == may || c.mood == factual || c.mood == omitted || c.mood == must) {
			negates := strings.HasPrefix(o, "need") || strings.HasPrefix(o, "no") || strings.HasPrefix(o, "do") && o != "do without"
			if c.mood == may || negates {
				if negates && len(c.denials) > 0 && c.mood != omitted {
					c.denials = c.denials[:len(c.denials)-1]
				}
				c.mood = omitted
			}
			return
		}
	}
}
