package research

import (
	"cmp"
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/span"
)

// RunCounts are the questions that are asked by Ask.
type RunCounts struct {
	Running int // at work
	Queued  int // waiting for a slot
	Ended   map[string]uint64
}

// Statuses of runs that ended without an answer.
const (
	endedError     = "error"
	endedCancelled = "cancelled"
)

// Runs counts the questions of Ask; those that ended by the status of their answers,
// "error" or "cancelled".
func (e *Engine) Runs() RunCounts {
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	out := RunCounts{Ended: map[string]uint64{}}
	for _, status := range []string{evidence.Answered, evidence.Partial, evidence.Insufficient, endedError, endedCancelled} {
		out.Ended[status] = e.runs.ended[status]
	}
	for _, a := range e.runs.byID {
		switch {
		case !a.finished.IsZero():
		case a.working:
			out.Running++
		default:
			out.Queued++
		}
	}
	return out
}

// count counts a run that ended. The caller holds the lock.
func (r *runs) count(answer evidence.Answer, err error) {
	status := answer.Status
	switch {
	case errors.Is(err, context.Canceled):
		status = endedCancelled
	case err != nil:
		status = endedError
	}
	r.ended[status]++
}

// describe gives the span of a question its sizes.
func describe(step span.Span, req Request, a evidence.Answer) {
	step.SetContent("question", req.Question)
	step.Set("depth", req.Depth)
	step.Set("status", a.Status)
	step.Set("sources", len(a.Sources))
	step.Set("citations", len(a.Citations))
	step.Set("claims", len(a.Claims))
	step.Set("answer_bytes", len(a.Answer))
}

// seeSearch starts the span of a search. The returned function ends it, and tells
// Deps.Searched.
func (e *Engine) seeSearch(ctx context.Context, s Source, q evidence.Query) (context.Context, func([]evidence.Document, evidence.Origin, error)) {
	begun := e.deps.Now()
	ctx, step := span.Start(ctx, "source")
	step.Set("source", s.Name())
	step.SetContent("keywords", q.Text)
	return ctx, func(docs []evidence.Document, origin evidence.Origin, err error) {
		status := searchStatus(docs, origin, err)
		step.Set("status", status)
		step.Set("documents", len(docs))
		step.Set("bytes", sizeOf(docs))
		step.End(err)
		if e.deps.Searched != nil {
			e.deps.Searched(s.Name(), status, e.deps.Now().Sub(begun))
		}
	}
}

// searchStatus is the status of one search, as in a source's report.
func searchStatus(docs []evidence.Document, origin evidence.Origin, err error) string {
	switch {
	case err != nil:
		return statusOf(err)
	case origin.Cached:
		return evidence.StatusCached
	case len(docs) == 0:
		return evidence.StatusEmpty
	}
	return evidence.StatusOK
}

func sizeOf(docs []evidence.Document) int {
	n := 0
	for _, d := range docs {
		n += len(d.Text)
	}
	return n
}

// verify settles the answer and shows where its sources contradict each other.
func (r *run) verify(ctx context.Context, v *verifier, w written) {
	ctx, step := span.Start(ctx, "verify")
	defer step.End(nil)
	r.settle(v, w)
	r.showConflicts(v, v.conflicts(ctx, w.claims))
	step.Set("claims", len(r.answer.Claims))
	step.Set("citations", len(r.answer.Citations))
}

// endDigest ends the span of a digestion.
func endDigest(step span.Span, docs []*digested) {
	chunks, bytes := 0, 0
	for _, d := range docs {
		chunks += len(d.chunks.Items)
		bytes += len(d.doc.Text)
	}
	step.Set("documents", len(docs))
	step.Set("chunks", chunks)
	step.Set("bytes", bytes)
	step.End(nil)
}

// endWrite ends the span of the writing.
func endWrite(step span.Span, w written) {
	step.Set("synthesizer", cmp.Or(w.by, "none"))
	step.Set("claims", len(w.claims))
	step.End(nil)
}
