package recording

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/research"
)

// replayHooks replay; see app.Hooks.
type replayHooks struct {
	replay     *fetch.Replayer
	metadata   *metadata
	same       bool // the question is the recorded one, asked in the same way
	sameOllama bool // Ollama's settings are the recorded ones

	mu   sync.Mutex
	read int // of metadata.Readable
}

// Cassette returns the recording.
func (h *replayHooks) Cassette() fetch.Cassette { return h.replay }

// Transport replays Ollama.
func (h *replayHooks) Transport(http.RoundTripper) http.RoundTripper {
	return delayedTransport{h.replay.Transport()}
}

// delayedTransport makes a request that its caller ended when it was recorded
// wait for its caller again, so that the caller gives the same reason.
type delayedTransport struct{ base http.RoundTripper }

func (t delayedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, untilEnded(req.Context(), err)
	}
	resp.Body = delayedBody{resp.Body, req.Context()}
	return resp, nil
}

type delayedBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b delayedBody) Read(p []byte) (int, error) {
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

// replaySilence is how long a replayed model may send nothing.
const replaySilence = time.Second

// Fence returns the recorded delimiter.
func (h *replayHooks) Fence() string { return h.metadata.Fence }

// Readable returns what was recorded.
func (h *replayHooks) Readable(tokens int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.same || h.read >= len(h.metadata.Readable) {
		return tokens
	}
	h.read++
	return h.metadata.Readable[h.read-1]
}

// Patience has no end where the recorded model was too slow for the time that was
// left: that time has to pass again, or its slowness would look like silence.
func (h *replayHooks) Patience(time.Duration) (between, first time.Duration) {
	if h.replay.TimedOut() {
		return time.Hour, time.Hour
	}
	return replaySilence, replaySilence
}

// Probe returns what was found when this was recorded.
func (h *replayHooks) Probe(ctx context.Context, probe func(context.Context) ollama.State) ollama.State {
	if h.sameOllama && h.metadata.Ollama != nil {
		return *h.metadata.Ollama
	}
	return probe(ctx)
}

// Planner returns a planner of the recorded topics.
func (h *replayHooks) Planner(p models.Planner) models.Planner {
	if !h.same || len(h.metadata.Topics) == 0 {
		return p
	}
	return recordedPlanner{p, h.metadata.Topics}
}

// recordedPlanner plans the topics with which the sources were asked; the model's
// other ones came too late.
type recordedPlanner struct {
	models.Planner
	topics []string
}

// Keywords returns the recorded topics.
func (p recordedPlanner) Keywords(context.Context, string, evidence.Session, int) ([]string, error) {
	return slices.Clone(p.topics), nil
}

// Source returns s, answering from the recording.
func (h *replayHooks) Source(s app.TracedSource) research.Source {
	out := &replayedSource{TracedSource: s, allAsked: make(chan struct{})}
	if h.same {
		out.delayed, out.topics = h.metadata.Late[s.Name()], h.metadata.Topics
	}
	return out
}

// replayedSource is a source in a replay.
type replayedSource struct {
	app.TracedSource
	topics  []string
	delayed delayed

	mu       sync.Mutex
	asked    int
	allAsked chan struct{} // closed when every recorded topic was asked
}

// topicsWithin bounds the wait for topics that a changed program may never ask.
const topicsWithin = 2 * time.Second

// SearchTraced answers when all topics were asked, as the first answer may end
// the asking. A search that was not waited for when it was recorded fails at
// once.
func (r *replayedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	r.mu.Lock()
	if r.asked++; r.asked == max(len(r.topics), 1) {
		close(r.allAsked)
	}
	r.mu.Unlock()
	timer := time.NewTimer(topicsWithin)
	defer timer.Stop()
	select {
	case <-r.allAsked:
	case <-timer.C:
	case <-ctx.Done():
		return nil, evidence.Origin{}, ctx.Err()
	}
	if slices.Contains(r.delayed.Topics, q.Text) {
		return nil, evidence.Origin{}, delayedError(cmp.Or(r.delayed.Err, "no full answer in time"))
	}
	return r.TracedSource.SearchTraced(fetch.WithTrack(ctx, track(r.Name(), q.Text)), q)
}

// delayedError is the report of a source that was too slow when it was recorded.
type delayedError string

func (e delayedError) Error() string { return string(e) }

// SourceStatus is that of the report.
func (e delayedError) SourceStatus() string { return evidence.StatusTimeout }
