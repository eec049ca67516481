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

// tally is how a source fared over all keywords.
type tally struct {
	report   evidence.SourceReport
	answered bool
	known    bool // it found what another had found before it
	asked    bool // it was truly asked: not all of what it said was kept from earlier
	stale    bool
	age      time.Duration // of the oldest that was kept
	failures map[int]error // by topic
	waiting  map[int]bool  // topics that are not answered in full; true: but for linked pages
	givenUp  string        // the error of its report when it was recorded
}

// failed joins the failures in the order of the topics, whichever came first.
func (t *tally) failed() error {
	var all []error
	for _, topic := range slices.Sorted(maps.Keys(t.failures)) {
		all = append(all, t.failures[topic])
	}
	return errors.Join(all...)
}

func (g *gathering) settled() int {
	n := 0
	for _, t := range g.tally {
		if t.report.Status != "" {
			n++
		}
	}
	return n
}

// settle decides a source's status once all its searches are in: one that
// answered some keyword is ok, and says what failed beside it.
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

// giveUp reports a source that did not answer every keyword in time.
func (g *gathering) giveUp(t *tally, waited time.Duration) {
	t.report.LatencyMS = waited.Milliseconds()
	failed := errors.Join(fmt.Errorf("no full answer within %s; it is not waited for any longer", waited.Round(10*time.Millisecond)), t.failed())
	t.report.Err = cmp.Or(t.givenUp, strings.ReplaceAll(failed.Error(), "\n", "; "))
	t.report.Status = evidence.StatusTimeout
	if t.report.Documents > 0 {
		t.report.Status = evidence.StatusOK
	}
}

// givenUpOf lists the searches that a source has not ended.
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

// statusOf maps an error of a source to its status. Sources' errors say so
// themselves where they know better than "error".
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

// kindOf is what a source says of its error, if it does.
func kindOf(err error) string {
	var s interface{ SourceKind() string }
	if errors.As(err, &s) {
		return s.SourceKind()
	}
	return ""
}

// firstLine keeps a report short: joined errors repeat themselves.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
