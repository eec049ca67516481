package modelstest

import (
	"net/http"
	"time"

	"github.com/research-mcp/research-mcp/internal/models"
)

// Fence is the fence of Hooks.
const Fence = "fence-7f3a"

// Hooks is a models.Hooks that sends all requests through RoundTripper and
// changes nothing else but the fence, which is fixed.
type Hooks struct{ RoundTripper http.RoundTripper }

// Transport returns h.RoundTripper.
func (h Hooks) Transport(http.RoundTripper) http.RoundTripper { return h.RoundTripper }

// Readable returns tokens.
func (h Hooks) Readable(tokens int) int { return tokens }

// Fence returns the constant Fence.
func (h Hooks) Fence() string { return Fence }

// Planner returns p.
func (h Hooks) Planner(p models.Planner) models.Planner { return p }

// Divider returns d.
func (h Hooks) Divider(d models.Divider) models.Divider { return d }

// Patience returns the setting and the provider's default.
func (h Hooks) Patience(silence time.Duration) (between, first time.Duration) { return silence, 0 }
