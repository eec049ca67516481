package research

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of runs.
const (
	mostRuns     = 16               // that work at the same time; others wait
	mostWaiting  = 100              // that work or wait
	keepFinished = 10 * time.Minute // how long the answer of a run that nobody waited for is kept at hand
	mostFinished = 64
	mostRecords  = 256
)

// runs are the questions that Ask answers.
type runs struct {
	mu    sync.Mutex
	byKey map[string]*asking // the last run of a question in a session
	byID  map[string]*asking
	past  []*record     // the last runs of this process, the newest last
	slots chan struct{} // one for each run at work
	ended map[string]uint64
}

// record is what is known of a run beyond its stored answer.
type record struct {
	id        string
	key       string // keyOf its question
	session   string // of its answer; "" before there is one
	delivered bool   // a caller got the answer
	follows   bool   // it has the last answer of a run that was cut off
	spent     bool   // its budget ended before its searches did
	rest      *rest  // its searches go on; nil: they do not, or all that they brought is in the answer
	continued string // the id of the run that has that answer
}

func newRuns() *runs {
	return &runs{byKey: map[string]*asking{}, byID: map[string]*asking{}, slots: make(chan struct{}, mostRuns), ended: map[string]uint64{}}
}

// record returns what is known of a run, or nil.
func (r *runs) record(id string) *record {
	for _, past := range r.past {
		if past.id == id {
			return past
		}
	}
	return nil
}

// asking is a run and those who wait for it.
type asking struct {
	id, key  string
	question string
	cancel   context.CancelFunc
	done     chan struct{} // closed when answer and err are set
	answer   evidence.Answer
	err      error
	stored   bool // the memory has the answer

	// Guarded by runs.mu.
	waiting  int
	working  bool // it has a slot
	kept     bool // somebody gave up waiting: it goes on
	taken    bool // somebody got the answer
	finished time.Time

	mu        sync.Mutex
	observers map[int]*observer
	next      int
}

// Ask is Research for callers that may not wait until the end. If ctx ends with the cause
// evidence.ErrCallerLeft, a run that is at work goes on, for Config.RunFor at most, and its answer is
// stored as any other. The same question in the same session then joins the run or gets
// its answer, and so does a request with its id in Run; nothing is asked again. If ctx
// ends otherwise, the run ends with its last caller. Both ways lead to runs of other
// processes on the same memory, too; if that process ends, the run is begun anew here.
//
// A run whose budget is spent before its sources have answered gives what there is. It goes
// on, for Config.RunFor at most: both ways get what has come until then at once, and its last
// answer is stored.
//
// At most mostRuns work at once, and others wait. A caller whose budget ends before the run
// gets *Pending, with the id by which the answer is had later.
func (e *Engine) Ask(ctx context.Context, req Request, observe func(Event)) (evidence.Answer, error) {
	if req.Run != "" {
		if err := e.sameQuestion(ctx, req); err != nil {
			return evidence.Answer{}, err
		}
		return e.pickUp(ctx, req, observe)
	}
	req, err := e.complete(req)
	if err != nil {
		return evidence.Answer{}, err
	}
	if id := e.runs.continues(req); id != "" {
		again := req
		again.Run = id
		return e.pickUp(ctx, again, observe)
	}
	if a, ok := e.finished(ctx, req); ok {
		return a, nil
	}
	begun := e.deps.Now()
	if run := e.claimedLike(ctx, req); run != nil {
		if a, err := e.elsewhere(ctx, *run, req.Budget, observe); !errors.Is(err, errLeft) {
			return a, err
		}
	}
	return e.joinAndWait(ctx, req, max(MinBudget, req.Budget-e.deps.Now().Sub(begun)), observe)
}

// pickUp returns the answer of a run by its id, and waits for one at work. If its searches
// went on, the answer has what has come since.
func (e *Engine) pickUp(ctx context.Context, req Request, observe func(Event)) (evidence.Answer, error) {
	budget := cmp.Or(req.Budget, e.cfg.Budget)
	if err := CheckBudget(budget); err != nil {
		return evidence.Answer{}, err
	}
	e.runs.mu.Lock()
	id := e.runs.successorOf(req.Run)
	past, a := e.runs.record(id), e.runs.byID[id]
	working := a != nil && a.finished.IsZero()
	if working {
		a.waiting++
	}
	var left *rest
	if past != nil {
		left = past.rest
	}
	e.runs.mu.Unlock()
	if working {
		return e.await(ctx, a, budget, observe)
	}
	if left != nil {
		answer, err := e.renewed(ctx, past, left, budget)
		if err == nil {
			e.runs.give(req.Run, answer.RunID)
		}
		return answer, err
	}
	answer, ok, err := e.answerOf(ctx, id, a)
	switch {
	case err != nil:
		return evidence.Answer{}, err
	case !ok:
		return e.pickUpElsewhere(ctx, id, budget, observe)
	}
	e.runs.give(req.Run, id)
	return answer, nil
}

// answerOf returns the answer of a finished run: the memory's, since it may have been
// forgotten, or the one at hand if the memory could not store it. a may be nil.
func (e *Engine) answerOf(ctx context.Context, id string, a *asking) (evidence.Answer, bool, error) {
	if a != nil && !a.stored && a.err == nil {
		return a.answer.Clone(), true, nil
	}
	return e.deps.Sessions.Run(ctx, id)
}

// keyOf is what equal questions share.
func keyOf(req Request) string {
	return strings.Join([]string{req.Session, alike(req.Question), req.Depth, req.Language, strings.Join(req.Sources, ",")}, "\x00")
}

// alike is what questions have in common that differ in capitals, accents and white space.
func alike(question string) string { return text.Squash(text.Fold(question)) }

// finished returns the answer of a run of the same question that its caller did not
// wait for.
func (e *Engine) finished(ctx context.Context, req Request) (evidence.Answer, bool) {
	e.runs.mu.Lock()
	a := e.runs.byKey[keyOf(req)]
	ready := a != nil && a.kept && !a.taken && !a.finished.IsZero() && a.err == nil && e.deps.Now().Sub(a.finished) < keepFinished
	e.runs.mu.Unlock()
	if !ready {
		return evidence.Answer{}, false
	}
	answer, ok, err := e.answerOf(ctx, a.id, a)
	if err != nil || !ok {
		return evidence.Answer{}, false
	}
	e.runs.give(a.id)
	return answer, true
}

// give notes that a caller got the answer of finished runs.
func (r *runs) give(ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if a := r.byID[id]; a != nil {
			a.taken = true
		}
		if past := r.record(id); past != nil {
			past.delivered = true
		}
	}
}

// joinAndWait waits for what is left of the budget.
func (e *Engine) joinAndWait(ctx context.Context, req Request, left time.Duration, observe func(Event)) (evidence.Answer, error) {
	a, err := e.join(ctx, req.in(left))
	if err != nil {
		return evidence.Answer{}, err
	}
	return e.await(ctx, a, left, observe)
}

// in is the request for a run that begins when only this much is left of its budget. If that
// is less than a quarter, the answer is for a caller who comes back, and has the whole budget.
func (req Request) in(left time.Duration) Request {
	if left >= max(MinBudget, req.Budget/4) {
		req.Budget = left
	}
	return req
}

// join returns the run of the question that is at work, or starts one. The caller is
// counted as waiting.
func (e *Engine) join(ctx context.Context, req Request) (*asking, error) {
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	if a := e.runs.byKey[keyOf(req)]; a != nil && a.finished.IsZero() {
		a.waiting++
		return a, nil
	}
	return e.start(ctx, req, e.deps.NewID("r_"))
}

// start begins a run; runs.mu is held. The caller is counted as waiting.
func (e *Engine) start(ctx context.Context, req Request, id string) (*asking, error) {
	key := keyOf(req)
	if e.runs.unfinished() >= mostWaiting && !e.runs.endForsaken() {
		return nil, &evidence.Problem{What: fmt.Sprintf("%d questions are being answered or wait", mostWaiting), Try: "ask again when some have their answers"}
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	run, cancel := limit.WithTimeout(context.WithoutCancel(ctx), max(cmp.Or(e.cfg.RunFor, DefaultConfig().RunFor), req.Budget+awaitGrace))
	stop := context.AfterFunc(e.life, cancel)
	a := &asking{id: id, key: key, question: req.Question, cancel: cancel, done: make(chan struct{}), waiting: 1, observers: map[int]*observer{}}
	e.runs.drop(e.deps.Now())
	e.runs.byKey[key], e.runs.byID[a.id] = a, a
	of := &record{id: id, key: key}
	e.runs.keep(of)
	go func() { // Close waits for it
		defer e.tasks.Done()
		defer cancel()
		defer stop()
		e.work(run, req, a, of)
	}()
	return a, nil
}

// work answers the question of a run, and goes on with what its budget cut off.
func (e *Engine) work(ctx context.Context, req Request, a *asking, of *record) {
	endClaim := e.claim(ctx, a.id, req)
	answer, left, err := e.inTurn(ctx, req, a)
	stored := err == nil && e.isStored(ctx, a.id)
	endClaim(err != nil && e.life.Err() != nil) // this program ends: another may answer
	goesOn := stored && left != nil && e.runs.leaves(of, left, answer.Session)
	if goesOn {
		answer.Warnings = left.warn(answer.Warnings, a.id)
	}
	e.runs.finish(a, answer, err, stored, e.deps.Now())
	if goesOn {
		e.goOn(ctx, of, left)
	}
}

// isStored reports whether the memory has the answer of a run. Of one that does not say so,
// the answer stays in this process.
func (e *Engine) isStored(ctx context.Context, id string) bool {
	ctx, cancel := limit.WithTimeout(context.WithoutCancel(ctx), claimsWithin)
	defer cancel()
	_, ok, err := e.deps.Sessions.Run(ctx, id)
	return ok && err == nil
}

// inTurn waits for a slot, and answers in what is left of the budget.
func (e *Engine) inTurn(ctx context.Context, req Request, a *asking) (answer evidence.Answer, left *rest, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.deps.Log.Error("panic", "in", "a run", "panic", p)
			err = errors.New("a bug in this program ended the run; its log has the details")
		}
	}()
	begun := e.deps.Now()
	select {
	case e.runs.slots <- struct{}{}:
		defer func() { <-e.runs.slots }()
	case <-ctx.Done():
		return evidence.Answer{}, nil, ctx.Err()
	}
	e.runs.mu.Lock()
	a.working = true
	e.runs.mu.Unlock()
	return e.research(ctx, req.in(req.Budget-e.deps.Now().Sub(begun)), a.id, a.broadcast)
}

// finish sets a run's result.
func (r *runs) finish(a *asking, answer evidence.Answer, err error, stored bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.err, a.stored, a.finished = err, stored, now
	r.count(answer, err)
	if a.waiting > 0 || !stored {
		a.answer = answer
	}
	close(a.done)
	if a.waiting > 0 || err != nil { // those who wait have it; a failed one is begun anew
		r.forget(a)
	}
}

// drop removes finished runs that are too old or too many.
func (r *runs) drop(now time.Time) {
	var oldest *asking
	for _, a := range r.byID {
		switch {
		case a.finished.IsZero():
		case a.taken || now.Sub(a.finished) >= keepFinished:
			r.forget(a)
		case oldest == nil || a.finished.Before(oldest.finished):
			oldest = a
		}
	}
	if oldest != nil && len(r.byID) >= mostFinished+mostRuns {
		r.forget(oldest)
	}
}

// unfinished counts the runs that work or wait.
func (r *runs) unfinished() int {
	n := 0
	for _, a := range r.byID {
		if a.finished.IsZero() {
			n++
		}
	}
	return n
}

// endForsaken ends the oldest run that waits for others and that nobody waits for, and reports
// whether there is one.
func (r *runs) endForsaken() bool {
	for _, past := range r.past {
		if a := r.byID[past.id]; a != nil && a.finished.IsZero() && !a.working && a.waiting == 0 {
			a.cancel()
			r.forget(a)
			return true
		}
	}
	return false
}

func (r *runs) forget(a *asking) {
	delete(r.byID, a.id)
	if r.byKey[a.key] == a {
		delete(r.byKey, a.key)
	}
}
