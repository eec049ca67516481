package app

import (
	"runtime"
	"runtime/debug"
	"strings"
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

// sourceKinds are the kinds of questions that each source answers.
func sourceKinds() map[string][]string {
	out := map[string][]string{}
	for _, spec := range sources.Registry() {
		out[spec.Name] = spec.Kinds
	}
	return out
}

// sourcesOff are the sources that are off, and how to turn each on.
func sourcesOff(cfg *config.Config) map[string]string {
	out := map[string]string{}
	for _, spec := range sources.Registry() {
		var set []string
		if !cfg.Sources[spec.Name].Enabled {
			set = append(set, "sources."+spec.Name+".enabled=true")
		}
		set = append(set, sources.Missing(spec, sourceSettings(cfg, spec))...)
		if len(set) > 0 {
			out[spec.Name] = "set " + strings.Join(set, " and ") + " in the settings to turn it on"
		}
	}
	return out
}

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

// place is where the source looks: its base URL, else the settings that say so.
func (s SourceInfo) place() string {
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
	missing := sources.Missing(spec, sourceSettings(cfg, spec))
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
