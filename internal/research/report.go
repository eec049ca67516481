package research

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// tally sums up a source's searches.
type tally struct {
	report   evidence.SourceReport
	answered bool
	known    bool // it returned a document that had been found before
	asked    bool // not all of its results came from the cache
	stale    bool
	warning  string        // of the first search that had one
	age      time.Duration // of its oldest cached result
	failures map[int]error // by topic
	waiting  map[int]bool  // topics that are not answered in full; true: only linked pages are missing
	givenUp  string        // in a replay, the error of its recorded report
	late     bool          // it was not waited for any longer
}

// failed joins the failures in the order of the topics, not of their arrival.
func (t *tally) failed() error {
	var all []error
	for _, topic := range slices.Sorted(maps.Keys(t.failures)) {
		all = append(all, t.failures[topic])
	}
	return errors.Join(all...)
}

func (g *gathering) settled() int {
	n := 0
	for _, t := range g.tallies {
		if t.report.Status != "" {
			n++
		}
	}
	return n
}

// settle sets a source's status once all its searches have ended. A source that
// answered some keyword is ok, and its report says what else failed.
func (g *gathering) settle(t *tally) {
	failed := t.failed()
	switch {
	case t.report.Documents > 0, t.known:
		t.report.Status = evidence.StatusOK
		if !t.asked {
			t.report.Status = evidence.StatusCached
		}
	case t.answered && failed == nil:
		t.report.Status = evidence.StatusEmpty
	default:
		t.report.Status = statusOf(failed)
	}
	t.report.AgeSeconds = int64(t.age.Seconds())
	switch {
	case failed != nil:
		t.report.Err, t.report.Kind = firstLine(failed), kindOf(failed)
	case t.stale:
		t.report.Err = fmt.Sprintf("could not be asked: this is what it said %s ago", t.age.Round(max(time.Second, t.age/50)))
	}
}

// giveUp sets the report of a source that did not answer every keyword in time.
func (g *gathering) giveUp(t *tally, waited time.Duration) {
	t.late = true
	t.report.LatencyMS = waited.Milliseconds()
	failed := errors.Join(fmt.Errorf("no full answer within %s; it is not waited for any longer", waited.Round(10*time.Millisecond)), t.failed())
	t.report.Err = cmp.Or(t.givenUp, strings.ReplaceAll(failed.Error(), "\n", "; "))
	t.report.Status = evidence.StatusTimeout
	if t.report.Documents > 0 {
		t.report.Status = evidence.StatusOK
	}
}

// givenUpOf lists the searches of a source that have not ended.
func (g *gathering) givenUpOf(t *tally) *GivenUp {
	out := &GivenUp{}
	for _, place := range slices.Sorted(maps.Keys(t.waiting)) {
		if topic := g.r.answer.Topics[place]; t.waiting[place] {
			out.Links = append(out.Links, topic)
		} else {
			out.Topics = append(out.Topics, topic)
		}
	}
	return out
}

// statusOf returns the status for a source's error: the error's own if it has one.
func statusOf(err error) string {
	var s interface{ SourceStatus() string }
	switch {
	case errors.As(err, &s) && s.SourceStatus() != "":
		return s.SourceStatus()
	case errors.Is(err, context.DeadlineExceeded):
		return evidence.StatusTimeout
	default:
		return evidence.StatusError
	}
}

// kindOf returns the kind of a source's error, if it has one.
func kindOf(err error) string {
	var s interface{ SourceKind() string }
	if errors.As(err, &s) {
		return s.SourceKind()
	}
	return ""
}

// firstLine returns the first line of an error: joined errors repeat themselves.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
