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

// Synthesizer answers with sentences of the evidence, word for word. It needs no
// model, takes milliseconds, and would rather say that it found nothing than
// quote what does not answer.
type Synthesizer struct {
	encoder models.Embedder // nil: units are ranked by words alone
}

// NewSynthesizer returns the synthesizer that is always there. encoder, when not
// nil, is a trained one that ranks what can be quoted.
func NewSynthesizer(encoder models.Embedder) *Synthesizer { return &Synthesizer{encoder} }

// Name is "extractive".
func (*Synthesizer) Name() string { return "extractive" }

// The share of the question that the sentences of an answer have to speak of
// together, and that of the best of them, a rare word counting more there. Below
// it they are about something else. With questions on encyclopedia articles, each
// put to the six passages that search finds for it, these abstain from 6 % of
// those with an answer, from 72 % when the passage with the answer is withheld,
// from 86 % when its whole article is, and from 99 % of those put to passages
// found for another question.
const (
	leastTogether = 0.5
	leastBest     = 0.40
)

// Write picks the sentences. Each has one mark and one quote, and its text is
// the document's text between the quote's offsets. It fails by the end of ctx
// only.
func (s *Synthesizer) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Draft{}, err
	}
	q := newQuery(in.Question, background(in))
	if structured(in.Evidence) {
		draft, err := quoteUnits(ctx, s.encoder, q, in, strings.TrimSpace(in.Question+" "+background(in)))
		if err == nil && stream != nil {
			stream(streamed(draft))
		}
		return draft, err
	}
	pool := gatherSentences(q, in.Evidence)
	if len(pool) == 0 {
		return evidence.Draft{Abstain: true, Why: "no passage that was found holds a sentence to quote"}, nil
	}
	score(q, pool)
	if err := ctx.Err(); err != nil {
		return evidence.Draft{}, err
	}
	picked := choose(q, pool, wanted(q.kind, in.MaxTokens), in.MaxTokens)
	if why := doubt(q, picked); why != "" {
		return evidence.Draft{Abstain: true, Why: why}, nil
	}
	draft := evidence.Draft{}
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

// background is what a question leans on: the conversation so far, when the
// question has too little of its own.
func background(in evidence.Brief) string {
	if !leans(in.Question) {
		return ""
	}
	return strings.Join(topics(in.Question, in.Summary, in.Turns), " ")
}

// gatherSentences are the quotable sentences of the evidence. One that several
// passages hold stands once, with the best of them.
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
	type place struct {
		document string
		start    int
	}
	seen := map[place]int{}
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
			offset = 2 // whatever comes first here is not the first of its document
		}
		for pos, sp := range sentencesOf(e) {
			sentence := e.Document.Text[sp.Start:sp.End]
			if !quotable(sentence) {
				continue
			}
			at := place{cmp.Or(e.Document.ID, e.Document.URL), sp.Start}
			if j, ok := seen[at]; ok {
				pool[j].prior = max(pool[j].prior, prior)
				continue
			}
			seen[at] = len(pool)
			c := newCandidate(i, sp, sentence, pos+offset)
			c.prior, c.source, c.document, c.title = prior, e.Document.Source, at.document, title
			c.about = about
			pool = append(pool, c)
		}
	}
	return pool
}

// isAbout reports whether a title is the subject of the question: every word of
// it was asked for, what stands in brackets apart, as in "Attention (machine
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

// wanted is how many sentences an answer has at most.
func wanted(k kind, maxTokens int) int {
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

// doubt says why the sentences are no answer, or "".
func doubt(q query, picked []candidate) string {
	best := 0.0
	for _, c := range picked {
		best = max(best, c.coverage)
	}
	together := togetherCovered(q, picked)
	if together >= leastTogether && best >= leastBest {
		return ""
	}
	return fmt.Sprintf("the best sentences that were found speak of %d %% of what was asked", int(100*min(together, 1)))
}

// togetherCovered is the share of the question's own terms that the sentences
// or their titles speak of, all counting the same: in what was picked for the
// question a rare term is not the important one.
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
