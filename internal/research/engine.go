package research

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Config bounds the engine. DefaultConfig sets every field.
type Config struct {
	Budget         time.Duration // of a Request with none
	SoftBudget     time.Duration // how long other sources are waited for after the first has answered
	SourceDeadline time.Duration // of a search, also in the background, unless the source's own timeout is longer
	RunFor         time.Duration // how long a run goes on whose caller gave up waiting
	FoldAfter      int           // messages in a session before the older ones are folded into its summary
	FoldKeep       int           // messages that are not folded
	RecallK        int           // most recalled passages for an answer
	PassageTokens  int           // most evidence for a synthesizer, in estimated tokens
	Language       string        // of a Request with none
}

// DefaultConfig returns the defaults of the settings.
func DefaultConfig() Config {
	return Config{
		Budget: 45 * time.Second, SoftBudget: 2500 * time.Millisecond, SourceDeadline: 30 * time.Second, RunFor: 3 * time.Minute,
		FoldAfter: 6, FoldKeep: 3, RecallK: 12, PassageTokens: 2400, Language: "en",
	}
}

// Deps are the engine's collaborators; all are required but Claims and Log.
type Deps struct {
	Sources  []Source            // those that are on; their names are the valid ones
	Kinds    map[string][]string // of questions that a source is for, by its name; a source that is not in the map is asked about everything, one without kinds only by name
	Off      map[string]string   // sources that are off, each with what to do to turn it on
	Library  *library.Library
	Sessions contract.Sessions
	Models   models.Chooser
	Analyst  Analyst
	Claims   contract.RunClaimer // of the memory; nil: a run is known to others when it is answered
	Now      func() time.Time
	NewID    func(prefix string) string
	Log      *slog.Logger

	// Searched is told of each search of a source, with one of the statuses of its report.
	// It is called concurrently and returns at once; nil: nobody is told.
	Searched func(source, status string, took time.Duration)
}

// Engine answers questions. It is safe for concurrent use.
type Engine struct {
	cfg  Config
	deps Deps

	life  context.Context // ends at Close; for work that outlives its question
	stop  context.CancelFunc
	tasks sync.WaitGroup // questions and background work
	folds folds
	runs  *runs

	mu     sync.Mutex
	closed bool
}

// New returns an engine. The caller closes it.
func New(cfg Config, deps Deps) *Engine {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	life, stop := context.WithCancel(context.Background())
	return &Engine{cfg: cfg, deps: deps, life: life, stop: stop, folds: folds{running: map[string]chan struct{}{}}, runs: newRuns()}
}

// Close ends background work and waits for it: late searches are cancelled, and a
// summary that is being written is finished by the built-in summarizer.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.tasks.Wait()
}

// enter registers a question, so that Close waits for it. After Close it returns
// an error.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return &evidence.Problem{What: "the program is ending", Try: "start it again, then ask"}
	}
	e.tasks.Add(1)
	return nil
}

// run is the state of one question.
type run struct {
	e       *Engine
	req     Request
	depth   depth
	models  *modelChoice
	session evidence.Session
	late    *late             // what its searches bring after the answer
	said    string            // the question as it was asked, where req.Question was completed from the session; else empty
	more    bool              // it asks for what the last answer did not say
	asked   []chosen          // sources
	tallies map[string]*tally // of the first round, by source; complete once it has ended
	parts   []string          // questions that a deep question is made of; nil: it is one

	optional bool // it is one of those: its answer may be left out when time is short
	observe  func(Event)
	started  time.Time
	answer   evidence.Answer
	unsure   bool   // the built-in synthesizer or the model found no answer, and the other's is given
	cut      bool   // a deadline or limit ended the draft early
	unbound  bool   // the question depends on an earlier one, and there is none
	nearest  string // what came nearest to an answer that was not given
	unkept   unkept
	stuck    atomic.Bool // the memory was found not to store anything

	mu       sync.Mutex // guards answer.Warnings and returned: steps run concurrently
	returned bool       // the caller has the answer: later warnings go to the log
}

// Research answers one question within req.Budget: steps that are late are left
// out and named in Warnings. The error is an *evidence.Problem of the request,
// ctx's error if ctx ended, or the memory's if it knows of no such session. A
// failure of a source, a model or the memory is part of the answer. observe, if not nil, is
// called from one goroutine at a time, in order.
func (e *Engine) Research(ctx context.Context, req Request, observe func(Event)) (evidence.Answer, error) {
	a, _, err := e.research(ctx, req, e.deps.NewID("r_"), observe)
	return a, err
}

// research is Research with the id of the run. The rest is nil if no search goes on.
func (e *Engine) research(ctx context.Context, req Request, id string, observe func(Event)) (evidence.Answer, *rest, error) {
	if err := e.enter(); err != nil {
		return evidence.Answer{}, nil, err
	}
	defer e.tasks.Done()
	defer e.deps.Library.Foreground()()
	req, err := e.complete(req)
	if err != nil {
		return evidence.Answer{}, nil, err
	}
	bounded, cancel := limit.WithTimeout(ctx, req.Budget)
	defer cancel()
	bounded, step := span.Start(bounded, "research")
	a, left, err := e.answer(ctx, bounded, req, id, observe)
	describe(step, req, a)
	step.End(err)
	return a, left, err
}

// answer does the steps of a question in order; bounded is ctx with the question's budget.
func (e *Engine) answer(ctx, bounded context.Context, req Request, id string, observe func(Event)) (evidence.Answer, *rest, error) {
	r, err := e.begin(bounded, req, id, observe)
	if err != nil {
		return evidence.Answer{}, nil, cmp.Or(ctx.Err(), err)
	}
	docs, recalled := r.collect(bounded)
	if err := ctx.Err(); err != nil {
		return evidence.Answer{}, nil, err
	}
	docs, v, answer := r.write(bounded, docs, recalled)
	analysis := r.analyse(bounded, docs)
	if err := ctx.Err(); err != nil {
		return evidence.Answer{}, nil, err
	}
	r.verify(bounded, v, answer)
	if r.answer.Analysis = <-analysis; r.answer.Analysis.Status == "" {
		r.answer.Analysis = evidence.Analysis{Status: "error", Err: "the analysis panicked", BySource: map[string]int{}}
	}
	r.conclude()
	r.remember(bounded, docs)
	if err := ctx.Err(); err != nil {
		return evidence.Answer{}, nil, err
	}
	r.emit(Event{Kind: EventDone})
	return r.finish(), restOf(r, docs), nil
}

// finish returns the answer as the caller's own. What is still stored in the
// background shares nothing with it.
func (r *run) finish() evidence.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned = true
	out := r.answer.Clone()
	r.unkept.hide(&out, r.req.Session == "")
	return out
}

// snapshot returns a copy of the answer so far.
func (r *run) snapshot() evidence.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answer.Clone()
}

// begin opens the session. A new one gets its id here and is stored with its first
// turn: nothing is written before the question is answered.
func (e *Engine) begin(ctx context.Context, req Request, id string, observe func(Event)) (*run, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	started := e.deps.Now()
	session, unread := evidence.Session{ID: req.Session}, ""
	if req.Session == "" {
		session.ID = e.deps.NewID("s_")
	} else {
		var err error
		if session, unread, err = e.openSession(ctx, req.Session); err != nil {
			return nil, err
		}
	}
	if observe == nil {
		observe = func(Event) {}
	}
	r := &run{e: e, req: req, depth: depths[req.Depth], session: session, late: newLate(), observe: ordered(observe), started: started}
	r.models = e.chooseModels(ctx)
	r.answer = evidence.Answer{
		Question: req.Question, Session: session.ID, RunID: id,
		Claims: []evidence.Claim{}, Citations: []evidence.Citation{}, Sources: []evidence.SourceReport{}, Topics: []string{},
		Warnings: []string{},
	}
	if unread != "" {
		r.warn(unread)
	}
	r.resolve(ctx)
	return r, nil
}

func ordered(observe func(Event)) func(Event) {
	var mu sync.Mutex
	return func(ev Event) {
		mu.Lock()
		defer mu.Unlock()
		observe(ev)
	}
}

func (r *run) emit(ev Event) { r.observe(ev) }

func (r *run) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.returned {
		r.e.deps.Log.Warn("after the answer: "+text, "question", r.req.Question)
		return
	}
	for _, w := range r.answer.Warnings {
		if w == text {
			return
		}
	}
	r.answer.Warnings = append(r.answer.Warnings, text)
}

// warnOf repeats the warning of a document that the caller is shown.
func (r *run) warnOf(d evidence.Document) {
	if w := d.Meta[evidence.MetaWarning]; w != "" {
		r.warn(cmp.Or(d.URL, d.Title) + ": " + w)
	}
}

// sortWarnings orders the warnings of concurrent steps, after those of the choice
// of models.
func (r *run) sortWarnings() {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.answer.Warnings[min(len(r.models.wait().Warnings), len(r.answer.Warnings)):])
}

// since returns the time since t in whole milliseconds.
func (r *run) since(t time.Time) int64 { return r.e.deps.Now().Sub(t).Milliseconds() }

// analyse starts the isolated analysis. The result is sent on the channel, at the
// latest when ctx ends.
func (r *run) analyse(ctx context.Context, docs []*digested) <-chan evidence.Analysis {
	in := evidence.AnalysisInput{Question: r.req.Question, Relevance: relevance(r.req.Question, docs)}
	for _, d := range docs {
		in.Documents = append(in.Documents, d.doc)
	}
	return guarded(r.e, "analysis", func() evidence.Analysis { return r.e.deps.Analyst.Analyse(ctx, in) })
}

// Limits of storing a turn while another process has locked the memory.
const (
	leastKeep = time.Second      // even if the budget is used up
	laterKeep = 30 * time.Second // in the background, after that
)

func idsOf(docs []*digested) []string {
	out := make([]string, 0, len(docs))
	for _, d := range docs {
		out = append(out, d.doc.ID)
	}
	return out
}

// remember stores the turn before the answer is returned. If the memory is busy
// for longer than an answer waits, the answer is returned with a warning, and the turn
// is stored in the background.
func (r *run) remember(ctx context.Context, docs []*digested) {
	ctx, step := span.Start(ctx, "store")
	defer step.End(nil)
	r.answer.Timing.TotalMS = r.since(r.started)
	kept := r.snapshot() // the caller may change its own while this is stored
	turns := []evidence.Turn{
		{Role: evidence.RoleUser, Text: r.answer.Question, At: r.started},
		{Role: evidence.RoleAssistant, Text: r.answer.Answer, At: r.e.deps.Now(), Run: &kept, Used: idsOf(docs)},
	}
	left := storePatience
	if deadline, ok := ctx.Deadline(); ok {
		left = max(leastKeep, min(left, time.Until(deadline)))
	}
	if r.stuck.Load() {
		left = leastKeep
	}
	// The answer is stored even if the caller has left by now.
	bounded, cancel := limit.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	err := r.e.deps.Sessions.Append(bounded, r.session.ID, turns...)
	switch {
	case err == nil:
		r.e.foldLater(r.session.ID, r.models.wait())
	case errors.Is(err, context.DeadlineExceeded):
		r.warn("the memory is busy or cannot be reached: this turn will be stored in the background")
		r.e.spawn("storing a turn", func() {
			later, cancel := r.e.lingering(ctx, laterKeep)
			defer cancel()
			if err := r.e.deps.Sessions.Append(later, r.session.ID, turns...); err != nil {
				r.e.deps.Log.Error("a turn was lost", "session", r.session.ID, "err", err)
			}
		})
	default:
		r.unkept.addTurn()
		r.warn("the turn was not stored: " + err.Error())
	}
}
