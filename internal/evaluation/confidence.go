package evaluation

import (
	"cmp"
	"context"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ConfidenceScore is how far the confidence of answers can be relied on. Every question
// is put twice: to the documents that words find for it, and to those without the ones
// that answer it. Shares are fractions of 1.
type ConfidenceScore struct {
	Task           string `json:"task"`
	Queries        int    `json:"queries"`
	Refused        Share  `json:"refused"`         // of the questions without an answer
	WronglyRefused Share  `json:"wrongly_refused"` // of those with one
	Bins           []Bin  `json:"bins"`            // of the answers that were given, by confidence
}

// Share is a number of questions, and the share of them that counts.
type Share struct {
	Of    int     `json:"of"`
	Share float64 `json:"share"`
}

func (s *Share) add(counts bool) {
	n := s.Share * float64(s.Of)
	if counts {
		n++
	}
	s.Of++
	s.Share = n / float64(s.Of)
}

// Bin is the answers with a confidence of From up to the next bin's.
type Bin struct {
	From  float64 `json:"from"`
	Right Share   `json:"right"` // a quoted sentence answers
}

const (
	foundDocuments = 6 // that a question is put to
	answerTokens   = 800
)

// scoreConfidence has the built-in synthesizer answer every question, with and without
// the documents that answer it.
func scoreConfidence(ctx context.Context, c *collection, encoder models.Matcher) (ConfidenceScore, error) {
	score := ConfidenceScore{Task: TaskConfidence, Bins: []Bin{{From: 0}, {From: 0.2}, {From: 0.4}, {From: 0.6}, {From: 0.8}}}
	index := newWordIndex(c)
	for _, q := range c.queries {
		found := index.search(q)
		bodies, ids := make([]string, len(found)), make([]string, len(found))
		for i, d := range found {
			bodies[i], ids[i] = d.Text, d.ID
		}
		answers := q.answering(ids, bodies, c.grades[q.ID])
		if len(c.grades[q.ID]) == 0 || !answers.possible {
			continue
		}
		score.Queries++
		most := max(foundDocuments, len(q.Candidates))
		draft, err := answer(ctx, encoder, q, found[:min(len(found), most)])
		if err != nil {
			return score, err
		}
		score.add(draft, true, slices.ContainsFunc(draft.Sentences, func(s evidence.Sentence) bool { return answers.holds(bodies, s) }))
		var without []record
		for i, d := range found {
			if !slices.ContainsFunc(text.Sentences(d.Text), func(sp evidence.Span) bool { return answers.right(builtin.Scored{Text: i, Span: sp}) }) {
				without = append(without, d)
			}
		}
		if draft, err = answer(ctx, encoder, q, without[:min(len(without), most)]); err != nil {
			return score, err
		}
		score.add(draft, false, false)
	}
	return score, nil
}

func answer(ctx context.Context, encoder models.Matcher, q record, docs []record) (evidence.Draft, error) {
	return builtin.NewSynthesizer(encoder).Write(ctx, briefOf(q, docs), nil)
}

func (s *ConfidenceScore) add(draft evidence.Draft, possible, right bool) {
	if possible {
		s.WronglyRefused.add(draft.Abstain)
	} else {
		s.Refused.add(draft.Abstain)
	}
	if draft.Abstain {
		return
	}
	for i := range slices.Backward(s.Bins) {
		if draft.Confidence >= s.Bins[i].From {
			s.Bins[i].Right.add(right)
			return
		}
	}
}

// holds reports whether one of the sentences that s quotes answers. bodies are the texts
// that were judged.
func (j judgement) holds(bodies []string, s evidence.Sentence) bool {
	n, quoted := s.Marks[0]-1, s.Quotes[0]
	return slices.ContainsFunc(text.Sentences(bodies[n]), func(sp evidence.Span) bool {
		return sp.Start < quoted.End && sp.End > quoted.Start && j.right(builtin.Scored{Text: n, Span: sp})
	})
}

func briefOf(q record, docs []record) evidence.Brief {
	in := evidence.Brief{Question: q.Text, MaxTokens: answerTokens}
	for i, d := range docs {
		in.Evidence = append(in.Evidence, evidence.Evidence{
			Document: evidence.Document{ID: d.ID, Title: d.Title, Text: d.Text, Source: "collection"},
			Passage:  evidence.Passage{DocumentID: d.ID, End: len(d.Text), Text: d.Text, Score: 1 - float64(i)/float64(len(docs))},
		})
	}
	return in
}

// wordIndex finds documents by BM25.
type wordIndex struct {
	docs  []record
	byID  map[string]record
	terms [][]string
	bm    *text.BM25
	mean  float64 // terms of a document
}

func newWordIndex(c *collection) *wordIndex {
	x := &wordIndex{docs: c.docs, byID: map[string]record{}}
	total := 0
	for _, d := range c.docs {
		x.byID[d.ID] = d
		x.terms = append(x.terms, text.Terms(d.Title+" "+d.Text))
		total += len(x.terms[len(x.terms)-1])
	}
	x.bm, x.mean = text.NewBM25(x.terms), float64(max(total, 1))/float64(max(len(c.docs), 1))
	return x
}

// search returns the candidates of a question, else the documents that share words with
// it, best first: as many as can be left after those that answer are taken out.
func (x *wordIndex) search(q record) []record {
	var out []record
	for _, id := range q.Candidates {
		if d, ok := x.byID[id]; ok {
			out = append(out, d)
		}
	}
	if len(q.Candidates) > 0 {
		return out
	}
	scores := make([]float64, len(x.docs))
	for _, t := range text.QueryTerms(q.Text) {
		for i, terms := range x.terms {
			n := 0.0
			for _, term := range terms {
				if term == t {
					n++
				}
			}
			norm := text.BM25K1 * (1 - text.BM25B + text.BM25B*float64(len(terms))/x.mean)
			scores[i] += x.bm.IDF(t) * n * (text.BM25K1 + 1) / (n + norm)
		}
	}
	order := make([]int, len(x.docs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	for _, i := range order[:min(len(order), 3*foundDocuments)] {
		if scores[i] > 0 {
			out = append(out, x.docs[i])
		}
	}
	return out
}
