package evaluation

import (
	"context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/text"
)

// AnswerScore is how often the best sentence answers; scores are fractions of 1.
type AnswerScore struct {
	Task    string  `json:"task"`
	Queries int     `json:"queries"`
	Top1    float64 `json:"top1"`
	MRR     float64 `json:"mrr"`
}

// scoreAnswers ranks the sentences of each query's documents as the extractive
// synthesizer does, and finds the rank of the first one that answers. The
// documents are the query's candidates, else the judged ones.
func scoreAnswers(ctx context.Context, c *collection, encoder models.Matcher) (AnswerScore, error) {
	score := AnswerScore{Task: TaskAnswer}
	texts := map[string]string{}
	for _, d := range c.docs {
		texts[d.ID] = d.Text
	}
	for _, q := range c.queries {
		if err := ctx.Err(); err != nil {
			return score, err
		}
		grades := c.grades[q.ID]
		pool := q.Candidates
		if len(pool) == 0 {
			for id := range grades {
				pool = append(pool, id)
			}
			slices.Sort(pool)
		}
		var bodies []string
		for _, id := range pool {
			bodies = append(bodies, texts[id])
		}
		answers := q.answering(pool, bodies, grades)
		if !answers.possible {
			continue // no sentence of these could count
		}
		score.Queries++
		ranked, err := builtin.RankSentences(ctx, encoder, q.Text, bodies)
		if err != nil {
			return score, err
		}
		for i, s := range ranked {
			if answers.right(s) {
				score.MRR += 1 / float64(i+1)
				if i == 0 {
					score.Top1++
				}
				break
			}
		}
	}
	if n := float64(score.Queries); n > 0 {
		score.Top1, score.MRR = score.Top1/n, score.MRR/n
	}
	return score, nil
}

// judgement says which sentences answer a query.
type judgement struct {
	right    func(builtin.Scored) bool
	possible bool
}

// answering decides by what the collection says of its answers: supporting
// sentences, else strings that they hold, else relevant candidates.
func (q record) answering(pool, bodies []string, grades map[string]float64) judgement {
	sentences := make([][]string, len(pool))
	for i, b := range bodies {
		for _, sp := range text.Sentences(b) {
			sentences[i] = append(sentences[i], b[sp.Start:sp.End])
		}
	}
	accept := func(doc int, sentence string) bool {
		switch {
		case len(q.Facts) > 0:
			return slices.ContainsFunc(q.Facts, func(f fact) bool {
				return f.doc == pool[doc] && f.index < len(sentences[doc]) && sentences[doc][f.index] == sentence
			})
		case len(q.Answers) > 0:
			return slices.ContainsFunc(q.Answers, func(a string) bool {
				return a != "" && strings.Contains(strings.ToLower(sentence), strings.ToLower(a))
			})
		}
		return grades[pool[doc]] > 0
	}
	out := judgement{right: func(s builtin.Scored) bool { return accept(s.Text, bodies[s.Text][s.Span.Start:s.Span.End]) }}
	for i := range pool {
		out.possible = out.possible || slices.ContainsFunc(sentences[i], func(s string) bool { return accept(i, s) })
	}
	return out
}
