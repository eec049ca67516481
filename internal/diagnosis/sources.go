package diagnosis

import (
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// SourceInfo is what `sources` shows of one.
type SourceInfo struct {
	Name    string       `json:"name"`
	On      bool         `json:"on"`
	State   string       `json:"state"` // "on", or "off: " and why
	Enabled bool         `json:"enabled"`
	About   string       `json:"about"`
	Kinds   []string     `json:"kinds"` // of questions that it is asked; none: only by name
	Needs   []string     `json:"needs"` // settings without which it stays off
	URL     string       `json:"url"`   // empty: it has no base URL
	Timeout string       `json:"timeout"`
	Limits  string       `json:"limits"`
	Options []OptionInfo `json:"options"`

	SourceHealth
}

// location is the source's base URL, or else the settings that name one.
func (s SourceInfo) location() string {
	if s.URL != "" {
		return s.URL
	}
	return strings.Join(s.Needs, ", ")
}

// OptionInfo is a setting that only one source has.
type OptionInfo struct {
	Key   string `json:"key"`
	Value string `json:"value"` // "(set)" for a secret
	About string `json:"about"`
}

// Sources are all sources as the settings have them, by name.
func Sources(cfg *config.Config) []SourceInfo {
	shown := map[string]string{}
	for _, s := range cfg.Settings() {
		shown[s.Key] = s.Value
	}
	out := []SourceInfo{}
	for _, spec := range sources.Registry() {
		out = append(out, sourceInfo(cfg, spec, shown))
	}
	return out
}

// sourceInfo is one source; shown are the settings' values as people may see
// them.
func sourceInfo(cfg *config.Config, spec sources.Spec, shown map[string]string) SourceInfo {
	s := cfg.Sources[spec.Name]
	prefix := "sources." + spec.Name + "."
	info := SourceInfo{Name: spec.Name, Enabled: s.Enabled, About: spec.About, Kinds: append([]string{}, spec.Kinds...), Needs: []string{},
		URL: sources.BaseURL(spec, func(name string) string { return cfg.Sources[name].URL }), Timeout: s.Timeout.Round(time.Millisecond).String(),
		Limits: limits(spec.Rate), Options: []OptionInfo{}}
	for _, need := range spec.Needs {
		info.Needs = append(info.Needs, prefix+need)
	}
	for _, o := range spec.Options {
		info.Options = append(info.Options, OptionInfo{Key: prefix + o.Name, Value: shown[prefix+o.Name], About: o.About})
	}
	missing := sources.Missing(spec, app.SourceSettings(cfg, spec))
	switch {
	case !s.Enabled:
		info.State = "off: " + prefix + "enabled is false"
	case len(missing) > 0:
		info.State = "off: needs " + strings.Join(missing, ", ")
	default:
		info.On, info.State = true, "on"
	}
	return info
}
