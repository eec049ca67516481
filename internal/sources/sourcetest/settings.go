package sourcetest

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// reserved are the settings of every source, which no option may be named like.
var reserved = []string{"enabled", "url", "timeout", "language", "rate", "lifetime"}

// AllOff are settings in which every source is off, to which a test adds those
// that it wants.
func AllOff() map[string]sources.Settings {
	out := map[string]sources.Settings{}
	for _, spec := range sources.Registry() {
		out[spec.Name] = sources.Settings{}
	}
	return out
}

// testOptions checks the options that a source declares.
func testOptions(t *testing.T, spec sources.Spec, c *contract) {
	var names []string
	for _, o := range spec.Options {
		if o.Name == "" || o.Name != strings.ToLower(o.Name) || o.About == "" || slices.Contains(names, o.Name) || slices.Contains(reserved, o.Name) {
			t.Errorf("option %+v: its name is reserved, repeated or not in lower case, or it has no description", o)
		}
		if o.Secret && c.Options[o.Name] == "" {
			t.Errorf("option %s is secret: contract.json must set it, so that the tests see where it appears", o.Name)
		}
		names = append(names, o.Name)
	}
	for name := range c.Options {
		if !slices.Contains(names, name) {
			t.Errorf("contract.json sets an unknown option %q", name)
		}
	}
	for _, need := range spec.Needs {
		if need != "url" && !slices.Contains(names, need) {
			t.Errorf("it needs %q, which is not an option", need)
		}
	}
}

// testMisspelt: an unknown option is refused by name.
func testMisspelt(t *testing.T, spec sources.Spec, _ *contract) {
	_, err := sources.Build(map[string]sources.Settings{spec.Name: {Enabled: true, Options: map[string]string{"kye": hidden}}}, newNetwork(t, nil))
	var p *evidence.Problem
	if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, "sources."+spec.Name+".kye") || strings.Contains(p.Error(), hidden) {
		t.Errorf("Build with an unknown option = %v, want it refused by name, without its value", err)
	}
}

// testDefaults: a source without needs is built from defaults, and one with needs
// stays off until they are set.
func testDefaults(t *testing.T, spec sources.Spec, c *contract) {
	off := AllOff()
	if built, err := sources.Build(off, newNetwork(t, nil)); err != nil || len(built) != 0 {
		t.Fatalf("Build with all off = %v, %v", built, err)
	}
	off[spec.Name] = sources.Settings{Enabled: true}
	built, err := sources.Build(off, newNetwork(t, nil))
	if want := len(spec.Needs) == 0; err != nil || (len(built) == 1) != want {
		t.Errorf("Build with nothing set = %d sources, %v, want it made: %v", len(built), err, want)
	}
	var want []string
	for _, need := range spec.Needs {
		want = append(want, "sources."+spec.Name+"."+need)
	}
	if diff := cmp.Diff(want, sources.Missing(spec, sources.Settings{})); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
	given := sources.Settings{URL: "http://localhost", Options: c.Options}
	if missing := sources.Missing(spec, given); len(missing) != 0 {
		t.Errorf("Missing = %q although contract.json sets all that is needed", missing)
	}
}

// testSecrets: the value of a secret option is in no document and no log message.
// testFailures checks errors.
func testSecrets(t *testing.T, spec sources.Spec, c *contract) {
	secrets := c.secrets(spec)
	if len(secrets) == 0 {
		return
	}
	log := &journal{}
	srv := httptest.NewServer(play(c.Hits))
	t.Cleanup(srv.Close)
	s := buildAt(t, spec, c, srv.URL, 0, newNetwork(t, log))
	for _, d := range search(t, s, query) {
		d.Text = strings.Join([]string{d.Text, d.Title, d.URL, d.Revision, d.License, strings.Join(d.Tags, " ")}, "\n")
		for _, v := range d.Meta {
			d.Text += "\n" + v
		}
		mustNotHold(t, "document", d.Text, secrets)
	}
	srv.Close()
	if _, err := s.Search(t.Context(), query); err == nil {
		t.Error("Search without a server = nil error")
	} else {
		mustNotHold(t, "error", err.Error(), secrets)
	}
	if log.String() == "" {
		t.Error("nothing was logged, so the log proves nothing")
	}
	mustNotHold(t, "log", log.String(), secrets)
}

// secrets are the values of the secret options.
func (c *contract) secrets(spec sources.Spec) []string {
	var out []string
	for _, o := range spec.Options {
		if v := c.Options[o.Name]; o.Secret && v != "" {
			out = append(out, v)
		}
	}
	return out
}

func mustNotHold(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s holds a secret option: %q", what, text)
		}
	}
}

// journal is a log in memory, safe for concurrent use.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write never fails.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

// String is all that was written.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
