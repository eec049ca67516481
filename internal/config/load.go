package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Inputs are where settings come from.
type Inputs struct {
	Sources map[string]DefaultSource
	File    string            // the settings file; see Must
	Must    bool              // File was named by the user: it must exist
	Environ []string          // as os.Environ gives it; nil for none
	Flags   map[string]string // setting to value
	From    map[string]string // the flag that a setting in Flags came from; "--set" where missing
}

// Error is a setting that cannot be used.
type Error struct{ What, Try string }

func (e *Error) Error() string { return e.What + "; " + e.Try }

func bad(key, value, want string) *Error {
	return &Error{What: fmt.Sprintf("the setting %s cannot be %q", key, redact.Setting(value)), Try: "set it to " + want}
}

// ollamaHostEnv is Ollama's own variable; it is read when ollama.host is not set.
const ollamaHostEnv = "OLLAMA_HOST"

// other lists variables with our prefix that are not settings.
var other = []string{EnvPrefix + "CONFIG", EnvPrefix + "TOKEN", PassphraseEnv} // TOKEN is for clients, see clients.TokenVariable

// Load reads, merges and checks the settings. Its error is an *Error.
func Load(in Inputs) (*Config, error) {
	known := declared(in.Sources)
	defaults := map[string]any{}
	from := map[string]string{}
	for name, k := range known {
		defaults[name], from[name] = k.value, "default"
	}
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(defaults, "."), nil); err != nil {
		return nil, fmt.Errorf("loading defaults: %w", err)
	}
	layers := []func(map[string]key) (layer, error){in.ollamaHost, in.file, in.environment, in.flags}
	for _, read := range layers {
		l, err := read(known)
		if err != nil {
			return nil, err
		}
		maps.Copy(from, l.from)
		if len(l.values) == 0 {
			continue // merging nothing takes as long as merging all
		}
		if err := k.Load(confmap.Provider(l.values, "."), nil); err != nil {
			return nil, &Error{What: "the settings cannot be merged: " + err.Error(), Try: "check their nesting"}
		}
	}
	c, err := build(k, known, from)
	if err != nil {
		return nil, err
	}
	for _, kv := range in.Environ {
		if value, ok := strings.CutPrefix(kv, PassphraseEnv+"="); ok && value != "" {
			c.secrets = append(c.secrets, value)
		}
	}
	return c, nil
}

// layer is what one origin sets.
type layer struct {
	values map[string]any
	from   map[string]string
}

func (in Inputs) file(known map[string]key) (layer, error) {
	l := layer{values: map[string]any{}, from: map[string]string{}}
	if in.File == "" {
		return l, nil
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(in.File), yaml.Parser()); err != nil {
		var path *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist) && !in.Must:
			return l, nil
		case errors.Is(err, fs.ErrNotExist):
			return l, &Error{What: fmt.Sprintf("the settings file %s, which --config or %sCONFIG names, does not exist", in.File, EnvPrefix), Try: "create it, or name another with --config"}
		case errors.As(err, &path):
			return l, &Error{What: fmt.Sprintf("the settings file %s cannot be read: %v", in.File, path.Err), Try: "look at its permissions, or name another with --config"}
		}
		return l, &Error{What: fmt.Sprintf("the settings file %s cannot be read: it is not YAML: %s", in.File, withoutContent(strings.TrimPrefix(err.Error(), "yaml: "))), Try: "fix it, or name another with --config"}
	}
	for name, v := range k.All() {
		if _, ok := known[name]; !ok {
			return l, unknown(name, known, "in "+in.File)
		}
		l.values[name], l.from[name] = v, in.File
	}
	return l, nil
}

// ollamaHost is the layer of OLLAMA_HOST. It is another program's variable, so
// that all of our own settings go over it.
// withoutContent removes the parts of a file that the error of its parser quotes, which
// may be a key.
func withoutContent(message string) string {
	parts := strings.Split(message, "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "…"
	}
	return redact.Shapes(strings.Join(parts, "`"))
}

func (in Inputs) ollamaHost(map[string]key) (layer, error) {
	l := layer{values: map[string]any{}, from: map[string]string{}}
	for _, kv := range in.Environ {
		if env, value, _ := strings.Cut(kv, "="); env == ollamaHostEnv {
			l.values["ollama.host"], l.from["ollama.host"] = value, fromEnv(env)
		}
	}
	return l, nil
}

func (in Inputs) environment(known map[string]key) (layer, error) {
	l := layer{values: map[string]any{}, from: map[string]string{}}
	byEnv := map[string]string{}
	for name := range known {
		byEnv[EnvName(name)] = name
	}
	for _, kv := range in.Environ {
		env, value, _ := strings.Cut(kv, "=")
		name, ok := byEnv[env]
		switch {
		case !strings.HasPrefix(env, EnvPrefix) || slices.Contains(other, env):
			continue
		case !ok:
			return l, unknownEnv(env, byEnv)
		}
		l.values[name], l.from[name] = value, fromEnv(env)
	}
	return l, nil
}

// fromEnv is the origin of a setting that an environment variable sets.
func fromEnv(env string) string { return "environment " + env }

func (in Inputs) flags(known map[string]key) (layer, error) {
	l := layer{values: map[string]any{}, from: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(in.Flags)) {
		if _, ok := known[name]; !ok {
			return l, unknown(name, known, "in --set")
		}
		l.values[name], l.from[name] = in.Flags[name], "flag --set"
		if f := in.From[name]; f != "" {
			l.from[name] = "flag " + f
		}
	}
	return l, nil
}

func unknown(name string, known map[string]key, where string) error {
	try := "`research-mcp config` lists all"
	if n := text.Nearest(name, slices.Collect(maps.Keys(known))); n != "" {
		try = fmt.Sprintf("did you mean %q? %s", n, try)
	}
	return &Error{What: fmt.Sprintf("there is no setting %q (%s)", name, where), Try: try}
}

func unknownEnv(env string, byEnv map[string]string) error {
	try := "unset it; `research-mcp config` lists all settings and their variables"
	if n := text.Nearest(env, slices.Collect(maps.Keys(byEnv))); n != "" {
		try = fmt.Sprintf("did you mean %s? else %s", n, try)
	}
	return &Error{What: fmt.Sprintf("the environment variable %s is not a setting", env), Try: try}
}

// build makes the struct of merged values.
func build(k *koanf.Koanf, known map[string]key, from map[string]string) (*Config, error) {
	if err := checkUnits(k, known); err != nil {
		return nil, err
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return nil, decodeError(k, known, err)
	}
	where, err := dataDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	if c.DataDir != where {
		c.DataDir = where
		if err := k.Set("data_dir", c.DataDir); err != nil {
			return nil, fmt.Errorf("setting data_dir: %w", err)
		}
	}
	c.Ollama.HostInherited = from["ollama.host"] == fromEnv(ollamaHostEnv)
	if err := c.validate(); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		value := asText(k.Get(name))
		c.secrets = append(c.secrets, known[name].secretsIn(value)...)
		c.settings = append(c.settings, loaded{known[name], value, from[name]})
	}
	return &c, nil
}

// Settings returns all settings, sorted by key.
func (c *Config) Settings() []Setting {
	out := make([]Setting, len(c.settings))
	for i, s := range c.settings {
		out[i] = Setting{Key: s.key.name, Value: s.key.shown(s.value), From: s.from, Env: EnvName(s.key.name), About: s.key.about}
	}
	return out
}

// loaded is a setting with its value. To hide what is secret in all of the values takes longer
// than to load them, so it waits until somebody looks.
type loaded struct {
	key         key
	value, from string
}

// shown is a value as people may see it.
func (k key) shown(value string) string {
	if k.secret && value != "" {
		return "(set)"
	}
	if k.private {
		return redact.PrivateSetting(value)
	}
	return redact.Setting(value)
}

// checkUnits refuses times without a unit: the decoder would take a number in the
// file for nanoseconds.
func checkUnits(k *koanf.Koanf, known map[string]key) error {
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if _, err := time.ParseDuration(known[name].value); err != nil || known[name].value == "0" {
			continue // it is not a time
		}
		value := strings.TrimSpace(asText(k.Get(name)))
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			return bad(name, value, fmt.Sprintf("a time with its unit: %ss for seconds, %sm for minutes", value, value))
		}
	}
	return nil
}

// form describes the values of a setting by its default.
func form(value string) string {
	if value == "true" || value == "false" {
		return "true or false"
	}
	if _, err := strconv.Atoi(value); err == nil {
		return "a whole number such as " + value
	}
	return fmt.Sprintf("a value of the form of its default, %q", value)
}

// decodeError finds the setting whose value has the wrong form: the decoder
// names the field, the user knows the setting.
func decodeError(k *koanf.Koanf, known map[string]key, err error) error {
	for _, name := range slices.Sorted(maps.Keys(known)) {
		one := koanf.New(".")
		if e := one.Load(confmap.Provider(map[string]any{name: k.Get(name)}, "."), nil); e != nil {
			continue
		}
		var c Config
		if one.Unmarshal("", &c) != nil {
			return bad(name, known[name].shown(asText(k.Get(name))), form(known[name].value))
		}
	}
	return &Error{What: "the settings cannot be read: " + err.Error(), Try: "compare them with `research-mcp config`"}
}
