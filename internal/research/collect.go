package research

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/span"
)

// Shares of a question's budget.
const (
	gatherShare = 0.75 // the latest moment at which writing must begin
)

// recollection is the result of the recall.
type recollection struct {
	hits []remembered

	carried []*digested // documents of the last answer, of a question that continues it
}

// remembered is a hit with its whole document.
type remembered struct {
	hit evidence.Hit
	doc evidence.Document
}

// collect plans, gathers, digests and recalls, concurrently.
func (r *run) collect(whole context.Context) ([]*digested, recollection) {
	ctx, cancel := limit.WithTimeout(whole, time.Duration(float64(r.req.Budget)*gatherShare))
	defer cancel()
	awaiting, arrived := context.WithCancel(ctx)
	defer arrived()
	recalled := guarded(r.e, "recall", func() recollection { return r.recall(ctx, awaiting) })

	pipeline := r.newDigestion(whole)
	planned := r.e.deps.Now()
	_, planning := span.Start(ctx, "plan")
	first := r.keywords(ctx)
	r.parts = r.divide(ctx)
	sources, rest, _ := r.e.choose(r.req.Sources, r.req.Question, first, r.depth.full) // complete has checked the names
	r.answer.NotAsked, r.asked = rest, sources
	r.emit(Event{Kind: EventPlanned, Total: len(sources), Sources: names(sources)})
	gather, stop := r.newGathering(ctx, sources, r.depth.topics+r.mostParts())
	gather.most = r.depth.topics + len(r.parts)
	more := r.askAll(ctx, gather, first)
	r.askParts(ctx, gather)
	r.answer.Timing.PlanMS = r.since(planned)
	planning.Set("sources", len(sources))
	planning.Set("keywords", len(r.answer.Topics))
	planning.Set("parts", len(r.parts))
	planning.End(nil)
	gather.wait(ctx, more, pipeline.add)
	arrived()
	r.answer.Sources = gather.finish(ctx, stop)
	r.tallies = gather.tallies
	r.answer.Timing.GatherMS = r.since(gather.begun)
	for _, s := range r.answer.Sources {
		r.answer.Timing.SlowestSourceMS = max(r.answer.Timing.SlowestSourceMS, s.LatencyMS)
	}
	tail := r.e.deps.Now()
	docs := pipeline.wait(whole, gather.documents)
	back := <-recalled
	r.nameModels()
	r.sortWarnings()
	r.answer.Timing.DigestMS = r.since(tail)
	return docs, back
}

// keywords returns the built-in planner's keywords, which need no model.
func (r *run) keywords(ctx context.Context) []string {
	out, err := r.e.deps.Models.BuiltIn().Planner.Keywords(ctx, r.req.Question, r.conversation(), r.depth.topics)
	if err != nil || len(out) == 0 {
		return []string{r.req.Question}
	}
	return out
}

// plannerPatience is how long the second keyword waits for the choice of models: a
// model may plan a better one.
const plannerPatience = 200 * time.Millisecond

// plan is what a model adds to a search while it goes on.
type plan struct {
	keywords []string
	parts    []string // questions that the whole one is made of
}

// askAll asks the sources with the first keyword at once. The others are those of
// the built-in planner, or those of a model, which are sent on the channel, and for a
// deep question also its parts; it is nil if no model plans.
func (r *run) askAll(ctx context.Context, gather *gathering, keywords []string) <-chan plan {
	gather.ask(keywords[0])
	if r.depth.topics == 1 {
		return nil
	}
	set, known := r.models.within(ctx, plannerPatience)
	if !known || set.Planner.Name() == r.e.deps.Models.BuiltIn().Planner.Name() {
		for _, k := range keywords[1:] {
			gather.ask(k)
		}
		return nil
	}
	more := make(chan plan, 2)
	question, divider := r.req.Question, set.Divider
	if !r.depth.parts || len(r.parts) > 0 {
		divider = nil
	}
	r.e.spawn("planning", func() {
		defer close(more)
		better, err := set.Planner.Keywords(ctx, r.answer.Question, r.session, r.depth.topics)
		if err == nil {
			more <- plan{keywords: better}
		}
		if divider == nil {
			return
		}
		if parts, err := divider.Parts(ctx, question, mostParts); err == nil && len(parts) > 1 {
			more <- plan{parts: parts}
		}
	})
	return more
}

// recall searches the memory with the question as it was asked. A failure is part
// of the answer, which can still be made from the sources. Passages that have no
// vector yet are embedded while sources are awaited.
func (r *run) recall(ctx, awaiting context.Context) recollection {
	ctx, step := span.Start(ctx, "recall")
	defer step.End(nil)
	var out recollection
	q := evidence.RecallQuery{Text: r.req.Question, K: r.e.cfg.RecallK}
	res, err := r.e.deps.Library.Search(ctx, awaiting, q, r.embedder(ctx))
	for _, w := range res.Warnings {
		r.warn(w)
	}
	if err != nil {
		r.answer.Memory.Err = err.Error()
		return out
	}
	r.answer.Memory.Index = res.Index
	out.hits = r.texts(ctx, res.Hits)
	r.answer.Memory.Hits = len(out.hits)
	step.Set("hits", len(out.hits))
	out.carried = r.carried(ctx)
	return out
}

// embedder returns the chosen embedder, or nil if choosing takes longer than a search
// waits for it and there is a built-in encoder.
func (r *run) embedder(ctx context.Context) models.Embedder {
	if r.e.deps.Models.BuiltIn().Encoder == nil {
		return r.models.wait().Embedder
	}
	set, _ := r.models.within(ctx, library.QueryPatience)
	return set.Embedder
}

// texts loads the documents of the hits.
func (r *run) texts(ctx context.Context, hits []evidence.Hit) []remembered {
	loaded := map[string]evidence.Document{}
	var out []remembered
	for _, h := range hits {
		doc, ok := loaded[h.Passage.DocumentID]
		if !ok {
			var err error
			if doc, err = r.e.deps.Library.Document(ctx, h.Passage.DocumentID); err != nil {
				continue // it was forgotten just now, or ctx ended
			}
			loaded[doc.ID] = doc
		}
		out = append(out, remembered{hit: h, doc: doc})
	}
	return out
}
