package builtin

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// referents of pronouns.
var (
	thing  = set(strings.Fields(`it its itself`))
	many   = set(strings.Fields(`they them their theirs these those both either neither`))
	person = set(strings.Fields(`he him his she her hers`))
)

// withReferents returns the question with what its pronouns stand for.
func withReferents(asked string, last exchange) (string, bool) {
	var out strings.Builder
	done, at := false, 0
	words := text.Tokenize(asked)
	for i, t := range words {
		to := ""
		switch {
		case within(asked, words, i):
		case thing[t.Word], t.Word == "one" && i > 0 && i+1 == len(words) && !words[i-1].Stop:
			to = subjectOf(last.question)
		case pointing(words, i):
			to = topicOf(last.question)
		case many[t.Word]:
			to = several(last)
		case person[t.Word]:
			to = whom(last)
		case t.Word == "there" && i > 0 && !auxiliary[words[i-1].Word]:
			to = "in " + subjectOf(last.question)
		}
		if to == "" || done && strings.Contains(strings.ToLower(asked), strings.ToLower(to)) {
			continue
		}
		if done {
			continue // one name is enough; the second pronoun means the same
		}
		out.WriteString(asked[at:t.Start])
		out.WriteString(to)
		at, done = t.End, true
	}
	out.WriteString(asked[at:])
	return out.String(), done
}

// pointing reports whether the word is "this" or "that" without a noun behind it:
// "Why is that?", "Is this safe?".
func pointing(words []text.Token, i int) bool {
	w := words[i].Word
	if w != "this" && w != "that" {
		return false
	}
	if i+1 == len(words) {
		return true
	}
	before := i > 0 && (auxiliary[words[i-1].Word] || prepositions[words[i-1].Word])
	next := words[i+1]
	return auxiliary[next.Word] || before && i > 0 && auxiliary[words[0].Word] && !next.Stop && i == 1 && len(words) == 3 || w == "that" && i == 0 && plainVerbs()[next.Term]
}

var prepositions = set(strings.Fields(`with of against for to in on from about by at into without after before than like over under`))

// within reports whether the pronoun at i stands for something that the question
// itself names, in an earlier clause of it.
func within(asked string, words []text.Token, i int) bool {
	if words[i].Word == "its" || i == 0 {
		return false
	}
	before := asked[:words[i].Start]
	if !names(before) {
		return false
	}
	if strings.ContainsAny(before, ",;:") {
		return true
	}
	for j := i - 1; j > 0 && j >= i-3; j-- {
		switch words[j].Word {
		case "and", "or", "then", "but":
			return !prepositions[words[i-1].Word] && names(asked[:words[j].Start])
		case "if", "when", "after", "before", "because", "while", "that", "so", "until", "since":
			return j < i-1 || words[j].Word != "that"
		}
	}
	return slices.Contains([]string{"if", "when", "after", "before", "once"}, words[0].Word)
}

// names reports whether a part of a question names something.
func names(s string) bool {
	words := text.Tokenize(s)
	for i := 1; i < len(words); i++ {
		if articles[words[i-1].Word] && !words[i].Stop {
			return true
		}
	}
	return len(subjects(phrases(s))) > 0
}

// several is what "they" stands for.
func several(last exchange) string {
	if pair := named(last.question); len(pair) == 2 {
		return pair[0] + " and " + pair[1]
	}
	return subjectOf(last.question)
}

// whom is what "he" or "she" stands for: a name in the question, or else the first one
// in its answer.
func whom(last exchange) string {
	for _, p := range subjects(phrases(last.question)) {
		if p.weight >= weightName && len(p.words) > 1 && !asksWho().MatchString(oneLine(last.question)) {
			return p.text
		}
	}
	if name := firstName(last.answer, last.question); name != "" {
		return name
	}
	return subjectOf(last.question)
}

// firstName returns the first two or three words in a row that begin with a capital
// and are not in the question.
func firstName(answer, question string) string {
	asked := set(text.QueryTerms(question))
	words := text.Tokenize(answer)
	for i := 0; i < len(words); i++ {
		j := i
		for j < len(words) && j < i+3 && capital(answer, words[j]) && !words[j].Stop && !asked[words[j].Term] &&
			(j == i || strings.Trim(answer[words[j-1].End:words[j].Start], " .") == "") {
			j++
		}
		if j-i >= 2 {
			return answer[words[i].Start:words[j-1].End]
		}
	}
	return ""
}

func capital(s string, t text.Token) bool {
	r, _ := utf8.DecodeRuneInString(s[t.Start:])
	return unicode.IsUpper(r) && t.End-t.Start > 1
}

// tail matches the last words of a question that a preposition introduces.
var tail = text.Pattern(`(?i)^(.*\S)\s+(on|in|for|with|to|from|under|at|by|of)\s+([^?]+)$`)

var article = text.Pattern(`(?i)^(?:the|an?) `)

// firstPreposition matches a preposition at the beginning.
var firstPreposition = text.Pattern(`(?i)^(on|in|for|with|to|from|under|at|by)\s+`)

// joinedPreposition matches the one of "And on Windows?".
var joinedPreposition = text.Pattern(`(?i)^(?:(?:and|but|so)\s+)?(for|on|in|with|to|from|at|under)\s`)

// alikeSubjects is the least similarity of a thing to the one whose place it takes, to
// which alikeForm is added where both are names or both are not.
const (
	alikeSubjects = 0.35
	alikeForm     = 0.1
)

// instead returns the last question about another thing: "What about Windows?" after
// "How do I install Helm on macOS?".
func (r *Resolver) instead(ctx context.Context, other, question string, last exchange) string {
	other = article().ReplaceAllString(other, "")
	base := oneLine(last.question)
	if m := joinedPreposition().FindStringSubmatch(question); m != nil && !firstPreposition().MatchString(other) {
		other = strings.ToLower(m[1]) + " " + other
	}
	if p := firstPreposition().FindStringSubmatch(other); p != nil {
		if m := tail().FindStringSubmatch(base); m != nil && strings.EqualFold(m[2], p[1]) {
			return m[1] + " " + other
		}
		return base + " " + other
	}
	things := subjectsOf(leadingAsk().ReplaceAllString(imperative().ReplaceAllString(base, ""), ""))
	if m := defined().FindStringSubmatch(base); m != nil && len(things) == 1 {
		return strings.Replace(base, things[0].text, other, 1)
	}
	if m := anotherOne().FindStringSubmatch(other); m != nil && len(things) > 0 {
		return strings.Replace(base, things[0].text, m[1]+" "+things[0].text, 1)
	}
	old := r.counterpart(ctx, other, base, things)
	if old == "" {
		return base + " " + other
	}
	return strings.Replace(base, old, other, 1)
}

// anotherOne matches "a remote one". Its group is the adjective.
var anotherOne = text.Pattern(`(?i)^(?:an? |the )?([\w-]+(?: [\w-]+)?) ones?$`)

// counterpart returns the thing of the last question whose place another one takes:
// the most similar one, or without an encoder the one that is written alike.
func (r *Resolver) counterpart(ctx context.Context, other, base string, things []phrase) string {
	if len(things) == 0 {
		return ""
	}
	var texts []string
	for _, p := range things[:min(len(things), mostTopics)] {
		if strings.Contains(base, p.text) {
			texts = append(texts, p.text)
		}
	}
	if r.encoder != nil && len(texts) > 0 {
		if v, err := r.encoder.Embed(ctx, append([]string{other}, texts...)); err == nil {
			best, like := "", alikeSubjects
			for i, t := range texts {
				c := dot(v[0], v[i+1])
				if isNamed(t) == isNamed(other) {
					c += alikeForm
				}
				if c > like {
					best, like = t, c
				}
			}
			return best
		}
	}
	if m := tail().FindStringSubmatch(base); m != nil && isNamed(m[3]) == isNamed(other) {
		return m[3]
	}
	if len(texts) == 1 && isNamed(texts[0]) == isNamed(other) {
		return texts[0]
	}
	return ""
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range min(len(a), len(b)) {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// isNamed reports whether something is written as a name.
func isNamed(s string) bool { return strings.ContainsFunc(s, unicode.IsUpper) }
