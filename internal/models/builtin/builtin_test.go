package builtin

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/models/modelstest"
)

func TestContracts(t *testing.T) {
	t.Parallel()
	set := Models(nil)
	t.Run("embedder", func(t *testing.T) { modelstest.Embedder(t, set.Embedder) })
	t.Run("synthesizer", func(t *testing.T) { modelstest.Synthesizer(t, set.Synthesizer) })
	t.Run("planner", func(t *testing.T) { modelstest.Planner(t, set.Planner) })
	t.Run("summarizer", func(t *testing.T) { modelstest.Summarizer(t, set.Summarizer) })
}
