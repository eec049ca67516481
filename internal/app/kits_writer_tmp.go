package app

import (
	"github.com/research-mcp/research-mcp/internal/ollama"
	"github.com/research-mcp/research-mcp/internal/research"
)

func (k *kits) writer(ollama.ModelInfo) (research.Synthesizer, research.Linguist) {
	return k.builtIn.Synthesizer, k.builtIn.Linguist
}
