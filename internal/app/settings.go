package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// version of this program; CHANGELOG.md says what is in it.
const version = "0.1.0"

// Build is what `version` prints.
type Build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"` // of the source tree, where the build knew it
}

// Version describes this binary.
func Version() Build {
	b := Build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}

// SourceDefaults are the settings that the sources declare.
func SourceDefaults() map[string]config.DefaultSource {
	out := map[string]config.DefaultSource{}
	for _, s := range sources.Registry() {
		d := config.DefaultSource{Enabled: s.Enabled, URL: s.DefaultURL, Timeout: s.DefaultTimeout, About: s.About}
		if s.URLFrom != "" {
			d.URL = "" // inherited, unless it is set
		}
		for _, o := range s.Options {
			d.Options = append(d.Options, config.DefaultOption(o))
		}
		out[s.Name] = d
	}
	return out
}

// sourceSettings are one source's settings as its room reads them.
func sourceSettings(cfg *config.Config, spec sources.Spec) sources.Settings {
	s := cfg.Sources[spec.Name]
	out := sources.Settings{Enabled: s.Enabled, URL: s.URL, Timeout: s.Timeout, Language: cfg.Language, Options: map[string]string{}}
	for _, o := range spec.Options {
		out.Options[o.Name] = s.Text(o.Name)
	}
	return out
}

// SourceInfo is what `sources` shows of one.
type SourceInfo struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	URL     string `json:"url"`
	Timeout string `json:"timeout"`
	Limits  string `json:"limits"`
	About   string `json:"about"`
}

// Sources are all sources as the settings have them, by name.
func Sources(cfg *config.Config) []SourceInfo {
	out := []SourceInfo{}
	for _, spec := range sources.Registry() {
		s := cfg.Sources[spec.Name]
		url := s.URL
		if url == "" && spec.URLFrom != "" {
			url = cfg.Sources[spec.URLFrom].URL
		}
		if url == "" {
			url = spec.DefaultURL
		}
		out = append(out, SourceInfo{Name: spec.Name, Enabled: s.Enabled, URL: url, Timeout: s.Timeout.Round(time.Millisecond).String(),
			Limits: fmt.Sprintf("%g requests a second, %d at once", spec.Rate.PerSecond, spec.Rate.Burst), About: spec.About})
	}
	return out
}
