package recording

import (
	"context"
	"net/http"
	"sync"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/research"
)

// recordHooks record; see app.Hooks.
type recordHooks struct {
	recorder *fetch.Recorder

	mu       sync.Mutex
	metadata metadata
}

// Cassette returns the recorder.
func (h *recordHooks) Cassette() fetch.Cassette { return h.recorder }

// Transport records what passes through wire.
func (h *recordHooks) Transport(wire http.RoundTripper) http.RoundTripper {
	return h.recorder.Transport(wire)
}

// Fence returns the recorded delimiter.
func (h *recordHooks) Fence() string { return h.metadata.Fence }

// Readable records tokens.
func (h *recordHooks) Readable(tokens int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metadata.Readable = append(h.metadata.Readable, tokens)
	return tokens
}

// Probe records what is found.
func (h *recordHooks) Probe(ctx context.Context, probe func(context.Context) ollama.State) ollama.State {
	state := probe(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metadata.Ollama = &state
	return state
}

// Planner returns p: the topics that it led to are in the answer.
func (h *recordHooks) Planner(p models.Planner) models.Planner { return p }

// Divider returns d: an event tells which parts of the question were used.
func (h *recordHooks) Divider(d models.Divider) models.Divider { return d }

// Source returns s with its requests marked as its own.
func (h *recordHooks) Source(s app.TracedSource) research.Source { return recordedSource{s} }

// recordedSource is a source whose requests are recorded.
type recordedSource struct{ app.TracedSource }

// SearchTraced is that of the source.
func (r recordedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	return r.TracedSource.SearchTraced(fetch.WithTrack(ctx, track(r.Name(), q.Text)), q)
}

// track names one search's requests.
func track(source, topic string) string { return source + ": " + topic }

// observe records the parts that a model made of the question, and the searches that
// were not waited for.
func (h *recordHooks) observe(e research.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Parts != nil {
		h.metadata.Parts = e.Parts
	}
	if e.GivenUp == nil {
		return
	}
	if h.metadata.Late == nil {
		h.metadata.Late = map[string]delayed{}
	}
	h.metadata.Late[e.Source.Name] = delayed{Topics: e.GivenUp.Topics, Links: e.GivenUp.Links, Err: e.Source.Err}
}
