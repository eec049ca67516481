package research

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
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

// finish reports every source, and lets what is still on its way go on in the
// background. stop undoes the tie to the question's context.
func (g *gathering) finish(ctx context.Context, stop func() bool) []evidence.SourceReport {
	waited := g.r.e.deps.Now().Sub(g.begun)
	if ctx.Err() == nil {
		stop()
	}
	g.r.e.spawn("stragglers", func() {
		defer g.cancel()
		ended := make(chan struct{})
		g.r.e.spawn("stragglers", func() {
			defer close(ended)
			_ = g.group.Wait() // searches never return an error to the group
		})
		g.keepStragglers(ended)
	})
	out := make([]evidence.SourceReport, 0, len(g.sources))
	for _, s := range g.sources {
		t := g.tally[s.Name()]
		if g.pending[s.Name()] > 0 {
			g.giveUp(t, waited)
			report := t.report
			if !errors.Is(ctx.Err(), context.Canceled) { // who went away needs no report
				g.r.emit(Event{Kind: EventSource, Source: &report, GivenUp: g.givenUpOf(t), Done: g.settled(), Total: len(g.sources)})
			}
		}
		out = append(out, t.report)
	}
	return out
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

// keepStragglers remembers what still comes until every search has ended.
func (g *gathering) keepStragglers(ended <-chan struct{}) {
	for {
		select {
		case f := <-g.results:
			g.r.e.keepLate(f, g.r.session.ID)
		case <-ended:
			for len(g.results) > 0 {
				g.r.e.keepLate(<-g.results, g.r.session.ID)
			}
			return
		}
	}
}

// keepLate puts what a straggler brought into the memory, for the next question.
func (e *Engine) keepLate(f found, session string) {
	if f.err != nil || e.life.Err() != nil {
		return
	}
	for _, d := range f.docs {
		if d.Text == "" {
			continue
		}
		ctx, cancel := e.lingering(e.life, keepWithin)
		_, err := e.deps.Library.Keep(ctx, d, library.KeepOptions{Embedder: e.deps.Models.BuiltIn().Embedder, Session: session})
		cancel()
		if err != nil && e.life.Err() == nil {
			e.deps.Log.Warn("late document was not stored", "source", f.source, "url", d.URL, "err", err)
		}
	}
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
