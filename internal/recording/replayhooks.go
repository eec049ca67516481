package recording

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/limit"
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
	return replayTransport{h.replay.Transport()}
}

// replayTransport ends the limit that ended a request when it was recorded, so
// that its caller gives the same reason.
type replayTransport struct{ base http.RoundTripper }

func (t replayTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		endLimit(req.Context(), err)
		return nil, err
	}
	resp.Body = replayBody{resp.Body, req.Context()}
	return resp, nil
}

type replayBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b replayBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		endLimit(b.ctx, err)
	}
	return n, err
}

// endLimit ends the limit that err is of: a request is cancelled when its model
// pauses for too long.
func endLimit(ctx context.Context, err error) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		limit.End(ctx)
	case errors.Is(err, context.Canceled):
		limit.EndPause(ctx)
	}
}

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

// Divider returns a divider into the recorded parts.
func (h *replayHooks) Divider(d models.Divider) models.Divider {
	if !h.same {
		return d
	}
	return recordedDivider(h.metadata.Parts)
}

// recordedDivider are the parts of the question that a model found in time.
type recordedDivider []string

// Parts returns them.
func (d recordedDivider) Parts(context.Context, string, int) ([]string, error) {
	return slices.Clone(d), nil
}

// Source returns s, answering from the recording.
func (h *replayHooks) Source(s app.TracedSource) research.Source {
	out := replayedSource{TracedSource: s}
	if h.same {
		out.delayed = h.metadata.Late[s.Name()]
	}
	return out
}

// replayedSource is a source in a replay.
type replayedSource struct {
	app.TracedSource
	delayed delayed
}

// SearchTraced answers from the recording.
func (r replayedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	return r.TracedSource.SearchTraced(fetch.WithTrack(ctx, track(r.Name(), q.Text)), q)
}

// GivenUp implements research.Replayed.
func (r replayedSource) GivenUp(q evidence.Query) (report string, linksOnly bool) {
	linksOnly = slices.Contains(r.delayed.Links, q.Text)
	if linksOnly || slices.Contains(r.delayed.Topics, q.Text) {
		return cmp.Or(r.delayed.Err, "no full answer in time"), linksOnly
	}
	return "", false
}
