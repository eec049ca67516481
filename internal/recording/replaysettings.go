package recording

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
)

// config returns the recorded settings, whatever this machine's are, with those
// of override in their place, and the names of recorded ones that this version
// does not have. A secret is replaced by a placeholder, so that its source is
// asked as it was.
func (r *Recording) config(dir string, override map[string]string) (*config.Config, []string, error) {
	defaults, err := config.Load(config.Inputs{Sources: app.SourceDefaults()})
	if err != nil {
		return nil, nil, err
	}
	flags := map[string]string{}
	var unknown []string
	known := func(key string) bool {
		return slices.ContainsFunc(defaults.Settings(), func(s config.Setting) bool { return s.Key == key })
	}
	for _, key := range slices.Sorted(maps.Keys(r.metadata.Settings)) {
		switch {
		case !isRecorded(key):
		case known(key):
			flags[key] = r.metadata.Settings[key]
		default:
			unknown = append(unknown, key)
		}
	}
	for _, key := range r.metadata.Secrets {
		switch {
		case key == "contact as mail":
			flags["contact"] = "removed@localhost"
		case known(key):
			flags[key] = redact.Removed
		}
	}
	flags["models.builtin"], flags["models.reranker"] = "off", "" // as when it was recorded
	maps.Copy(flags, override)
	flags["data_dir"], flags["sources."+filesSource+".enabled"] = dir, "false"
	cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults(), Flags: flags})
	if err != nil {
		return nil, nil, &evidence.Problem{What: fmt.Sprintf("the settings in %s cannot be used: %v", r.file, err), Try: "correct what --set changes, or record the question again", Usage: true, Cause: err}
	}
	return cfg, unknown, nil
}

// warnings say how a replay differs from its recording.
func (r *Recording) warnings(different bool, settings map[string]string, unknown []string) []string {
	out := slices.Clone(r.metadata.Warnings)
	if different {
		out = append(out, fmt.Sprintf("this is not the recorded question: %s holds the question %q%s; what was not requested then cannot be answered now", r.file, oneLine(r.metadata.Question), r.scope()))
	}
	if len(settings) > 0 {
		out = append(out, "settings differ from the recorded ones: "+strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
	}
	if len(unknown) > 0 {
		out = append(out, "recorded settings that this version does not have were left out: "+strings.Join(unknown, ", "))
	}
	if !r.metadata.Answered {
		out = append(out, "the recorded question was interrupted: "+r.file+" does not hold everything that its answer needs")
	}
	return out
}

// scope describes the recorded question's sources, depth and language.
func (r *Recording) scope() string {
	var out string
	if len(r.metadata.Sources) > 0 {
		out += " to " + strings.Join(r.metadata.Sources, ", ")
	}
	if r.metadata.Depth != "" {
		out += ", depth " + r.metadata.Depth
	}
	if r.metadata.Language != "" {
		out += ", language " + r.metadata.Language
	}
	return out
}

// oneLine shortens a question for a warning.
func oneLine(s string) string {
	const longest = 120
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return string(r)
}
