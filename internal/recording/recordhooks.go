package recording

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

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
	searches []*search
}

// search is one question to one source.
type search struct {
	source, topic string
	done          bool
	err           error
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

// Patience is that of the settings.
func (h *recordHooks) Patience(silence time.Duration) (between, first time.Duration) {
	return silence, 0
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

// Source returns s with its searches recorded.
func (h *recordHooks) Source(s app.TracedSource) research.Source { return recordedSource{s, h} }

// recordedSource is a source whose searches are recorded.
type recordedSource struct {
	app.TracedSource
	hooks *recordHooks
}

// SearchTraced records when the search ended, and how.
func (r recordedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	s := &search{source: r.Name(), topic: q.Text}
	r.hooks.mu.Lock()
	r.hooks.searches = append(r.hooks.searches, s)
	r.hooks.mu.Unlock()
	docs, origin, err := r.TracedSource.SearchTraced(fetch.WithTrack(ctx, track(r.Name(), q.Text)), q)
	r.hooks.mu.Lock()
	defer r.hooks.mu.Unlock()
	s.done, s.err = true, err
	return docs, origin, err
}

// track names one search's requests.
func track(source, topic string) string { return source + ": " + topic }

// observe finds out from a source's report which of its searches were not waited
// for. It must be called while they are still under way.
func (h *recordHooks) observe(e research.Event) {
	if e.Kind != research.EventSource || e.Source == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	waited := true
	var topics []string
	for _, s := range h.searches {
		if s.source != e.Source.Name {
			continue
		}
		if !s.done || errors.Is(s.err, context.Canceled) {
			waited = false
		}
		if !s.done || s.err != nil {
			topics = append(topics, s.topic)
		}
	}
	if waited {
		return
	}
	if h.metadata.Late == nil {
		h.metadata.Late = map[string]delayed{}
	}
	h.metadata.Late[e.Source.Name] = delayed{Topics: topics, Err: e.Source.Err}
}
