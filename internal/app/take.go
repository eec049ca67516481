package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/research"
)

// stage is what a question that is recorded or replayed has of its own in place
// of the world: its tape, and a say in everything that hangs on how fast things
// went. Its methods are safe for concurrent use.
type stage interface {
	tape() fetch.Cassette
	models.Hooks
	ollama.ProbeHook
	source(s traced) research.Source
}

// note is what a recording holds beside the exchanges, so that the same question
// can be asked in the same way, on any machine.
type note struct {
	Format   int       `json:"format"`
	Question string    `json:"question"`
	Asked    time.Time `json:"asked"`

	Sources   []string      `json:"sources,omitempty"` // that the caller named
	Depth     string        `json:"depth,omitempty"`
	Budget    time.Duration `json:"budgetNS,omitempty"`
	MaxTokens int           `json:"maxTokens,omitempty"`
	Language  string        `json:"language,omitempty"`

	Settings map[string]string `json:"settings"`
	Secrets  []string          `json:"secrets"` // settings that had a value, which is not told
	Warnings []string          `json:"warnings,omitempty"`

	// How it went, where another run might go another way.
	Answered bool            `json:"answered"`
	Topics   []string        `json:"topics,omitempty"`   // with which the sources were asked
	Late     map[string]late `json:"late,omitempty"`     // sources that were not waited for
	Ollama   *ollama.State   `json:"ollama,omitempty"`   // as it was found; nil: it was not looked for
	Readable []int           `json:"readable,omitempty"` // tokens of prompts that could be read in time
	Fence    string          `json:"fence"`
}

// noteFormat changes when an older program could not replay it.
const noteFormat = 1

// late is a source that had not answered every keyword when the answer had to
// be written.
type late struct {
	Topics []string `json:"topics"` // that it had not answered, or had failed at
	Err    string   `json:"error"`  // as it was reported
}

// recordingStage listens in.
type recordingStage struct {
	recorder *fetch.Recorder

	mu       sync.Mutex
	note     note
	searches []*search
}

// search is one question to one source.
type search struct {
	source, topic string
	done          bool
	err           error
}

func (s *recordingStage) tape() fetch.Cassette { return s.recorder }

func (s *recordingStage) Transport(wire http.RoundTripper) http.RoundTripper {
	return s.recorder.Transport(wire)
}

func (s *recordingStage) Fence() string { return s.note.Fence }

func (s *recordingStage) Readable(tokens int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note.Readable = append(s.note.Readable, tokens)
	return tokens
}

func (s *recordingStage) Patience(pause time.Duration) (time.Duration, time.Duration) {
	return pause, 0
}

func (s *recordingStage) Probe(ctx context.Context, probe func(context.Context) ollama.State) ollama.State {
	found := probe(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note.Ollama = &found
	return found
}

func (s *recordingStage) Planner(p models.Planner) models.Planner { return p }

func (s *recordingStage) source(t traced) research.Source { return listened{t, s} }

// listened is a source whose searches the stage knows of.
type listened struct {
	traced
	stage *recordingStage
}

func (l listened) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, research.Origin, error) {
	it := &search{source: l.Name(), topic: q.Text}
	l.stage.mu.Lock()
	l.stage.searches = append(l.stage.searches, it)
	l.stage.mu.Unlock()
	docs, origin, err := l.traced.SearchTraced(fetch.WithTrack(ctx, track(l.Name(), q.Text)), q)
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	it.done, it.err = true, err
	return docs, origin, err
}

// track is one search's requests.
func track(source, topic string) string { return source + ": " + topic }

// heard learns from a source's report which of its searches were not waited
// for: later, they may have ended.
func (s *recordingStage) heard(e Event) {
	if e.Kind != EventSource || e.Source == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waited := true
	var topics []string
	for _, it := range s.searches {
		if it.source != e.Source.Name {
			continue
		}
		if !it.done || errors.Is(it.err, context.Canceled) {
			waited = false
		}
		if !it.done || it.err != nil {
			topics = append(topics, it.topic)
		}
	}
	if waited {
		return
	}
	if s.note.Late == nil {
		s.note.Late = map[string]late{}
	}
	s.note.Late[e.Source.Name] = late{Topics: topics, Err: e.Source.Err}
}

// replayStage plays back.
type replayStage struct {
	replay *fetch.Replayer
	note   *note
	same   bool // the question is the recorded one, asked in the same way
	found  bool // Ollama's settings are the recorded ones

	mu   sync.Mutex
	read int // of note.Readable
}

func (s *replayStage) tape() fetch.Cassette { return s.replay }

func (s *replayStage) Transport(http.RoundTripper) http.RoundTripper {
	return held{s.replay.Transport()}
}

// held makes a request that its caller ended then wait for the caller to end it
// now: why he did is his to say, and he says it in the same words.
type held struct{ base http.RoundTripper }

func (h held) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.base.RoundTrip(req)
	if err != nil {
		return nil, untilEnded(req.Context(), err)
	}
	resp.Body = heldBody{resp.Body, req.Context()}
	return resp, nil
}

type heldBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		err = untilEnded(b.ctx, err)
	}
	return n, err
}

// untilEnded waits for ctx to end when err is the end of another one.
func untilEnded(ctx context.Context, err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// silence is how long a replayed model may say nothing: what it said is all
// there, so that nothing but the recorded silence takes longer.
const silence = time.Second

func (s *replayStage) Fence() string { return s.note.Fence }

func (s *replayStage) Readable(tokens int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.same || s.read >= len(s.note.Readable) {
		return tokens
	}
	s.read++
	return s.note.Readable[s.read-1]
}

// patience is without end where the recorded model was too slow for the time that
// was left: that time has to pass again, or its slowness would read as silence.
func (s *replayStage) Patience(time.Duration) (time.Duration, time.Duration) {
	if s.replay.TimedOut() {
		return time.Hour, time.Hour
	}
	return silence, silence
}

// look finds what was found then: whether a server answered within a fifth of a
// second is nothing that comes out the same twice.
func (s *replayStage) Probe(ctx context.Context, probe func(context.Context) ollama.State) ollama.State {
	if s.found && s.note.Ollama != nil {
		return *s.note.Ollama
	}
	return probe(ctx)
}

func (s *replayStage) Planner(p models.Planner) models.Planner {
	if !s.same || len(s.note.Topics) == 0 {
		return p
	}
	return planned{p, s.note.Topics}
}

// planned is a linguist whose keywords are those that were used then; others may
// have come too late to be used.
type planned struct {
	models.Planner
	topics []string
}

// Keywords are the recorded ones.
func (p planned) Keywords(context.Context, string, evidence.Session, int) ([]string, error) {
	return slices.Clone(p.topics), nil
}

func (s *replayStage) source(t traced) research.Source {
	out := &replayed{traced: t, begun: make(chan struct{})}
	if s.same {
		out.late, out.topics = s.note.Late[t.Name()], s.note.Topics
	}
	return out
}

// replayed is a source in a replay.
type replayed struct {
	traced
	topics []string
	late   late

	mu    sync.Mutex
	asked int
	begun chan struct{} // closed when every recorded keyword was asked
}

// keywordsWithin bounds the wait for keywords that a changed program may never
// ask.
const keywordsWithin = 2 * time.Second

// SearchTraced answers when all keywords were asked, as the first answer may end
// the asking; what was not waited for then is not waited for now.
func (r *replayed) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, research.Origin, error) {
	r.mu.Lock()
	if r.asked++; r.asked == max(len(r.topics), 1) {
		close(r.begun)
	}
	r.mu.Unlock()
	timer := time.NewTimer(keywordsWithin)
	defer timer.Stop()
	select {
	case <-r.begun:
	case <-timer.C:
	case <-ctx.Done():
		return nil, research.Origin{}, ctx.Err()
	}
	if slices.Contains(r.late.Topics, q.Text) {
		return nil, research.Origin{}, notWaitedFor(cmp.Or(r.late.Err, "no full answer in time"))
	}
	return r.traced.SearchTraced(fetch.WithTrack(ctx, track(r.Name(), q.Text)), q)
}

// notWaitedFor is the report of a source that was too slow when it was recorded.
type notWaitedFor string

func (n notWaitedFor) Error() string { return string(n) }

// SourceStatus is that of the report.
func (n notWaitedFor) SourceStatus() string { return evidence.StatusTimeout }

// blank is a memory in which nothing is found: a question that is recorded
// shall not find its own documents, which would hang on who is faster.
type blank struct{ research.Memory }

// Recall finds nothing.
func (blank) Recall(ctx context.Context, _ evidence.RecallQuery) (evidence.RecallResult, error) {
	return evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexReady}, ctx.Err()
}

// shifted is a clock that shows at when now shows what it shows now.
func shifted(now func() time.Time, at time.Time) func() time.Time {
	begun := now()
	return func() time.Time { return at.Add(now().Sub(begun)) }
}

// oneLine keeps a question in a warning short.
func oneLine(s string) string {
	const longest = 120
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return string(r)
}
