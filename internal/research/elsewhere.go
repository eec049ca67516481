package research

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Several processes may share a memory. What one of them works on is claimed there, so
// that the others wait for its answer, and work on it in its place once it has ended.
const (
	lookEvery    = 250 * time.Millisecond // how often the memory is asked for the answer of another process
	claimWithin  = 5 * time.Second        // a claim is made beside the run, which it does not delay
	claimsWithin = 500 * time.Millisecond // the claims of others are looked for before a run begins
)

// errLeft reports that another process ended its run without an answer.
var errLeft = errors.New("the run ended without an answer")

// claim notes beside a run that this process works on it. The returned function, when the
// run has ended, ends the claim; if left, what was asked stays, for another process.
func (e *Engine) claim(ctx context.Context, id string, req Request) (end func(left bool)) {
	if e.deps.Claims == nil {
		return func(bool) {}
	}
	ctx, cancel := limit.WithTimeout(context.WithoutCancel(ctx), claimWithin)
	claimed := guarded(e, "claiming a run", func() bool {
		ok, err := e.claimNow(ctx, id, req)
		if err != nil && ctx.Err() == nil {
			e.deps.Log.Debug("other processes will not know of a run before its answer is stored", "run", id, "err", err)
		}
		return ok
	})
	return func(left bool) {
		cancel()
		if <-claimed; !left {
			e.release(ctx, id)
		}
	}
}

func (e *Engine) claimNow(ctx context.Context, id string, req Request) (bool, error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return false, err
	}
	return e.deps.Claims.ClaimRun(ctx, contract.ClaimedRun{ID: id, Session: req.Session, Question: req.Question, Request: raw, Begun: e.deps.Now()})
}

// release ends a claim. What fails ends by itself: the claim with the process, and what is
// stored of it after contract.ClaimKept.
func (e *Engine) release(ctx context.Context, id string) {
	ctx, cancel := limit.WithTimeout(context.WithoutCancel(ctx), claimsWithin)
	defer cancel()
	if err := e.deps.Claims.ReleaseRun(ctx, id); err != nil {
		e.deps.Log.Debug("the claim of a run was not ended", "run", id, "err", err)
	}
}

// claimed returns the first claim that fits, or nil.
func (e *Engine) claimed(ctx context.Context, fits func(contract.ClaimedRun) bool) (*contract.ClaimedRun, error) {
	if e.deps.Claims == nil {
		return nil, nil
	}
	all, err := e.deps.Claims.ClaimedRuns(ctx)
	for _, run := range all {
		if fits(run) {
			return &run, nil
		}
	}
	return nil, err
}

// claimedLike returns the claim of another process on the same question, or nil. A memory
// that does not say so at once is not waited for.
func (e *Engine) claimedLike(ctx context.Context, req Request) *contract.ClaimedRun {
	key := keyOf(req)
	e.runs.mu.Lock()
	a := e.runs.byKey[key]
	own := a != nil && a.finished.IsZero()
	e.runs.mu.Unlock()
	if own {
		return nil
	}
	ctx, cancel := limit.WithTimeout(ctx, claimsWithin)
	defer cancel()
	found, _ := e.claimed(ctx, func(run contract.ClaimedRun) bool {
		var asked Request
		return json.Unmarshal(run.Request, &asked) == nil && keyOf(asked) == key
	})
	return found
}

// look returns the answer of a run, or the claim of who works on it, or neither.
func (e *Engine) look(ctx context.Context, id string) (evidence.Answer, *contract.ClaimedRun, error) {
	for range 2 { // the answer is stored before the claim ends
		answer, ok, err := e.deps.Sessions.Run(ctx, id)
		if err != nil || ok {
			return answer, nil, err
		}
		run, err := e.claimed(ctx, func(run contract.ClaimedRun) bool { return run.ID == id })
		if err != nil || run != nil {
			return evidence.Answer{}, run, err
		}
	}
	return evidence.Answer{}, nil, errLeft
}

// pickUpElsewhere returns the answer of a run that this process does not know.
func (e *Engine) pickUpElsewhere(ctx context.Context, id string, budget time.Duration, observe func(Event)) (evidence.Answer, error) {
	answer, run, err := e.look(ctx, id)
	if run != nil {
		if answer, err = e.elsewhere(ctx, *run, budget, observe); errors.Is(err, errLeft) {
			return evidence.Answer{}, evidence.BadInput(fmt.Sprintf("the run %q ended without an answer", id), "ask the question again")
		}
	}
	if errors.Is(err, errLeft) {
		return evidence.Answer{}, unknownRun(id)
	}
	return answer, err
}

// elsewhere waits for the answer of a run that another process works on. Once that process
// has ended, the run is begun anew here, under its id. errLeft: there will be no answer.
func (e *Engine) elsewhere(ctx context.Context, run contract.ClaimedRun, budget time.Duration, observe func(Event)) (evidence.Answer, error) {
	begun := e.deps.Now()
	bounded, cancel := limit.WithTimeout(ctx, budget+awaitGrace)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if !run.Alive {
			a, err := e.takeOver(bounded, run)
			if err != nil {
				return evidence.Answer{}, err
			}
			if a != nil {
				return e.await(ctx, a, max(MinBudget, budget-e.deps.Now().Sub(begun)), observe)
			}
		}
		select {
		case <-tick.C:
		case <-bounded.Done():
			if err := ctx.Err(); err != nil {
				return evidence.Answer{}, err
			}
			return evidence.Answer{}, &Pending{Run: run.ID}
		}
		answer, now, err := e.look(bounded, run.ID)
		switch {
		case bounded.Err() != nil: // told above
		case err != nil:
			return evidence.Answer{}, err
		case now == nil:
			return answer, nil
		default:
			run = *now
		}
	}
}

// takeOver begins a run anew whose process has ended, or joins it if this process has done
// so. It is nil if another process has.
func (e *Engine) takeOver(ctx context.Context, run contract.ClaimedRun) (*asking, error) {
	if a := e.joinID(run.ID); a != nil {
		return a, nil
	}
	var req Request
	if err := json.Unmarshal(run.Request, &req); err != nil {
		return nil, errLeft
	}
	req, err := e.complete(req)
	if err != nil {
		return nil, err
	}
	if ok, err := e.claimNow(ctx, run.ID, req); err != nil || !ok {
		return nil, err
	}
	e.runs.mu.Lock()
	a, err := e.start(ctx, req, run.ID)
	e.runs.mu.Unlock()
	if err != nil {
		e.release(ctx, run.ID)
	}
	return a, err
}

// joinID returns the run of an id that is at work here, or nil. The caller is counted as
// waiting.
func (e *Engine) joinID(id string) *asking {
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	a := e.runs.byID[id]
	if a == nil || !a.finished.IsZero() {
		return nil
	}
	a.waiting++
	return a
}
