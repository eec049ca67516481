package recording

import (
	"net/mail"
	"os"
	"strings"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// secretsOf returns the values in the settings that must not be in a recording.
func secretsOf(cfg *config.Config) []string {
	var out []string
	for name, d := range app.SourceDefaults() {
		for _, o := range d.Options {
			value := strings.TrimSpace(cfg.Sources[name].Text(o.Name))
			if o.Secret && value != "" {
				out = append(out, value)
			}
			for _, address := range listItems(value) {
				out = append(out, fetch.URLSecrets(address)...)
			}
		}
	}
	if cfg.Models.Key != "" {
		out = append(out, cfg.Models.Key)
	}
	if raw, err := os.ReadFile(cfg.Models.KeyFile); err == nil { // one that cannot be read is refused when the models are opened
		out = append(out, strings.TrimSpace(string(raw)))
	}
	if a, err := mail.ParseAddress(strings.TrimPrefix(cfg.Contact, "mailto:")); err == nil {
		out = append(out, a.Address)
	}
	return out
}
