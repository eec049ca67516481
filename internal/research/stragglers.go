package research

import (
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// finish reports every source and lets running searches continue in the
// background. stop detaches them from the question's context.
func (g *gathering) finish(ctx context.Context, stop func() bool) []evidence.SourceReport {
	waited := g.r.e.deps.Now().Sub(g.begun)
	if ctx.Err() == nil {
		stop()
	}
	goesOn := g.open() > g.abandoned
	if goesOn {
		g.r.late.begin(g.pending, errors.Is(ctx.Err(), context.DeadlineExceeded))
	}
	g.r.e.spawn("stragglers", func() {
		defer g.cancel()
		if goesOn {
			defer g.r.late.end()
		}
		ended := make(chan struct{})
		g.r.e.spawn("stragglers", func() {
			defer close(ended)
			_ = g.group.Wait() // searches never return an error to the group
		})
		g.keepStragglers(ended)
	})
	out := make([]evidence.SourceReport, 0, len(g.sources))
	for _, s := range g.sources {
		t := g.tallies[s.Name()]
		if t.warning != "" {
			g.r.warn(t.warning)
		}
		if g.pending[s.Name()] > 0 {
			g.giveUp(t, waited)
			report := t.report
			if !errors.Is(ctx.Err(), context.Canceled) { // a caller that has left needs no report
				g.r.emit(Event{Kind: EventSource, Source: &report, GivenUp: g.givenUpOf(t), Done: g.settled(), Total: len(g.sources)})
			}
		}
		out = append(out, t.report)
	}
	return out
}

// keepStragglers stores late documents until every search has ended.
func (g *gathering) keepStragglers(ended <-chan struct{}) {
	for {
		select {
		case f := <-g.results:
			g.r.late.add(f, g.r.e.keepLate(f, g.r.session.ID))
		case <-ended:
			for len(g.results) > 0 {
				f := <-g.results
				g.r.late.add(f, g.r.e.keepLate(f, g.r.session.ID))
			}
			return
		}
	}
}

// keepLate stores the documents of a late result, for the run and the next question.
func (e *Engine) keepLate(f searchResult, session string) (stored []scored) {
	if f.err != nil || e.life.Err() != nil {
		return nil
	}
	for _, d := range f.docs {
		if d.Text == "" {
			continue
		}
		ctx, cancel := e.lingering(e.life, keepWithin)
		_, err := e.deps.Library.Keep(ctx, d, session)
		cancel()
		switch {
		case err == nil:
			stored = append(stored, scored{d.ID, d.Score})
		case e.life.Err() == nil:
			e.deps.Log.Warn("late document was not stored", "source", f.source, "url", d.URL, "err", err)
		}
	}
	return stored
}
