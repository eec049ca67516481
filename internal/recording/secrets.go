package recording

import (
	"net/mail"
	"strings"

	"github.com/research-mcp/research-mcp/internal/config"
)

// secretsOf returns the values in the settings that must not be in a recording.
func secretsOf(cfg *config.Config) []string {
	out := cfg.Secrets()
	if a, err := mail.ParseAddress(strings.TrimPrefix(cfg.Contact, "mailto:")); err == nil {
		out = append(out, a.Address)
	}
	return out
}
