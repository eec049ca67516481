// Package evaluation scores recall and answers on a test collection in the
// layout of BEIR. It uses a temporary memory, never the user's.
package evaluation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Tasks of an evaluation.
const (
	TaskRecall     = "recall"     // find the documents
	TaskAnswer     = "answer"     // choose the sentence
	TaskConfidence = "confidence" // answer or refuse, and say how sure
)

// Options say what to measure.
type Options struct {
	Dir  string
	Task string // TaskRecall, TaskAnswer or TaskConfidence
	Mode string // of recall: hybrid, bm25 or vector
	// Configured measures in the memory of the settings, which has to be empty and is
	// empty afterwards, instead of a temporary one.
	Configured bool
}

// RecallScore is how well documents are found; scores are fractions of 1.
type RecallScore struct {
	Task     string  `json:"task"`
	Mode     string  `json:"mode"`
	Embedder string  `json:"embedder"`
	Vectors  string  `json:"vectors"` // that the memory had before the first query
	Docs     int     `json:"documents"`
	Queries  int     `json:"queries"`
	NDCG     float64 `json:"ndcg_at_10"`
	Recall   float64 `json:"recall_at_10"`
	P50MS    float64 `json:"p50_ms"`
	P95MS    float64 `json:"p95_ms"`
}

// depth of the measures.
const cutoff = 10

// Run measures on a collection, with the program as the settings have it but
// with a temporary memory. The result is a RecallScore, an AnswerScore or a
// ConfidenceScore.
func Run(ctx context.Context, cfg *config.Config, o Options, log *slog.Logger) (score any, err error) {
	c, err := loadCollection(o.Dir)
	if err != nil {
		return nil, err
	}
	switch o.Task {
	case TaskAnswer:
		return scoreAnswers(ctx, c, all.Encoder(cfg))
	case TaskConfidence:
		return scoreConfidence(ctx, c, all.Encoder(cfg))
	}
	dir, err := os.MkdirTemp("", "research-mcp-eval-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the temporary memory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in := cfg.WithLocalMemory(dir)
	if o.Configured {
		in.Memory = cfg.Memory
	}
	a, err := app.New(ctx, in, app.Options{Log: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if o.Configured {
		if err := wantEmpty(ctx, a); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, empty(context.WithoutCancel(ctx), a)) }()
	}
	return scoreRecall(ctx, a, c, o.Mode)
}

// wantEmpty refuses a memory that is in use.
func wantEmpty(ctx context.Context, a *app.App) error {
	st, err := a.Library().Stats(ctx)
	if err == nil && st.Documents+st.Sessions > 0 {
		err = evidence.BadInput(fmt.Sprintf("the configured memory %s has %s", st.Path, text.Count(st.Documents, "document")), "name an empty one: an evaluation fills it, and empties it again")
	}
	return err
}

// empty removes what an evaluation has stored.
func empty(ctx context.Context, a *app.App) error {
	_, err := a.Library().Forget(ctx, library.ForgetRequest{Source: evalSource, Confirm: true})
	return err
}

// evalSource is the source of the documents of a collection.
const evalSource = "eval"

// scoreRecall asks the memory every judged query, through the path that recall
// takes.
func scoreRecall(ctx context.Context, a *app.App, c *collection, mode string) (RecallScore, error) {
	score := RecallScore{Task: TaskRecall, Mode: mode, Embedder: a.Models().Choose(ctx).Ranks().Model().Name, Docs: len(c.docs)}
	ids, err := fill(ctx, a, c)
	if err != nil {
		return score, err
	}
	// Recall also works while vectors are missing, but then its scores would depend on
	// the speed of this machine.
	p, err := a.Library().Reindex(ctx, nil)
	if err != nil {
		return score, err
	}
	if score.Vectors = fmt.Sprintf("%s: all of %d documents", p.Model, p.Total); p.Done < p.Total {
		return score, fmt.Errorf("%d of %d documents have vectors of %s", p.Done, p.Total, p.Model)
	}
	err = askAll(ctx, a, c, ids, &score)
	return score, err
}

// inConversation reports whether the collection is one of conversations, whose
// documents are turns.
func (c *collection) inConversation() bool {
	return slices.ContainsFunc(c.queries, func(q record) bool { return q.Conversation != "" })
}

// fill stores all documents. It returns the collection's ids by the memory's.
func fill(ctx context.Context, a *app.App, c *collection) (map[string]string, error) {
	turns := c.inConversation()
	ids := map[string]string{}
	for i, r := range c.docs {
		body, _ := text.Clean(r.Text)
		if strings.TrimSpace(body) == "" {
			body = r.Title
		}
		if strings.TrimSpace(body) == "" {
			continue // there is nothing to find
		}
		doc := evidence.Document{ID: evidence.DocumentID("eval", r.ID, ""), Source: evalSource, URL: "eval:" + r.ID, Title: r.Title, Text: body, Retrieved: time.Now(), Meta: map[string]string{}}
		if conversation, _, ok := strings.Cut(r.ID, "/"); ok && turns {
			doc.Meta[evidence.MetaSession], doc.Meta[evidence.MetaKind], doc.Meta[evidence.MetaSeq] = conversation, evidence.KindTurn, fmt.Sprint(i)
		}
		if _, err := a.Library().Keep(ctx, doc, ""); err != nil {
			return nil, fmt.Errorf("storing document %s: %w", r.ID, err)
		}
		ids[doc.ID] = r.ID
	}
	return ids, nil
}

// askAll asks every judged query and averages.
func askAll(ctx context.Context, a *app.App, c *collection, ids map[string]string, score *RecallScore) error {
	var took []float64
	for _, q := range c.queries {
		grades := c.grades[q.ID]
		if len(grades) == 0 {
			continue
		}
		begun := time.Now()
		// Chunks of one document take several places, so more are asked for than count.
		res, err := a.Library().Recall(ctx, library.RecallRequest{Query: q.Text, K: 5 * cutoff, Mode: score.Mode, Session: q.Conversation})
		if err != nil {
			return fmt.Errorf("query %s: %w", q.ID, err)
		}
		took = append(took, float64(time.Since(begun).Microseconds())/1000)
		var ranked []string
		for _, h := range res.Hits {
			if id := ids[h.DocumentID]; !slices.Contains(ranked, id) {
				ranked = append(ranked, id)
			}
		}
		ranked = ranked[:min(len(ranked), cutoff)]
		score.NDCG += ndcg(ranked, grades)
		score.Recall += found(ranked, grades)
	}
	n := float64(len(took))
	score.Queries = len(took)
	score.NDCG, score.Recall = score.NDCG/n, score.Recall/n
	slices.Sort(took)
	score.P50MS, score.P95MS = took[len(took)/2], took[len(took)*95/100]
	return nil
}

// ndcg is the normalised discounted cumulative gain of ranked, linear in the
// grade.
func ndcg(ranked []string, grades map[string]float64) float64 {
	gain := 0.0
	for i, id := range ranked {
		gain += grades[id] / math.Log2(float64(i)+2)
	}
	var ideal []float64
	for _, g := range grades {
		ideal = append(ideal, g)
	}
	slices.Sort(ideal)
	slices.Reverse(ideal)
	best := 0.0
	for i, g := range ideal[:min(len(ideal), cutoff)] {
		best += g / math.Log2(float64(i)+2)
	}
	return gain / best
}

// found is the share of the relevant documents among ranked.
func found(ranked []string, grades map[string]float64) float64 {
	n := 0
	for _, id := range ranked {
		if grades[id] > 0 {
			n++
		}
	}
	return float64(n) / float64(len(grades))
}
