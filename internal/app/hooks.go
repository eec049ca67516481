package app

import (
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Hooks replace the outside world while a question is recorded or replayed, and
// decide everything that otherwise depends on how fast this machine is. With
// Hooks, nothing is recalled and no response is cached. Methods are safe for
// concurrent use.
type Hooks interface {
	// Cassette records or replays the requests of sources and pages.
	Cassette() fetch.Cassette
	// Source wraps a source.
	Source(s TracedSource) research.Source

	models.Hooks
	ollama.ProbeHook
}
