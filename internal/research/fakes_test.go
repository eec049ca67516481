package research

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// fakeSource answers after a delay on the (synthetic) clock.
type fakeSource struct {
	name  string
	delay time.Duration
	texts []string
	err   error
	panic bool

	mu    sync.Mutex
	asked []string
	ended []error // how each search's context stood when it returned
}

func (s *fakeSource) Name() string { return s.name }

// times is how often it has been asked.
func (s *fakeSource) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *fakeSource) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q.Text)
	s.mu.Unlock()
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.ended = append(s.ended, ctx.Err())
	s.mu.Unlock()
	if s.panic {
		panic("index out of range")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	docs := []evidence.Document{}
	for i, t := range s.texts {
		url := fmt.Sprintf("https://%s.test/%d", s.name, i)
		docs = append(docs, evidence.Document{ID: evidence.DocumentID(s.name, url, t), Source: s.name, URL: url, Title: s.name + " page", Text: t, Score: 1, Retrieved: time.Now()})
	}
	return docs, nil
}

type fakeMemory struct {
	contract.Memory
	mu   sync.Mutex
	docs map[string]evidence.Document
	at   map[string]time.Time
	hits []evidence.Hit
	err  error
}

func newFakeMemory() *fakeMemory {
	return &fakeMemory{docs: map[string]evidence.Document{}, at: map[string]time.Time{}}
}

func (m *fakeMemory) Put(ctx context.Context, doc evidence.Document, _ evidence.Chunks) (evidence.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return evidence.Receipt{}, m.err
	}
	m.docs[doc.ID], m.at[doc.ID] = doc, time.Now()
	return evidence.Receipt{DocumentID: doc.ID, Documents: 1}, ctx.Err()
}

func (m *fakeMemory) Recall(ctx context.Context, _ evidence.RecallQuery) (evidence.RecallResult, error) {
	return evidence.RecallResult{Hits: append([]evidence.Hit{}, m.hits...), Index: evidence.IndexReady}, ctx.Err()
}

func (m *fakeMemory) Document(_ context.Context, id string) (evidence.Document, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.docs[id]
	return d, ok, nil
}

// remember puts a text where an earlier process left it.
func (m *fakeMemory) remember(source, body string) {
	d := evidence.Document{ID: evidence.DocumentID(source, "", body), Source: source, Title: "remembered", Text: body}
	m.docs[d.ID] = d
	m.hits = append(m.hits, evidence.Hit{Document: d, Passage: evidence.Passage{DocumentID: d.ID, End: len(body), Text: body, Score: 1}})
}

type fakeSessions struct {
	contract.Sessions
	mu  sync.Mutex
	all map[string]*evidence.Session
	seq int64
	err error // of Append

	notFrom string // the first Append of a run with this id is lost, as that of a killed process
}

// refuseFrom loses the first answer of a run.
func (s *fakeSessions) refuseFrom(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notFrom = run
}

// refuse makes Append fail.
func (s *fakeSessions) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeSessions) Open(_ context.Context, id string) (evidence.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		id = fmt.Sprintf("s_%d", len(s.all)+1)
		s.all[id] = &evidence.Session{ID: id}
	}
	got, ok := s.all[id]
	if !ok {
		return evidence.Session{}, evidence.BadInput("there is no session "+id, "leave it out to start a new one")
	}
	out := *got
	out.Turns = append([]evidence.Turn{}, got.Turns...)
	return out, nil
}

func (s *fakeSessions) Append(ctx context.Context, id string, turns ...evidence.Turn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if last := turns[len(turns)-1].Run; last != nil && last.RunID == s.notFrom {
		s.notFrom = ""
		return errDown
	}
	if s.all[id] == nil {
		s.all[id] = &evidence.Session{ID: id}
	}
	for _, t := range turns {
		s.seq++
		t.Seq = s.seq
		s.all[id].Turns = append(s.all[id].Turns, t)
	}
	return ctx.Err()
}

func (s *fakeSessions) Run(_ context.Context, id string) (evidence.Answer, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.all {
		for _, t := range session.Turns {
			if t.Run != nil && t.Run.RunID == id {
				return t.Run.Clone(), true, nil
			}
		}
	}
	return evidence.Answer{}, false, nil
}

func (s *fakeSessions) Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.all[id]
	if got.SummaryTo != from {
		return false, nil
	}
	var keep []evidence.Turn
	for _, t := range got.Turns {
		if t.Seq > to {
			keep = append(keep, t)
		}
	}
	got.Turns, got.Summary, got.SummaryTo = keep, summary, to
	return true, ctx.Err()
}

// fakeClaims are the claims of one process.
type fakeClaims struct {
	*sharedClaims
	dead bool // the process has ended: guarded by mu
}

type sharedClaims struct {
	mu       sync.Mutex
	sessions *fakeSessions
	all      map[string]contract.ClaimedRun
	by       map[string]*fakeClaims
}

func (c *fakeClaims) ClaimRun(ctx context.Context, run contract.ClaimedRun) (bool, error) {
	_, stored, _ := c.sessions.Run(ctx, run.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if by := c.by[run.ID]; stored || by != nil && !by.dead {
		return false, ctx.Err()
	}
	c.all[run.ID], c.by[run.ID] = run, c
	return true, ctx.Err()
}

func (c *fakeClaims) ReleaseRun(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[id] == c || c.by[id] != nil && c.by[id].dead {
		delete(c.by, id)
		delete(c.all, id)
	}
	return nil
}

func (c *fakeClaims) ClaimedRuns(ctx context.Context) ([]contract.ClaimedRun, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []contract.ClaimedRun{}
	for id, run := range c.all {
		run.Alive = !c.by[id].dead
		out = append(out, run)
	}
	return out, ctx.Err()
}

// die ends the process as a kill does, as far as others see it.
func (c *fakeClaims) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

// fakeModel is every kind of language work at once.
type fakeModel struct {
	name     string
	keywords []string
	planning time.Duration
	draft    *evidence.Draft
	err      error
	streams  bool // it gives its text to the stream
}

func (m *fakeModel) Name() string { return m.name }
func (m *fakeModel) Model() evidence.Model {
	return evidence.Model{Name: m.name, Revision: "1", Dims: 2}
}

func (m *fakeModel) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{1, 0}
	}
	return out, ctx.Err()
}

func (m *fakeModel) Keywords(ctx context.Context, question string, _ evidence.Session, most int) ([]string, error) {
	select {
	case <-time.After(m.planning):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.keywords == nil {
		return []string{strings.Join(text.QueryTerms(question), " ")}, nil
	}
	return m.keywords[:min(most, len(m.keywords))], nil
}

func (m *fakeModel) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	if m.err != nil {
		return "", m.err
	}
	for _, t := range turns {
		summary += t.Role + ": " + t.Text + "\n"
	}
	return summary, ctx.Err()
}

// Write quotes the first sentence of each passage, unless a draft is given.
func (m *fakeModel) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if m.err != nil {
		return evidence.Draft{}, m.err
	}
	if m.draft != nil {
		if stream != nil && len(m.draft.Sentences) > 0 {
			stream(m.draft.Sentences[0].Text)
		}
		return *m.draft, ctx.Err()
	}
	var d evidence.Draft
	for i, e := range in.Evidence {
		sp := text.Sentences(e.Passage.Text)[0]
		sp.Start, sp.End = sp.Start+e.Passage.Start, sp.End+e.Passage.Start
		d.Sentences = append(d.Sentences, evidence.Sentence{Text: e.Document.Text[sp.Start:sp.End], Marks: []int{i + 1}, Quotes: []evidence.Span{sp}})
	}
	if m.streams && stream != nil {
		stream(d.Sentences[0].Text)
	}
	return d, nil
}

type fakeChooser struct {
	set     models.Set
	builtIn *fakeModel
}

func (c *fakeChooser) BuiltIn() models.Set {
	return models.Set{Embedder: c.builtIn, Synthesizer: c.builtIn, Planner: c.builtIn, Summarizer: c.builtIn}
}

func (c *fakeChooser) Choose(context.Context) models.Set {
	if c.set.Embedder == nil {
		return c.BuiltIn()
	}
	return c.set
}

type fakeAnalyst struct{}

func (fakeAnalyst) Analyse(_ context.Context, in evidence.AnalysisInput) evidence.Analysis {
	return evidence.Analysis{Status: "ok", Documents: len(in.Documents)}
}

// world is an engine whose collaborators are fakes.
type world struct {
	*Engine
	memory   *fakeMemory
	sessions *fakeSessions
	chooser  *fakeChooser
}

// store replaces parts of the library's collaborators.
func (w *world) store(change func(*library.Deps)) {
	d := library.Deps{Memory: w.memory, Models: w.chooser, Chunk: func(s string) []evidence.Chunk { return []evidence.Chunk{{End: len(s), Text: s}} }}
	change(&d)
	w.deps.Library = library.New(d)
}

// pages is a library.PageReader.
type pages func(ctx context.Context, url string) (evidence.Document, evidence.Origin, error)

func (p pages) ReadPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	return p(ctx, url)
}

// read replaces the reader of pages.
func (w *world) read(p pages) { w.store(func(d *library.Deps) { d.Pages = p }) }

func newWorld(cfg func(*Config), sources ...Source) *world {
	w := &world{memory: newFakeMemory(), sessions: &fakeSessions{all: map[string]*evidence.Session{}}, chooser: &fakeChooser{builtIn: &fakeModel{name: "built-in"}}}
	c := DefaultConfig()
	if cfg != nil {
		cfg(&c)
	}
	var ids atomic.Int64
	w.Engine = New(c, Deps{
		Sources: sources, Sessions: w.sessions, Models: w.chooser, Analyst: fakeAnalyst{}, Now: time.Now,
		NewID: func(p string) string { return fmt.Sprint(p, ids.Add(1)) },
	})
	w.store(func(*library.Deps) {})
	return w
}

var errDown = errors.New("wiki.test answered 500")

// readPage reads every address but one; old addresses lead to new ones.
func readPage(_ context.Context, url string) (evidence.Document, evidence.Origin, error) {
	if strings.Contains(url, "down") {
		return evidence.Document{}, evidence.Origin{}, errDown
	}
	url = strings.TrimSuffix(url, "old")
	body := "The page at " + url + " says something."
	return evidence.Document{ID: evidence.DocumentID("web", url, body), Source: "web", URL: url, Title: url, Text: body, Score: 1}, evidence.Origin{}, nil
}
