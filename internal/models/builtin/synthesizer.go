package builtin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Synthesizer answers with passages and sentences of the evidence, word for word,
// and abstains when none seems to answer.
type Synthesizer struct {
	encoder models.Matcher // nil: units are ranked by words alone
}

// NewSynthesizer returns the built-in synthesizer. encoder, when not nil, is a
// trained one that ranks what can be quoted.
func NewSynthesizer(encoder models.Matcher) *Synthesizer { return &Synthesizer{encoder} }

// Name is "extractive".
func (*Synthesizer) Name() string { return "extractive" }

// Write selects what to quote: whole blocks of documents with structure, else
// sentences. Each has one mark and one quote, and its text is the document's text
// between the quote's offsets. After the deadline of ctx it ranks by words alone. It fails
// only when ctx is cancelled.
func (s *Synthesizer) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if cancelled(ctx) {
		return evidence.Draft{}, ctx.Err()
	}
	q := newQuery(in.Question, background(in))
	if structured(in.Evidence) {
		draft, err := quoteUnits(ctx, s.encoder, q, in, strings.TrimSpace(in.Question+" "+background(in)))
		if err == nil && stream != nil {
			stream(streamed(draft))
		}
		return draft, err
	}
	pool := unsaid(in, gatherSentences(q, in.Evidence), func(c candidate) (int, evidence.Span) { return c.doc, c.span })
	if len(pool) == 0 {
		return evidence.Draft{Abstain: true, Why: "no passage that was found holds a sentence to quote"}, nil
	}
	score(q, pool)
	encoded, err := scoreMeaning(ctx, s.encoder, strings.TrimSpace(in.Question+" "+background(in)), pool)
	if err != nil {
		return evidence.Draft{}, err
	}
	picked := choose(q, pool, wanted(q.kind, in.MaxTokens), in.MaxTokens)
	answers, sure := sentenceConfidence(q, picked, pool, encoded && q.english)
	if !answers {
		d := in.Evidence[picked[0].doc].Document
		return evidence.Draft{Abstain: true, Confidence: sure, Why: cameNearest(cmp.Or(d.Title, d.Source), d)}, nil
	}
	draft := evidence.Draft{Confidence: sure}
	for _, c := range arrange(picked) {
		draft.Sentences = append(draft.Sentences, evidence.Sentence{
			Text: c.text, Marks: []int{c.doc + 1}, Quotes: []evidence.Span{c.span},
		})
		if stream != nil {
			stream(fmt.Sprintf("%s [%d] ", text.Squash(c.text), c.doc+1))
		}
	}
	return draft, nil
}

// background returns the topics of the conversation if the question depends on it.
func background(in evidence.Brief) string {
	if in.Asked != "" || !isFollowUp(in.Question) {
		return ""
	}
	return strings.Join(topics(in.Question, in.Summary, in.Turns), " ")
}

// gatherSentences returns the quotable sentences of the evidence. A sentence in
// several passages is returned once, with the best passage score.
func gatherSentences(q query, list []evidence.Evidence) []candidate {
	best, worst := 0.0, 0.0
	for i, e := range list {
		if i == 0 || e.Passage.Score > best {
			best = e.Passage.Score
		}
		if i == 0 || e.Passage.Score < worst {
			worst = e.Passage.Score
		}
	}
	type position struct {
		document string
		start    int
	}
	seen := map[position]int{}
	var pool []candidate
	for i, e := range list {
		title := text.Terms(e.Document.Title)
		about := isAbout(q, e.Document.Title)
		prior := 1.0
		if best > worst {
			prior = (e.Passage.Score - worst) / (best - worst)
		}
		offset := 0
		if e.Passage.Start > 0 {
			offset = 2 // the first sentence here is not the first of its document
		}
		for pos, sp := range sentencesOf(e) {
			sentence := e.Document.Text[sp.Start:sp.End]
			if !quotable(sentence) {
				continue
			}
			at := position{cmp.Or(e.Document.ID, e.Document.URL), sp.Start}
			if j, ok := seen[at]; ok {
				pool[j].prior = max(pool[j].prior, prior)
				continue
			}
			seen[at] = len(pool)
			c := newCandidate(i, sp, sentence, pos+offset)
			c.prior, c.source, c.document, c.title = prior, e.Document.Source, at.document, title
			c.about, c.name = about, e.Document.Title
			pool = append(pool, c)
		}
	}
	return pool
}

// isAbout reports whether a title is the subject of the question: all its words are
// in the question, apart from those in parentheses, as in "Attention (machine
// learning)".
func isAbout(q query, title string) bool {
	name, _, _ := strings.Cut(title, " (")
	terms := text.Terms(name)
	for _, t := range terms {
		if !q.asks(t) {
			return false
		}
	}
	return len(terms) > 0
}

// wanted returns the most sentences of an answer.
func wanted(k questionType, maxTokens int) int {
	most := 5
	if k.single() {
		most = 4
	}
	if maxTokens > 0 {
		const tokensOfSentence = 60 // with its mark and its share of the citations
		most = min(most, maxTokens/tokensOfSentence)
	}
	return max(most, 2)
}

// togetherCovered returns the share of the question's terms that the sentences or
// their titles cover. Rare terms do not count more: among sentences selected for
// the question, a rare term is not the important one.
func togetherCovered(q query, picked []candidate) float64 {
	said, all := 0.0, 0.0
	for _, t := range q.terms {
		best := 0.0
		for _, c := range picked {
			for _, x := range c.terms {
				best = max(best, similarity(t.term, x))
			}
			if slices.Contains(c.title, t.term) {
				best = max(best, impliedCoverage)
			}
		}
		said, all = said+t.weight*best, all+t.weight
	}
	if all == 0 {
		return 0
	}
	return said / all
}
