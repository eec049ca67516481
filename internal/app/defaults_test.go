package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/research"
)

// The engine's defaults, which its own tests use, are those of the settings.
func TestEngineDefaultsAreTheSettings(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(research.DefaultConfig(), engineConfig(cfg)); diff != "" {
		t.Errorf("(-engine +settings):\n%s", diff)
	}
}
