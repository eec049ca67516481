package builtin

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// phrase is a run of words that belong together and could be searched for:
// "transformer model", "The Old Man and the Sea", "GPT-3".
type phrase struct {
	text   string
	words  []string // as they are written
	weight float64
	verb   bool // an action, not a subject
	vague  bool // "difference", "history": an aspect of something else
}

// Weights of phrases: the likelier it is that one names a thing, the higher.
const (
	weightQuoted = 4.0
	weightName   = 3.0
	weightNoun   = 1.0
	weightVague  = 0.3
	weightVerb   = 0.2
	perWord      = 0.4 // for each word after the first: "attention head" before "head"
)

// vagueWords are stems of aspects that a question asks about: alone, they match
// anything.
var vagueWords = stems(`advantage answer approach aspect basic benefit best better cause common compare comparison
concept consequence context country date detail difference different disadvantage effect example explain explanation
fact feature few form function general good idea impact important information issue kind list main major mean meaning
method name new number old other overview part people person place point popular problem process purpose question
reason result role similar similarity sort story summary task technique term time today topic type various version way
word world year history city day month first last main older newer difficulty interesting quick short long
brief simple larger smaller bigger faster slower better older newer cheaper higher lower longer shorter stronger weaker tell describe summarise summarize discuss define`)

// plainVerbs are stems of verbs. Stems that are as often nouns, such as "train",
// are left out.
var plainVerbs = stems(`work differ affect happen begin start end invent create discover develop found die born live win
won write wrote written play produce become occur exist introduce introduced publish released release build built
improve allow enable enables contain consist include involve learn need help change handle use happen relate become
appear grow run come go get give know called call based considered consider located belong choose solve prevent
compute calculate calculated perform behave scale explain invented stand mean apply deal lead led cause caused
communicate interact connect operate evolve survive`)

// leadingWords are stems of adjectives that are not part of a name: "main
// advantages", but "large language model".
var leadingWords = stems(`main best better good basic important new different difference first last example interesting
other old common various current`)

// genericHeads add nothing to the noun before them when a query has to be short,
// unless that noun is one of genericOwners.
var (
	genericHeads  = stems(`model models architecture algorithm method technique approach system network language framework library tool`)
	genericOwners = stems(`language business data operating file solar nervous standard role neural large programming design formal
natural query body sign`)
)

// stems returns a function that makes the set of stems of words on its first call.
func stems(words string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		out := map[string]bool{}
		for _, w := range strings.Fields(words) {
			for _, t := range text.Tokenize(w) {
				out[t.Term] = true
			}
		}
		return out
	})
}

// phrases returns the phrases of a question in order of appearance.
func phrases(question string) []phrase {
	out, rest := quotedPhrases(question)
	tokens := text.TokenizeIn(rest, text.DetectLanguage(question))
	for i := 0; i < len(tokens); {
		n := runLength(rest, tokens[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, newPhrase(rest, tokens, i, i+n)...)
		i += n
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(p phrase) bool {
		key := strings.Join(text.QueryTerms(p.text), " ")
		dup := key == "" || seen[key]
		seen[key] = true
		return dup
	})
}

// quotedPhrases returns the phrases in quotation marks, and s without them.
func quotedPhrases(s string) ([]phrase, string) {
	var out []phrase
	for _, pair := range [][2]string{{`"`, `"`}, {"“", "”"}, {"«", "»"}, {"`", "`"}} {
		for {
			before, after, ok := strings.Cut(s, pair[0])
			inside, behind, closed := strings.Cut(after, pair[1])
			if !ok || !closed {
				break
			}
			if inside = text.Squash(inside); inside != "" && len(inside) <= longestPhrase {
				out = append(out, phrase{text: inside, words: strings.Fields(inside), weight: weightQuoted})
			}
			s = before + " . " + behind // the full stop keeps the neighbours apart
		}
	}
	return out, s
}

// longestPhrase is in bytes, longestRun in words: for languages whose function
// words are not known.
const (
	longestPhrase = 80
	longestRun    = 6
)

// runLength returns how many of the tokens belong together, from the first on.
func runLength(s string, tokens []text.Token) int {
	if tokens[0].Stop && !opensTitle(s, tokens) {
		return 0
	}
	n := 1
	for n < len(tokens) && (n < longestRun || ideograph(tokens[n])) && tokens[n].End-tokens[0].Start <= longestPhrase {
		switch {
		case !joined(s[tokens[n-1].End:tokens[n].Start]):
			return n
		case !tokens[n].Stop:
			n++
		case titleGap(s, tokens, n) > 0:
			n += titleGap(s, tokens, n)
		default:
			return n
		}
	}
	return n
}

func ideograph(t text.Token) bool {
	r, _ := utf8.DecodeRuneInString(t.Word)
	return r >= 0x2E80
}

// joined reports whether the text between two words is only space, hyphens and the
// like.
func joined(gap string) bool {
	return strings.Trim(gap, " -–\t\n'’./+#") == "" && !strings.Contains(gap, ". ")
}

// opensTitle recognises "The Old Man…" within a sentence.
func opensTitle(s string, tokens []text.Token) bool {
	return tokens[0].Start > 0 && len(tokens) > 1 && upper(s, tokens[0]) && upper(s, tokens[1]) && !tokens[1].Stop &&
		joined(s[tokens[0].End:tokens[1].Start])
}

// titleGap counts the small words inside a name, as in "University of Oxford"
// or "Old Man and the Sea", with the capitalised word behind them. "and" alone
// joins two names, not the parts of one.
func titleGap(s string, tokens []text.Token, at int) int {
	if !upper(s, tokens[at-1]) {
		return 0
	}
	for n := at; n < len(tokens) && n < at+3; n++ {
		t := tokens[n]
		if !joined(s[tokens[n-1].End:t.Start]) {
			return 0
		}
		if !t.Stop && upper(s, t) {
			if n == at+1 && (tokens[at].Word == "and" || tokens[at].Word == "or") {
				return 0
			}
			return n - at + 1
		}
		if !slices.Contains([]string{"of", "the", "and", "in", "on", "for", "de", "la", "to", "or"}, t.Word) || upper(s, t) {
			return 0
		}
	}
	return 0
}

func upper(s string, t text.Token) bool {
	r, _ := utf8.DecodeRuneInString(s[t.Start:])
	return unicode.IsUpper(r)
}

// newPhrase returns the phrases of tokens[from:to]: verbs and vague words at either
// end are phrases of their own.
func newPhrase(s string, tokens []text.Token, from, to int) []phrase {
	named := slices.ContainsFunc(tokens[from:to], func(t text.Token) bool { return isName(s, t) })
	var out []phrase
	for !named && to-from > 1 && (plainVerbs()[tokens[from].Term] || leadingWords()[tokens[from].Term]) {
		out = append(out, onePhrase(s, tokens[from:from+1]))
		from++
	}
	var behind []phrase
	for to-from > 1 && !isName(s, tokens[to-1]) && (plainVerbs()[tokens[to-1].Term] || vagueWords()[tokens[to-1].Term]) {
		behind = append(behind, onePhrase(s, tokens[to-1:to]))
		to--
	}
	return append(append(out, onePhrase(s, tokens[from:to])), behind...)
}

func onePhrase(s string, tokens []text.Token) phrase {
	p := phrase{weight: weightNoun}
	for _, t := range tokens {
		p.words = append(p.words, bare(s[t.Start:t.End]))
	}
	p.text = text.Squash(bare(s[tokens[0].Start:tokens[len(tokens)-1].End]))
	p.text = strings.NewReplacer("'s ", " ", "’s ", " ").Replace(p.text)
	first := tokens[0]
	switch {
	case slices.ContainsFunc(tokens, func(t text.Token) bool { return isName(s, t) }):
		p.weight = weightName
	case len(tokens) == 1 && (vagueWords()[first.Term] || strings.Trim(first.Word, "0123456789.") == ""):
		p.weight, p.vague = weightVague, true
	case len(tokens) == 1 && (plainVerbs()[first.Term] || participle(first.Word) || afterWho(s, first)):
		p.weight, p.verb = weightVerb, true
	}
	p.weight += perWord * float64(min(len(tokens), 3)-1)
	return p
}

// isName reports whether a word is written like a name: with a capital that is not
// the start of a sentence, or with a capital or digit inside ("GPT-3", "iPhone").
func isName(s string, t text.Token) bool {
	w := s[t.Start:t.End]
	_, n := utf8.DecodeRuneInString(w)
	if strings.ContainsFunc(w[n:], unicode.IsUpper) || strings.ContainsFunc(w, unicode.IsDigit) && strings.ContainsFunc(w, unicode.IsLetter) {
		return true
	}
	before := strings.TrimRight(s[:t.Start], " \t\n\"'“‘(")
	return upper(s, t) && before != "" && !strings.ContainsAny(before[len(before)-1:], ".!?")
}

// participle recognises "trained" and "patented".
func participle(w string) bool {
	return len(w) > 4 && strings.HasSuffix(w, "ed") && !strings.HasSuffix(w, "eed")
}

// afterWho recognises the verb of "who painted …" and of "… did X paint".
func afterWho(s string, t text.Token) bool {
	before := strings.ToLower(strings.TrimSpace(s[:t.Start]))
	return strings.HasSuffix(before, "who") || before == "what" || before == "which"
}

func bare(w string) string {
	return strings.TrimSuffix(strings.TrimSuffix(w, "'s"), "’s")
}

// subjects returns the phrases that name things, the highest weight first.
func subjects(list []phrase) []phrase {
	out := slices.Clone(list)
	out = slices.DeleteFunc(out, func(p phrase) bool { return p.verb || p.vague })
	slices.SortStableFunc(out, func(a, b phrase) int { return cmp.Compare(b.weight, a.weight) })
	return out
}

var pronouns = set(strings.Fields(`it its they them their theirs he him his she her hers those these former latter both ones
neither either such itself themselves`))

// isFollowUp reports whether a question depends on the conversation before it: it
// has a pronoun without an antecedent in the question, or no subject.
func isFollowUp(question string) bool {
	list := phrases(question)
	if len(subjects(list)) == 0 {
		return true
	}
	for _, t := range text.Tokenize(question) {
		pointing := (t.Word == "this" || t.Word == "that") && len(subjects(list)) < 2
		if !pronouns[t.Word] && !pointing {
			continue
		}
		if len(subjects(phrases(question[:t.Start]))) == 0 {
			return true
		}
	}
	start := strings.ToLower(strings.TrimSpace(question))
	for _, s := range []string{"and ", "what about ", "how about ", "what else", "why not"} {
		if strings.HasPrefix(start, s) {
			return true
		}
	}
	return false
}

// mostTopics limits how many topics a conversation adds to a question.
const mostTopics = 4

// topics returns the latest subjects of the conversation, the latest first,
// without those that the question names itself.
func topics(question, summary string, turns []evidence.Turn) []string {
	summary, _ = text.Clean(summary)
	asked := set(text.QueryTerms(question))
	var out []string
	seen := map[string]bool{}
	add := func(s string) {
		for _, p := range subjects(phrases(s)) {
			key := strings.Join(text.QueryTerms(p.text), " ")
			fresh := slices.ContainsFunc(text.QueryTerms(p.text), func(t string) bool { return !asked[t] })
			if len(out) < mostTopics && fresh && !seen[key] {
				seen[key] = true
				out = append(out, p.text)
			}
		}
	}
	for _, t := range slices.Backward(turns) {
		if t.Role == evidence.RoleUser {
			said, _ := text.Clean(t.Text)
			add(said)
		}
	}
	asks, prose := conversation.Questions(summary)
	for _, s := range slices.Backward(asks) {
		add(s)
	}
	add(prose)
	return out
}
