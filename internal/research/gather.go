package research

import (
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
	"github.com/research-mcp/research-mcp/internal/text"
)

// found is what one source said to one keyword.
type found struct {
	source string
	topic  int // its place among the keywords
	docs   []evidence.Document
	origin evidence.Origin
	more   bool // the pages that the documents link to are still being read
	last   bool // with more: they are not waited for, as the recording says
	err    error
	took   time.Duration // since the gathering began
}

// gathering asks sources with keywords, all at once, and hands each document on
// as it comes. Searches do not hang on the question's context alone: those
// that are still on their way at the soft budget go on in the background.
type gathering struct {
	r       *run
	sources []chosen
	begun   time.Time
	ctx     context.Context // of the searches
	cancel  context.CancelFunc
	group   *errgroup.Group
	results chan found
	pending map[string]int // searches under way, by source
	givenUp int            // of those: never to end, as the recording says
	tally   map[string]*tally
	seen    map[string]bool // documents handed on
	finds   map[string]find // the documents, by id
	heard   bool            // a source has answered, if only that it has nothing
	asked   map[string]bool // keywords
}

func (r *run) newGathering(ctx context.Context, sources []chosen) (*gathering, func() bool) {
	g := &gathering{r: r, sources: sources, begun: r.e.deps.Now(), group: new(errgroup.Group),
		results: make(chan found, 2*len(sources)*r.depth.topics), // a search never waits to report
		pending: map[string]int{}, tally: map[string]*tally{}, seen: map[string]bool{}, finds: map[string]find{}, asked: map[string]bool{}}
	g.ctx, g.cancel = limit.WithTimeout(limit.LikeClock(r.e.life, ctx), r.e.sourceDeadline(sources))
	for _, s := range sources {
		g.tally[s.Name()] = &tally{failures: map[int]error{}, waiting: map[int]bool{}, report: evidence.SourceReport{Name: s.Name(), Why: s.why}}
	}
	// Time that is over does not end them: stragglers go on in the background.
	return g, context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			g.cancel()
		}
	})
}

// limiterWait is what a search may take beyond its source's timeout, which does
// not count the time that requests wait for the rate limit of their host.
const limiterWait = 10 * time.Second

// sourceDeadline is how long searches may go on: Config.SourceDeadline, or longer
// where a source's own timeout is.
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
	if topic == "" || g.asked[key] || len(g.asked) >= g.r.depth.topics {
		return
	}
	place := len(g.asked)
	g.asked[key] = true
	g.r.answer.Topics = append(g.r.answer.Topics, topic)
	q := evidence.Query{Text: topic, Question: g.r.req.Question, Limit: g.r.depth.limit, Language: text.PrimaryLanguage(g.r.req.Language), FullText: g.r.depth.full}
	for _, s := range g.sources {
		t := g.tally[s.Name()]
		g.pending[s.Name()]++
		t.waiting[place] = false
		t.report.Status = "" // it is asked again
		linksGivenUp := false
		if rec, ok := s.Source.(Replayed); ok {
			var report string
			if report, linksGivenUp = rec.GivenUp(q); report != "" {
				t.givenUp = report
				if !linksGivenUp {
					g.givenUp++
					continue
				}
			}
		}
		g.group.Go(func() error {
			f := found{source: s.Name(), topic: place}
			f.docs, f.origin, f.err = g.r.e.search(g.ctx, s.Source, q)
			f.took = g.r.e.deps.Now().Sub(g.begun)
			links := linked(f.docs)
			f.more, f.last = len(links) > 0, linksGivenUp
			g.results <- f
			if f.more && !f.last {
				pages, from := g.r.e.readLinked(g.ctx, links)
				g.results <- found{source: s.Name(), topic: place, docs: pages, origin: from, took: g.r.e.deps.Now().Sub(g.begun)}
			}
			return nil // one source's failure is data: it must not end the others
		})
	}
}

// find is a document as the first of the keywords that found it gave it, with
// the best of its scores: which answer came first decides nothing.
type find struct {
	topic int
	doc   evidence.Document
}

// again books a document that another keyword has found already.
func (g *gathering) again(topic int, d evidence.Document) {
	have, ok := g.finds[d.ID]
	if !ok || d.Text != have.doc.Text { // an empty one, or another one of the same id
		return
	}
	best := max(have.doc.Score, d.Score)
	if topic < have.topic {
		have = find{topic, d}
	}
	have.doc.Score = best
	g.finds[d.ID] = have
}

// search calls a source and survives its panic.
func (e *Engine) search(ctx context.Context, s Source, q evidence.Query) (docs []evidence.Document, origin evidence.Origin, err error) {
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

// wait hands on documents until every search has answered, the soft budget has
// passed since the first answer, or ctx ends. topics may add keywords
// while others are on their way.
func (g *gathering) wait(ctx context.Context, topics <-chan []string, handOn func([]evidence.Document)) {
	var soft <-chan time.Time
	replayed := limit.ClockIsOff(ctx) // then the keywords are those that came in time
	for g.open() > g.givenUp || topics != nil && (replayed || len(g.seen) == 0) || g.relax() {
		if soft == nil && (g.heard || g.open() == 0) {
			var stop func()
			soft, stop = limit.Timer(ctx, time.Duration(float64(g.r.e.cfg.SoftBudget)*g.r.depth.soft))
			defer stop()
		}
		select {
		case more, ok := <-topics:
			if !ok {
				topics = nil
				continue
			}
			for _, t := range more {
				g.ask(t)
			}
		case f := <-g.results:
			g.take(f, handOn)
		case <-soft:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (g *gathering) open() int {
	n := 0
	for _, p := range g.pending {
		n += p
	}
	return n
}

// take books one search's outcome.
func (g *gathering) take(f found, handOn func([]evidence.Document)) {
	t := g.tally[f.source]
	switch {
	case !f.more:
		g.pending[f.source]--
		delete(t.waiting, f.topic)
	case f.last:
		g.givenUp++
		fallthrough
	default:
		t.waiting[f.topic] = true
	}
	t.report.LatencyMS = max(t.report.LatencyMS, f.took.Milliseconds())
	if f.err != nil {
		t.failures[f.topic] = f.err
	} else {
		t.answered, g.heard = true, true
		t.asked, t.stale, t.age = t.asked || !f.origin.Cached, t.stale || f.origin.Stale, max(t.age, f.origin.Age)
		fresh := slices.DeleteFunc(slices.Clone(f.docs), func(d evidence.Document) bool {
			if d.Text == "" || g.seen[d.ID] {
				t.known = t.known || d.Text != ""
				g.again(f.topic, d)
				return true
			}
			g.seen[d.ID] = true
			g.finds[d.ID] = find{f.topic, d}
			return false
		})
		t.report.Documents += len(fresh)
		handOn(fresh)
	}
	if g.pending[f.source] == 0 {
		g.settle(t)
		report := t.report
		g.r.emit(Event{Kind: EventSource, Source: &report, Done: g.settled(), Total: len(g.sources)})
	}
}
