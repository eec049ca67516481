package builtin

import (
	"context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Resolver completes follow-up questions without a model.
type Resolver struct {
	encoder models.Embedder // compares phrases; nil: their form decides
}

// NewResolver returns the built-in resolver. encoder may be nil.
func NewResolver(encoder models.Embedder) *Resolver { return &Resolver{encoder} }

// exchange is a question of the conversation, completed, and its answer.
type exchange struct {
	question, answer string
}

// longestFollowUp is in bytes: a longer question says itself what it is about.
const longestFollowUp = 300

// Resolve completes a question from the last one of the session and its answer. See
// models.Resolver.
func (r *Resolver) Resolve(ctx context.Context, question string, s evidence.Session) (models.Resolved, error) {
	out := models.Resolved{Question: question}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	var last exchange
	for _, x := range exchanges(s) {
		if last.question != "" {
			x.question = r.complete(ctx, x.question, last).Question
		}
		last = x
	}
	if last.question == "" {
		out.Unbound = elliptical(question)
		return out, nil
	}
	out = r.complete(ctx, question, last)
	return out, ctx.Err()
}

// exchanges returns the questions of a session with their answers, oldest first. Of
// a summary in prose there are none.
func exchanges(s evidence.Session) []exchange {
	var out []exchange
	summary, _ := text.Clean(s.Summary)
	for line := range strings.Lines(summary) {
		line = strings.TrimSpace(line)
		if q, ok := strings.CutPrefix(line, conversation.QuestionPrefix); ok {
			out = append(out, exchange{question: q})
		} else if a, ok := strings.CutPrefix(line, conversation.AnswerPrefix); ok && len(out) > 0 {
			out[len(out)-1].answer = a
		}
	}
	for _, t := range s.Turns {
		said, _ := text.Clean(t.Text)
		switch {
		case t.Role == evidence.RoleUser:
			said, _ = text.Cut(said, longestFollowUp)
			out = append(out, exchange{question: text.Squash(said)})
		case len(out) > 0 && (t.Run == nil || t.Run.Status != evidence.Insufficient):
			out[len(out)-1].answer = conversation.WithoutMarks(said)
		}
	}
	return out
}

var (
	// opening matches words before a question that only tie it to the last one.
	opening = text.Pattern(`(?i)^(?:(?:and|but|ok|okay|so|then|also|well|now|thanks|thank you|please|sorry|hm+)\b[\s,.:!–-]*)+`)

	asksMore = text.Pattern(`(?i)^(?:(?:can|could|would) you )?(?:please )?(?:(?:tell|give|show) (?:me )?|say |explain |i want |i need )?(?:a (?:bit|little) |some |any )?(?:more|further)` +
		`(?: details?| information| info| examples?)?(?: (?:about|on|of) (?:it|this|that|them))?(?:,? please)?$|` +
		`^(?:please )?(?:go on|continue|carry on|elaborate|(?:what|anything|something) (?:else|more)(?: (?:about|on) (?:it|this|that|them))?)$|` +
		`^(?:can you |could you |please )?(?:explain|elaborate|describe)(?: (?:on )?(?:it|this|that|them))?(?: (?:further|more|in (?:more )?detail))?$|^(?:in )?(?:more )?details?$`)

	// asksAlone matches a question that is nothing but an interrogative. Its group is the
	// interrogative as it begins a question.
	asksAlone = text.Pattern(`(?i)^((?:(?:by|for|with|to|from|of|about|in|on|at|since|until) )?(?:when|where|why|who|whom|whose|how(?: (?:many|much|long|often|old|far|big|large|fast|so|come))?|what|which)(?: (?:one|ones|year|day|date|place|city|country|for|not|then))?)` +
		`(?: (?:was|is|were|are|did|does|do) (?:it|that|this|they|those))?(?: (?:exactly|precisely|not|so|then|again))*$`)

	// foreignAlone are interrogatives of other languages.
	foreignAlone = set(strings.Fields(`wann warum wieso weshalb wo woher wer wie wieviel wozu quando quand pourquoi où qui comment combien cuándo cuando dónde donde
		quién quien cómo como por-qué pourquoi-pas onde quem porque por-quê dove chi come perché quanto когда почему где кто как いつ なぜ どこ 誰 どうして 何时 什么时候 为什么 哪里 谁 怎么`))

	// leadingAsk matches the interrogative of a whole question.
	leadingAsk = text.Pattern(`(?i)^(?:(?:by|for|with|to|from|of|about|in|on|at|since|until) )?(?:(?:what|which) (?:year|day|date|month|century|place|city|country|person)\b|how (?:many|much|long|often|old|far|big|large|fast)\b|(?:what|which|who|whom|whose|when|where|why|how)\b)\s*`)

	// asksInstead matches a question that names something in the place of what the last
	// one was about.
	asksInstead = text.Pattern(`(?i)^(?:(?:what|how) about|what of|and what about|and (?:for|on|in|with|to|from|at|under))\s+(.+)$`)

	// imperative matches the beginning of a request.
	imperative = text.Pattern(`(?i)^(?:(?:can|could|would) you )?(?:please )?(?:tell me about|explain(?: to me)?|describe|define|summari[sz]e|give me|show me|list|i want to know about)\s+`)
)

// complete returns a question that depends on nothing before it.
func (r *Resolver) complete(ctx context.Context, question string, last exchange) models.Resolved {
	stands := models.Resolved{Question: question}
	clean, _ := text.Clean(question)
	asked := strings.TrimRight(text.Squash(clean), " ?!.…")
	joined := opening().MatchString(asked)
	asked = opening().ReplaceAllString(asked, "")
	if len(question) > longestFollowUp || asked == "" {
		return stands
	}
	follows := func(q string) models.Resolved {
		q, _ = text.Cut(text.Squash(q), longestFollowUp)
		return models.Resolved{Question: q, FollowUp: true}
	}
	if asksMore().MatchString(asked) {
		out := follows(last.question)
		out.More = true
		return out
	}
	if q, ok := chosen(asked, last); ok {
		return follows(q + "?")
	}
	if m := asksAlone().FindStringSubmatch(asked); m != nil {
		return follows(interrogate(m[1], last) + "?")
	}
	if isForeignAlone(asked) {
		return follows(asked + ": " + last.question)
	}
	if m := asksInstead().FindStringSubmatch(oneLine(question)); m != nil {
		return follows(r.instead(ctx, m[1], question, last) + "?")
	}
	if (joined || firstPreposition().MatchString(asked)) && isNoun(asked) {
		return follows(r.instead(ctx, asked, question, last) + "?")
	}
	if q, ok := withReferents(asked, last); ok {
		return follows(q + "?")
	}
	if joined || leans(asked) {
		return follows(asked + " (" + subjectOf(last.question) + ")?")
	}
	return stands
}

// elliptical reports whether a question says nothing by itself: "When?", "Tell me more",
// "And the second one?".
func elliptical(question string) bool {
	asked := opening().ReplaceAllString(oneLine(question), "")
	if len(question) > longestFollowUp {
		return false
	}
	at := ordinal().FindStringIndex(asked)
	return asked == "" || asksMore().MatchString(asked) || asksAlone().MatchString(asked) || isForeignAlone(asked) || at != nil && at[1]-at[0] == len(asked)
}

// isForeignAlone reports whether a question is an interrogative of another language.
func isForeignAlone(asked string) bool {
	return foreignAlone[strings.ToLower(strings.TrimLeft(strings.ReplaceAll(asked, " ", "-"), "¿"))]
}

// oneLine is a question on one line, without the marks at its end.
func oneLine(q string) string {
	q, _ = text.Clean(q)
	return strings.TrimRight(text.Squash(q), " ?!.…？！。")
}

// interrogate returns the last question with another interrogative. A name that its
// answer has given takes the place of "who".
func interrogate(word string, last exchange) string {
	rest := opening().ReplaceAllString(oneLine(last.question), "")
	rest = imperative().ReplaceAllString(rest, "")
	word = strings.TrimSuffix(strings.TrimSuffix(word, " then"), " not")
	if name := firstName(last.answer, rest); name != "" && asksSubject().MatchString(rest) {
		word += " " + name
	}
	return word + " " + leadingAsk().ReplaceAllString(rest, "")
}

// asksSubject matches a question for who did something.
var asksSubject = text.Pattern(`(?i)^who (?:\w+(?:ed|t|e|w|k|d|n))\b`)

// isNoun reports whether an elliptical question is only the name of a thing: it has no
// verb and no interrogative.
func isNoun(asked string) bool {
	words := text.Tokenize(asked)
	if len(words) == 0 || len(words) > 6 || leadingAsk().MatchString(asked) || len(subjects(phrases(asked))) == 0 {
		return false
	}
	return !slices.ContainsFunc(words, func(t text.Token) bool { return auxiliary[t.Word] || plainVerbs()[t.Term] || pronouns[t.Word] })
}

var auxiliary = set(strings.Fields(`is are was were be been do does did has have had can could will would shall should may might must cannot`))

// leans reports whether a question without a pronoun depends on the last one: it has no
// subject of its own, or ends in "then", "instead", "again".
func leans(asked string) bool {
	if len(subjects(phrases(asked))) == 0 {
		return true
	}
	words := text.Tokenize(asked)
	return bridges().MatchString(asked) || len(words) > 2 && slices.Contains([]string{"then", "instead", "otherwise", "afterwards", "though", "too", "either"}, words[len(words)-1].Word)
}

// bridges matches what is only known from the last answer: the other side, the
// opposite.
var bridges = text.Pattern(`(?i)\bthe (?:other (?:side|end|one|party|way|kind|type|half)|opposite|rest|others|same (?:thing|way|one))\b`)

// subjectOf is what a question is about, in a few words.
func subjectOf(question string) string {
	question = imperative().ReplaceAllString(oneLine(question), "")
	if m := defined().FindStringSubmatch(question); m != nil {
		return m[1]
	}
	list := subjectsOf(question)
	if len(list) == 0 {
		return strings.TrimSpace(leadingAsk().ReplaceAllString(question, ""))
	}
	first := list[0]
	if at := strings.Index(question, first.text); at >= 0 && len(first.words) == 1 && first.weight < weightName {
		// "chart" alone says little: "chart with helm".
		if m := complement().FindString(question[at+len(first.text):]); m != "" {
			return first.text + m
		}
	}
	return first.text
}

// complement matches a preposition with one or two words behind a noun.
var complement = text.Pattern(`^ (?:in|of|with|for|from|on) (?:(?:the|an?) )?[\w.+#-]+(?: [A-Z][\w.+#-]*)?`)

// topicOf is all that a question is about, for "that".
func topicOf(question string) string {
	var out []string
	for _, p := range phrases(imperative().ReplaceAllString(oneLine(question), "")) {
		if !p.vague && len(out) < mostTopics {
			out = append(out, p.text)
		}
	}
	if len(out) == 0 {
		return subjectOf(question)
	}
	return strings.Join(out, " ")
}

// subjectsOf returns the subjects of a question without a participle behind them: in
// "How is insomnia treated?" it is insomnia.
func subjectsOf(question string) []phrase {
	list := subjects(phrases(question))
	if m := doing().FindStringSubmatch(question); m != nil {
		// "How do I install a chart?": it is the chart.
		list = slices.DeleteFunc(list, func(p phrase) bool { return len(p.words) == 1 && p.text == m[1] })
		for i, p := range list {
			if p.words[0] == m[1] {
				list[i].words, list[i].text = p.words[1:], strings.TrimSpace(strings.TrimPrefix(p.text, m[1]))
			}
		}
	}
	for i, p := range list {
		if n := len(p.words); n > 1 && p.weight < weightName && participle(p.words[n-1]) {
			list[i].words = p.words[:n-1]
			list[i].text = strings.TrimSpace(strings.TrimSuffix(p.text, p.words[n-1]))
		}
	}
	return list
}

// doing matches the verb of what somebody does or can do. Its group is the verb.
var doing = text.Pattern(`(?i)\b(?:do|can|could|should|must|will|would|how to)(?: (?:i|you|we|one|they|people))?(?: best| also)? ([a-z]+)\b`)

// defined matches a question for a definition. Its group is what is to be defined.
var defined = text.Pattern(`(?i)^(?:what|who)(?:'s| is| are| was| were) (?:(?:an?|the) )?(.+?)(?: for| about| like| called)?$`)

// unsaid leaves out what the last answer has quoted, of a question for more.
func unsaid[T any](in evidence.Brief, pool []T, at func(T) (passage int, span evidence.Span)) []T {
	if !in.More {
		return pool
	}
	said := map[string][]evidence.Span{} // by document
	for _, t := range in.Turns {
		if t.Run == nil {
			continue
		}
		for _, c := range t.Run.Citations {
			said[c.DocumentID] = append(said[c.DocumentID], evidence.Span{Start: c.Start, End: c.End})
		}
	}
	return slices.DeleteFunc(pool, func(x T) bool {
		n, sp := at(x)
		return slices.ContainsFunc(said[in.Evidence[n].Document.ID], func(q evidence.Span) bool { return q.Start < sp.End && sp.Start < q.End })
	})
}
