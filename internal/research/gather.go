package research

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/internal/text"
)

// found is what one source said to one keyword.
type searchResult struct {
	source string
	topic  int // its place among the keywords
	docs   []evidence.Document
	origin evidence.Origin
	more   bool // the pages that the documents link to are still to come
	last   bool // with more: a replay does not wait for them
	err    error
	took   time.Duration // since the gathering began
}

// gathering asks the sources with each keyword, concurrently, and passes every
// document on as it arrives. Searches that are still running at the soft budget
// continue in the background, so they depend on the engine's life and not only
// on the question's context.
type gathering struct {
	r         *run
	sources   []chosen
	begun     time.Time
	ctx       context.Context // of the searches
	cancel    context.CancelFunc
	group     *errgroup.Group
	results   chan searchResult
	pending   map[string]int // running searches, by source
	abandoned int            // of those: a replay does not wait for them
	tallies   map[string]*tally
	seen      map[string]bool          // ids of documents that were passed on
	documents map[string]foundDocument // by id
	answered  bool                     // some source has answered, perhaps with nothing
	asked     map[string]bool          // keywords, in lower case
	most      int                      // keywords; no more than newGathering was told
	patience  time.Duration            // see evidence.Query
}

func (r *run) newGathering(ctx context.Context, sources []chosen, most int) (*gathering, func() bool) {
	g := &gathering{r: r, sources: sources, most: most, begun: r.e.deps.Now(), group: new(errgroup.Group),
		results: make(chan searchResult, 2*len(sources)*most), // so that no search blocks
		pending: map[string]int{}, tallies: map[string]*tally{}, seen: map[string]bool{}, documents: map[string]foundDocument{}, asked: map[string]bool{}}
	g.ctx, g.cancel = limit.WithTimeout(span.Carry(limit.LikeClock(r.e.life, ctx), ctx), r.e.sourceDeadline(sources))
	g.patience = r.patience(ctx, len(sources))
	for _, s := range sources {
		g.tallies[s.Name()] = &tally{failures: map[int]error{}, waiting: map[int]bool{}, report: evidence.SourceReport{Name: s.Name(), Why: s.why}}
	}
	// A deadline does not end the searches: stragglers continue in the background.
	return g, context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			g.cancel()
		}
	})
}

// patience returns how long a search is certainly waited for: until ctx ends, or, beside
// other sources, for the soft budget. 0: that is not known.
func (r *run) patience(ctx context.Context, sources int) time.Duration {
	if limit.ClockIsOff(ctx) {
		return 0
	}
	out := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		out = max(time.Until(deadline), 1)
	}
	if soft := r.softBudget(); sources > 1 && (out == 0 || soft < out) {
		out = soft
	}
	return out
}

// softBudget is how long slow sources are waited for once one has answered.
func (r *run) softBudget() time.Duration {
	return time.Duration(float64(r.e.cfg.SoftBudget) * r.depth.soft)
}

// limiterWait is added to a source's timeout, which does not include the time that
// requests wait for the rate limit of their host.
const limiterWait = 10 * time.Second

// sourceDeadline returns how long searches may run: Config.SourceDeadline, or
// longer if a source's own timeout is.
func (e *Engine) sourceDeadline(sources []chosen) time.Duration {
	longest := e.cfg.SourceDeadline
	for _, s := range sources {
		if t, ok := s.Source.(Timed); ok {
			longest = max(longest, t.Timeout()+limiterWait)
		}
	}
	return longest
}

// ask starts a search for topic at every source.
func (g *gathering) ask(topic string) {
	key := strings.ToLower(topic)
	if topic == "" || g.asked[key] || len(g.asked) >= g.most {
		return
	}
	place := len(g.r.answer.Topics)
	g.asked[key] = true
	g.r.answer.Topics = append(g.r.answer.Topics, topic)
	q := evidence.Query{Text: topic, Question: g.r.req.Question, Limit: g.r.depth.limit, Language: text.PrimaryLanguage(g.r.req.Language), FullText: g.r.depth.full, Patience: g.patience}
	for _, s := range g.sources {
		t := g.tallies[s.Name()]
		g.pending[s.Name()]++
		t.waiting[place] = false
		t.report.Status = "" // until this search has ended, too
		withoutLinks := false
		if rec, ok := s.Source.(Replayed); ok {
			var report string
			if report, withoutLinks = rec.GivenUp(q); report != "" {
				t.givenUp = report
				if !withoutLinks {
					g.abandoned++
					continue
				}
			}
		}
		g.group.Go(func() error {
			g.search(s.Source, place, q, withoutLinks)
			return nil // one source's failure must not end the others
		})
	}
}

// localBreadth is how many times the documents of another source a local one is
// asked for.
const localBreadth = 3

// search asks one source and then reads the pages that its documents link to,
// unless withoutLinks. Each is a result.
func (g *gathering) search(s Source, place int, q evidence.Query, withoutLinks bool) {
	took := func() time.Duration { return g.r.e.deps.Now().Sub(g.begun) }
	f := searchResult{source: s.Name(), topic: place, last: withoutLinks}
	if l, ok := s.(Local); ok && l.Local() {
		q.Limit *= localBreadth
	}
	f.docs, f.origin, f.err = g.r.e.search(g.ctx, s, q)
	links := linked(f.docs)
	f.took, f.more = took(), len(links) > 0
	g.results <- f
	if f.more && !f.last {
		pages, from := g.r.e.readLinked(g.ctx, links)
		g.results <- searchResult{source: s.Name(), topic: place, docs: pages, origin: from, took: took()}
	}
}

// foundDocument is a document as the first of the keywords that led to it returned
// it, with the best of its scores: the order of arrival must not matter.
type foundDocument struct {
	topic int
	doc   evidence.Document
}

// merge records a document that another keyword has found before.
func (g *gathering) merge(topic int, d evidence.Document) {
	have, ok := g.documents[d.ID]
	if !ok || d.Text != have.doc.Text { // it is empty, or another document with the same id
		return
	}
	best := max(have.doc.Score, d.Score)
	if topic < have.topic {
		have = foundDocument{topic, d}
	}
	have.doc.Score = best
	g.documents[d.ID] = have
}

// search calls a source and turns its panic into an error.
func (e *Engine) search(ctx context.Context, s Source, q evidence.Query) (docs []evidence.Document, origin evidence.Origin, err error) {
	ctx, seen := e.seeSearch(ctx, s, q)
	defer func() { seen(docs, origin, err) }()
	defer func() {
		if p := recover(); p != nil {
			e.deps.Log.Error("source panicked", "source", s.Name(), "panic", p, "stack", string(debug.Stack()))
			docs, err = nil, fmt.Errorf("the source panicked: %v", p)
		}
	}()
	if t, ok := s.(Tracer); ok {
		return t.SearchTraced(ctx, q)
	}
	docs, err = s.Search(ctx, q)
	return docs, evidence.Origin{}, err
}

// wait passes documents on until every search has ended, the soft budget has
// passed since the first answer, or ctx ends. plans may add keywords meanwhile.
// If everything ends without a document, it asks once more with a broader
// keyword.
func (g *gathering) wait(ctx context.Context, plans <-chan plan, pass func([]evidence.Document)) {
	var soft <-chan time.Time
	replayed := limit.ClockIsOff(ctx) // then the keywords are those that came in time
	for {
		planning := plans != nil && (replayed || g.r.depth.parts || len(g.seen) == 0)
		if g.open() <= g.abandoned && !planning {
			word := g.broader()
			if word == "" {
				return
			}
			g.ask(word)
		}
		if soft == nil && (g.answered || g.open() == 0) {
			var stop func()
			soft, stop = limit.Timer(ctx, g.r.softBudget())
			defer stop()
		}
		select {
		case more, ok := <-plans:
			if !ok {
				plans = nil
				continue
			}
			for _, t := range more.keywords {
				g.ask(t)
			}
			g.divide(ctx, more.parts)
		case f := <-g.results:
			g.record(f, pass)
		case <-soft:
			return
		case <-ctx.Done():
			return
		}
	}
}

// open returns the number of running searches.
func (g *gathering) open() int {
	n := 0
	for _, p := range g.pending {
		n += p
	}
	return n
}

// record enters a result and passes its new documents on.
func (g *gathering) record(f searchResult, pass func([]evidence.Document)) {
	t := g.tallies[f.source]
	switch {
	case !f.more:
		g.pending[f.source]--
		delete(t.waiting, f.topic)
	case f.last:
		g.abandoned++
		fallthrough
	default:
		t.waiting[f.topic] = true
	}
	t.report.LatencyMS = max(t.report.LatencyMS, f.took.Milliseconds())
	t.warning = cmp.Or(t.warning, f.origin.Warning) // the next ones say the same with other numbers
	if f.err != nil {
		t.failures[f.topic] = f.err
	} else {
		t.answered, g.answered = true, true
		t.asked, t.stale, t.age = t.asked || !f.origin.Cached, t.stale || f.origin.Stale, max(t.age, f.origin.Age)
		fresh := slices.DeleteFunc(slices.Clone(f.docs), func(d evidence.Document) bool {
			if d.Text == "" || g.seen[d.ID] {
				t.known = t.known || d.Text != ""
				g.merge(f.topic, d)
				return true
			}
			g.seen[d.ID] = true
			g.documents[d.ID] = foundDocument{f.topic, d}
			return false
		})
		t.report.Documents += len(fresh)
		pass(fresh)
	}
	if g.pending[f.source] == 0 {
		g.settle(t)
		report := t.report
		g.r.emit(Event{Kind: EventSource, Source: &report, Done: g.settled(), Total: len(g.sources)})
	}
}
