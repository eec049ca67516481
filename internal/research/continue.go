package research

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
)

// rest is what a run leaves behind whose searches go on after its answer: the answer can be
// made again from what they bring, and no source is asked for it. It names stored documents
// and holds none of their texts, so that what is forgotten is forgotten here, too.
type rest struct {
	late *late
	turn chan struct{} // held by the one who makes the answer again

	// As they were when the run's answer was made.
	req              Request
	said             string
	more             bool
	unbound          bool
	parts            []string
	session          evidence.Session
	topics           []string
	notAsked         []evidence.NotAsked
	reports          []evidence.SourceReport
	docs             []scored
	planMS, gatherMS int64
}

// restOf returns what r leaves behind once it has its answer, or nil if no search goes on.
func restOf(r *run, docs []*digested) *rest {
	if !r.late.answered() {
		return nil
	}
	w := &rest{late: r.late, turn: make(chan struct{}, 1), req: r.req, said: r.said, more: r.more, unbound: r.unbound, parts: r.parts, session: r.session,
		topics: r.answer.Topics, notAsked: r.answer.NotAsked, reports: r.answer.Sources, planMS: r.answer.Timing.PlanMS, gatherMS: r.answer.Timing.GatherMS}
	for _, d := range docs {
		w.docs = append(w.docs, scored{d.doc.ID, d.doc.Score})
	}
	return w
}

// awaited says which sources are still awaited, or "".
func (w *rest) awaited() string {
	_, pending := w.late.soFar()
	return strings.Join(slices.Sorted(maps.Keys(pending)), ", ")
}

// warn adds to the warnings that the run goes on, and how to get what comes.
func (w *rest) warn(warnings []string, id string) []string {
	sources := w.awaited()
	if sources == "" {
		return warnings
	}
	return append(warnings, fmt.Sprintf("still awaited: %s; call research with run_id %s for what they bring", sources, id))
}

// goOn waits until the searches of a run that its budget cut off have ended, and stores the
// answer that is made from all of it. ctx ends at the run's own deadline.
func (e *Engine) goOn(ctx context.Context, of *record, w *rest) {
	select {
	case <-w.late.ended:
	case <-ctx.Done():
		return
	}
	select {
	case e.runs.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-e.runs.slots }()
	if _, err := e.renewed(ctx, of, w, e.cfg.Budget); err != nil && e.life.Err() == nil {
		e.deps.Log.Warn("the answer was not made again from what came late", "run", of.id, "err", err)
	}
}

// renewed returns the answer of a run whose searches went on when it was made: again, if
// anything has come since. Once nothing is awaited any more, the new answer is stored as the
// next turn of the session, under an id of its own, unless the session has gone on meanwhile.
func (e *Engine) renewed(ctx context.Context, of *record, w *rest, budget time.Duration) (evidence.Answer, error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return evidence.Answer{}, ctx.Err()
	}
	if id := e.runs.successor(of.id); id != of.id { // made by another caller meanwhile
		return e.storedRun(ctx, id)
	}
	first, err := e.storedRun(ctx, of.id)
	if err != nil {
		return evidence.Answer{}, err
	}
	awaited := w.awaited()
	results, _ := w.late.soFar()
	if !slices.ContainsFunc(results, func(f lateResult) bool { return len(f.docs) > 0 }) {
		if first.Sources = w.late.reports(first.Sources); awaited == "" {
			e.runs.close(of, "")
		}
		first.Warnings = w.warn(first.Warnings, of.id)
		return first, nil
	}
	return e.again(ctx, of, w, first, awaited, budget)
}

func (e *Engine) storedRun(ctx context.Context, id string) (evidence.Answer, error) {
	a, ok, err := e.deps.Sessions.Run(ctx, id)
	if err == nil && !ok {
		err = unknownRun(id)
	}
	return a, err
}

// again makes the answer again, from the documents of the run and those that came late.
func (e *Engine) again(ctx context.Context, of *record, w *rest, first evidence.Answer, awaited string, budget time.Duration) (evidence.Answer, error) {
	if err := e.enter(); err != nil {
		return evidence.Answer{}, err
	}
	defer e.tasks.Done()
	defer e.deps.Library.Foreground()()
	bounded, cancel := limit.WithTimeout(ctx, budget)
	defer cancel()
	r := w.run(bounded, e, budget, first)
	docs, v, out := r.write(bounded, w.documents(bounded, e), r.recall(bounded, bounded))
	analysis := r.analyse(bounded, docs)
	r.settle(v, out)
	r.showConflicts(v, v.conflicts(bounded, out.claims))
	r.answer.Analysis = <-analysis
	r.conclude()
	if err := ctx.Err(); err != nil {
		return evidence.Answer{}, err
	}
	if awaited != "" {
		r.answer.Warnings = w.warn(r.answer.Warnings, of.id)
		return r.finish(), nil
	}
	if e.isLast(ctx, first) {
		r.answer.RunID = e.deps.NewID("r_")
		r.remember(bounded, docs)
		e.runs.close(of, r.answer.RunID)
	}
	return r.finish(), nil
}

// run is the run that makes the answer again. It has no sources to ask.
func (w *rest) run(ctx context.Context, e *Engine, budget time.Duration, first evidence.Answer) *run {
	req, d := w.req, depths[w.req.Depth]
	req.Budget, d.rounds = budget, 1
	r := &run{e: e, req: req, depth: d, session: w.session, said: w.said, more: w.more, unbound: w.unbound, parts: w.parts, late: newLate(),
		observe: func(Event) {}, started: e.deps.Now(), models: e.chooseModels(ctx)}
	r.answer = evidence.Answer{
		Question: first.Question, Session: first.Session, RunID: first.RunID, Claims: []evidence.Claim{}, Citations: []evidence.Citation{},
		Sources: w.late.reports(w.reports), Topics: w.topics, NotAsked: w.notAsked, Warnings: []string{},
	}
	r.answer.Timing.PlanMS, r.answer.Timing.GatherMS = w.planMS, w.gatherMS
	r.nameModels()
	return r
}

// documents loads what was found, without what has been forgotten.
func (w *rest) documents(ctx context.Context, e *Engine) []*digested {
	results, _ := w.late.soFar()
	all := slices.Clone(w.docs)
	for _, f := range results {
		all = append(all, f.docs...)
	}
	var out []*digested
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.id] {
			continue
		}
		seen[s.id] = true
		doc, err := e.deps.Library.Document(ctx, s.id)
		if err != nil {
			continue
		}
		doc.Score = s.score
		out = append(out, &digested{doc: doc, chunks: e.deps.Library.Chunk(doc)})
	}
	return out
}

// isLast reports whether the run's answer is the last turn of its session.
func (e *Engine) isLast(ctx context.Context, a evidence.Answer) bool {
	session, err := e.deps.Sessions.Open(ctx, a.Session)
	if err != nil || len(session.Turns) == 0 {
		return false
	}
	return session.Turns[len(session.Turns)-1].Text == a.Answer
}

// unknownRun refuses the id of a run that is not stored.
func unknownRun(id string) error {
	return evidence.BadInput(fmt.Sprintf("there is no run %q", id), "take the id from an earlier result, or ask the question again")
}

// continues returns the run of the same question in the same session that its budget cut
// off and that its caller has not got to the end of, or "".
func (r *runs) continues(req Request) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	inItsSession := req
	inItsSession.Session = ""
	for _, past := range slices.Backward(r.past) {
		if past.key != keyOf(req) && (past.key != keyOf(inItsSession) || past.session != req.Session) {
			continue
		}
		if past.spent && past.rest != nil || past.follows && !past.delivered {
			return past.id
		}
		return ""
	}
	return ""
}

// successor returns the id of the run that continues one, or its own.
func (r *runs) successor(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.successorOf(id)
}

func (r *runs) successorOf(id string) string {
	for past := r.record(id); past != nil && past.continued != ""; past = r.record(id) {
		id = past.continued
	}
	return id
}

// leaves notes what a run leaves behind, and reports whether its budget cut it off.
func (r *runs) leaves(of *record, w *rest, session string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	of.rest, of.session = w, session
	of.spent = w.late.cutOff()
	return of.spent
}

// close ends a run that went on; next is the id of the run that continues it, or "".
func (r *runs) close(of *record, next string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of.rest = nil
	if next != "" {
		of.continued = next
		r.keep(&record{id: next, key: of.key, session: of.session, follows: of.spent})
	}
}

// keep adds a record, in place of the oldest if there are many.
func (r *runs) keep(new *record) {
	r.past = append(r.past[max(0, len(r.past)-mostRecords):], new)
}
