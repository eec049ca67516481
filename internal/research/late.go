package research

import (
	"maps"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// late collects what searches bring after the answer of their run. Its methods are safe for
// concurrent use.
type late struct {
	ended chan struct{} // closed when no search goes on

	mu      sync.Mutex
	open    int            // gatherings that go on, and the run until its answer exists
	spent   bool           // the budget ended one of them
	pending map[string]int // searches that go on, by source
	results []lateResult
}

// lateResult is what one search brought.
type lateResult struct {
	source string
	docs   []scored
	err    error
}

// scored names a stored document, with the score that its source gave it.
type scored struct {
	id    string
	score float64
}

// newLate is of a run that has no answer yet. Until answered is called, ended stays open:
// a round of searches may begin when those of the last have ended.
func newLate() *late {
	return &late{ended: make(chan struct{}), open: 1, pending: map[string]int{}}
}

// answered notes that the run has its answer, and reports whether any search goes on.
func (l *late) answered() (goesOn bool) {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open > 0
}

// begin notes that searches of a gathering go on. All begin before the run's answer.
func (l *late) begin(pending map[string]int, spent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	l.spent = l.spent || spent
	for source, n := range pending {
		l.pending[source] += n
	}
}

// end notes that the searches of a gathering have ended, or that the run is answered.
func (l *late) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open--; l.open == 0 {
		clear(l.pending)
		close(l.ended)
	}
}

// add enters a result whose documents are stored.
func (l *late) add(f searchResult, stored []scored) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !f.more {
		l.pending[f.source]--
	}
	l.results = append(l.results, lateResult{source: f.source, docs: stored, err: f.err})
}

// soFar returns what has come, and which searches go on.
func (l *late) soFar() (results []lateResult, pending map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.pending, func(_ string, n int) bool { return n <= 0 })
	return append([]lateResult{}, l.results...), maps.Clone(l.pending)
}

// cutOff reports whether the budget cut a search off.
func (l *late) cutOff() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent
}

// reports returns the first answer's reports with what came later.
func (l *late) reports(first []evidence.SourceReport) []evidence.SourceReport {
	results, pending := l.soFar()
	out := append([]evidence.SourceReport{}, first...)
	for i := range out {
		r := &out[i]
		was, came, failed := r.Documents, false, error(nil)
		for _, f := range results {
			if f.source != r.Name {
				continue
			}
			came = came || f.err == nil
			r.Documents += len(f.docs)
			if f.err != nil {
				failed = f.err
			}
		}
		switch {
		case pending[r.Name] > 0:
			if r.Documents > 0 {
				r.Status = evidence.StatusOK
			}
		case r.Documents > was, came && was > 0:
			r.Status, r.Err, r.Kind = evidence.StatusOK, "", ""
		case came:
			r.Status, r.Err, r.Kind = evidence.StatusEmpty, "", ""
		case failed != nil && was == 0:
			r.Status, r.Err, r.Kind = statusOf(failed), firstLine(failed), kindOf(failed)
		}
	}
	return out
}
