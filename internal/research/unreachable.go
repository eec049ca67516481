package research

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// unreachable says what may help when no source answered.
func (r *run) unreachable() string {
	var late bool
	var limits, settings []string
	for _, s := range r.asked {
		t := r.tallies[s.Name()]
		timed, ok := s.Source.(Timed)
		switch {
		case t == nil || t.report.Status != evidence.StatusTimeout:
		case t.late || !ok:
			late = true
		default:
			limits = append(limits, fmt.Sprintf("%s has %s", s.Name(), timed.Timeout()))
			settings = append(settings, "sources."+s.Name()+".timeout")
		}
	}
	switch {
	case late:
		return fmt.Sprintf("No source answered in time: allow more than the budget of %s, or name fewer sources.", roundly(r.req.Budget))
	case len(limits) > 0:
		return fmt.Sprintf("No source answered within its own time limit (%s): set %s to more, or name other sources.",
			strings.Join(limits, ", "), strings.Join(settings, ", "))
	case len(r.onNet()) == 0:
		return "`research-mcp doctor` says why nothing on this machine could be searched."
	case r.offline() != "":
		return "Ask again when there is a network; `research-mcp doctor` says what can be reached."
	}
	return "No source could be reached: `research-mcp doctor` says why."
}

// onNet returns the sources that were asked and are not on this machine.
func (r *run) onNet() []chosen {
	return slices.DeleteFunc(slices.Clone(r.asked), func(s chosen) bool {
		l, ok := s.Source.(Local)
		return ok && l.Local()
	})
}

// offline says that this machine seems to have no network, if all sources on the net
// failed as they do then; else it returns "". The failure of one source is no sign of it:
// its address may be wrong.
func (r *run) offline() string {
	net, sure := r.onNet(), false
	for _, s := range net {
		t := r.tallies[s.Name()]
		if t == nil || !unreached(t.report) {
			return ""
		}
		isOff := noNetwork(t.failed())
		if !isOff && t.report.Kind != kindBroken { // its circuit is open: it failed earlier
			return ""
		}
		sure = sure || isOff
	}
	if !sure || len(net) < 2 {
		return ""
	}
	return fmt.Sprintf("This machine seems to have no network: none of %s could be reached", text.Count(len(net), "source"))
}

// noNetwork reports whether an error is one that a machine without a network has with
// every host.
func noNetwork(err error) bool {
	var n interface{ NoNetwork() bool }
	return errors.As(err, &n) && n.NoNetwork()
}

// warnUnreachable names the sources that could not be reached, when others answered.
func (r *run) warnUnreachable() {
	if offline := r.offline(); offline != "" {
		r.warn(offline)
		return
	}
	var failed []string
	for _, s := range r.answer.Sources {
		if unreached(s) {
			failed = append(failed, s.Name)
		}
	}
	if len(failed) > 0 {
		r.warn(fmt.Sprintf("%d of %s could not be reached: %s", len(failed), text.Count(len(r.answer.Sources), "source"), strings.Join(failed, ", ")))
	}
}

// Kinds of errors of sources that could not be reached; see evidence.SourceReport.
const (
	kindUnreachable = "unreachable"
	kindBroken      = "broken"
)

// unreached reports whether a source gave nothing because it could not be reached.
func unreached(s evidence.SourceReport) bool {
	return !reached(s) && (s.Kind == kindUnreachable || s.Kind == kindBroken)
}

// roundly is a budget as its caller gave it: some of it may have gone while the run waited.
func roundly(budget time.Duration) time.Duration {
	if budget < time.Second {
		return budget.Round(100 * time.Millisecond)
	}
	return budget.Round(time.Second)
}
