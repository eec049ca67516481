package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func someSources() map[string]DefaultSource {
	return map[string]DefaultSource{
		"wikipedia":         {Enabled: true, URL: "https://en.wikipedia.org", Timeout: 8 * time.Second},
		"wikipedia-summary": {Enabled: true, Timeout: 8 * time.Second},
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func from(c *Config, key string) (value, origin string) {
	for _, s := range c.Settings() {
		if s.Key == key {
			return s.Value, s.From
		}
	}
	return "", "missing"
}

func TestLayersOverrideEachOther(t *testing.T) {
	t.Parallel()
	file := write(t, "research:\n  budget: 20s\n  recall_k: 3\nsession.fold_after: 8\ncontact: file@x.org\nsources:\n  wikipedia:\n    url: http://127.0.0.1:8080\n")
	c, err := Load(Inputs{Sources: someSources(), File: file, Must: true,
		Environ: []string{"RESEARCH_MCP_RESEARCH_BUDGET=30s", "RESEARCH_MCP_CONTACT=env@x.org", "OLLAMA_HOST=10.0.0.2", "HOME=/x",
			"RESEARCH_MCP_SOURCES_WIKIPEDIA_SUMMARY_URL=http://localhost:1", "RESEARCH_MCP_CONFIG=/nowhere"},
		Flags: map[string]string{"contact": "flag@x.org", "data_dir": "/tmp/x"}, From: map[string]string{"data_dir": "--data-dir"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Research.Budget != 30*time.Second || c.Research.RecallK != 3 || c.Session.FoldAfter != 8 || c.Contact != "flag@x.org" ||
		c.Ollama.Host != "10.0.0.2" || c.Sources["wikipedia"].URL != "http://127.0.0.1:8080" || c.Sources["wikipedia-summary"].URL != "http://localhost:1" {
		t.Errorf("config = %+v", c)
	}
	for key, want := range map[string]string{
		"research.budget": "environment RESEARCH_MCP_RESEARCH_BUDGET", "research.recall_k": file, "contact": "flag --set",
		"data_dir": "flag --data-dir", "language": "default", "ollama.host": "environment OLLAMA_HOST",
	} {
		if _, got := from(c, key); got != want {
			t.Errorf("%s comes from %q, want %q", key, got, want)
		}
	}
}

func TestOurOwnVariableGoesOverOllamas(t *testing.T) {
	t.Parallel()
	c, err := Load(Inputs{Environ: []string{"RESEARCH_MCP_OLLAMA_HOST=ours", "OLLAMA_HOST=theirs"}})
	if err != nil || c.Ollama.Host != "ours" {
		t.Errorf("host = %q, %v, want ours", c.Ollama.Host, err)
	}
}

// Another program's variable does not go over our own settings file either.
func TestTheSettingsFileGoesOverOllamasVariable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("ollama:\n  host: http://127.0.0.1:5999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Inputs{File: file, Must: true, Environ: []string{"OLLAMA_HOST=bad:port"}})
	if err != nil || c.Ollama.Host != "http://127.0.0.1:5999" || c.Ollama.HostInherited {
		t.Errorf("host = %q, inherited %t, %v, want that of the file", c.Ollama.Host, c.Ollama.HostInherited, err)
	}
}

func TestDefaultsAreValidAndEveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	c, err := Load(Inputs{Sources: someSources()})
	if err != nil {
		t.Fatal(err)
	}
	if c.Research.Budget != 45*time.Second || c.DataDir == "" || !c.Sources["wikipedia"].Enabled {
		t.Errorf("defaults = %+v", c)
	}
	declared := map[string]bool{}
	for _, s := range c.Settings() {
		declared[s.Key] = true
		if s.About == "" {
			t.Errorf("%s has no description", s.Key)
		}
	}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for f := range typ.Fields() {
			tag := f.Tag.Get("koanf")
			switch {
			case tag == "" || tag == "-" || tag == "sources":
			case f.Type.Kind() == reflect.Struct:
				walk(prefix+tag+".", f.Type)
			case !declared[prefix+tag]:
				t.Errorf("field %s has no key %q", f.Name, prefix+tag)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   Inputs
		want string
	}{
		{"unknown key, near", Inputs{Flags: map[string]string{"research.buget": "1s"}}, `did you mean "research.budget"`},
		{"unknown key, far", Inputs{Flags: map[string]string{"qqqqqqqqqqq": "1"}}, "research-mcp config"},
		{"unknown in file", Inputs{File: write(t, "reserach:\n  budget: 1s\n"), Must: true}, `did you mean "research.budget"`},
		{"unknown in environment", Inputs{Environ: []string{"RESEARCH_MCP_LANGUAG=en"}}, "RESEARCH_MCP_LANGUAGE"},
		{"named file missing", Inputs{File: "/nowhere/config.yaml", Must: true}, "--config"},
		{"broken file", Inputs{File: write(t, "a: [1"), Must: true}, "cannot be read"},
		{"no duration", Inputs{Flags: map[string]string{"research.budget": "soon"}}, "research.budget"},
		{"no number", Inputs{Flags: map[string]string{"session.fold_after": "many"}}, "session.fold_after"},
		{"a time without a unit", Inputs{Flags: map[string]string{"research.budget": "60"}}, "60s"},
		{"a time without a unit in the file", Inputs{File: write(t, "research:\n  soft_budget: 3\n"), Must: true}, "3s for seconds"},
		{"a time without a unit in a variable", Inputs{Environ: []string{"RESEARCH_MCP_ANALYSIS_TIMEOUT=1.5"}}, "1.5s"},
		{"no truth value", Inputs{Flags: map[string]string{"fetch.pdf": "maybe"}}, "true or false"},
		{"no number", Inputs{Flags: map[string]string{"research.recall_k": "many"}}, "a whole number such as 12"},
		{"budget of a day", Inputs{Flags: map[string]string{"research.budget": "24h"}}, "24h0m0s"},
		{"keep over after", Inputs{Flags: map[string]string{"session.fold_keep": "9"}}, "fold_after"},
		{"language", Inputs{Flags: map[string]string{"language": "en_US"}}, "such as en or pt-BR"},
		{"timeout too short", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipedia.timeout": "1ms"}}, "from 10ms to 10m"},
		{"timeout too long", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipedia.timeout": "11m"}}, "from 10ms to 10m"},
		{"level", Inputs{Flags: map[string]string{"log_level": "loud"}}, "debug, info"},
		{"URL without scheme", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipedia.url": "wiki.example.org"}}, "with its scheme"},
		{"URL with password", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipedia.url": "https://a:secret@x.org"}}, "without user"},
		{"password in a bad scheme", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipedia.url": "ftp://a:secret@x.org"}}, "with its scheme"},
		{"source that is not", Inputs{Sources: someSources(), Flags: map[string]string{"sources.wikipeda.url": "https://x.org"}}, "sources.wikipedia.url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(c.in)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("err = %v, want an *Error with %q", err, c.want)
			}
		})
	}
}

func TestLanguageIsATag(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"en", "en-US", "pt-br", "zh-Hant-TW"} {
		c, err := Load(Inputs{Flags: map[string]string{"language": tag}})
		if err != nil || c.Language != tag {
			t.Errorf("language %s: %v, %v", tag, c, err)
		}
	}
}

// The key of a model server is not shown, wherever it comes from.
func TestTheKeyIsNotShown(t *testing.T) {
	t.Parallel()
	const key = "sk-Xy77-hidden"
	for name, in := range map[string]Inputs{
		"flag":        {Flags: map[string]string{"models.key": key}},
		"environment": {Environ: []string{"RESEARCH_MCP_MODELS_KEY=" + key}},
		"file":        {File: write(t, "models:\n  key: "+key+"\n"), Must: true},
	} {
		c, err := Load(in)
		if err != nil || c.Models.Key != key {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range c.Settings() {
			if strings.Contains(s.Value+s.From, key) {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if value, _ := from(c, "models.key"); value != "(set)" {
			t.Errorf("%s: models.key is shown as %q", name, value)
		}
	}
	_, err := Load(Inputs{Flags: map[string]string{"models.key": key, "models.context": "0"}})
	if err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "models.context") {
		t.Errorf("err = %v", err)
	}
}
