package app

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/sources"
)

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

// SourceSettings are one source's settings as its room reads them.
func SourceSettings(cfg *config.Config, spec sources.Spec) sources.Settings {
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

// SourcesOff are the sources that are off, and how to turn each on.
func SourcesOff(cfg *config.Config) map[string]string {
	out := map[string]string{}
	for _, spec := range sources.Registry() {
		var set []string
		if !cfg.Sources[spec.Name].Enabled {
			set = append(set, "sources."+spec.Name+".enabled=true")
		}
		set = append(set, sources.Missing(spec, SourceSettings(cfg, spec))...)
		if len(set) > 0 {
			out[spec.Name] = "set " + strings.Join(set, " and ") + " in the settings to turn it on"
		}
	}
	return out
}
