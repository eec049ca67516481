package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata" // zones of scripts

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// TestMain makes this binary the program itself for scripts, its isolated
// children included, and for tests on a terminal.
func TestMain(m *testing.M) {
	if code, child := app.Child(); child {
		os.Exit(code)
	}
	if os.Getenv("CMDTEST_AS_PROGRAM") != "" {
		os.Exit(start())
	}
	testscript.Main(m, map[string]func(){"research-mcp": func() {
		os.Exit(run(context.Background(), os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), zone: time.Local}))
	}})
}

// TestScripts runs whole invocations, each its own process, against local
// servers that speak like Wikipedia and HackerNews.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Setup: startWorld,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"grab": grab, "bytes": makeBytes, "damage": damage, "cut": cutEnd, "alike": alike, "remembermany": rememberMany,
			"pages": servePages, "agekey": ageKey, "glob": globOne},
	})
}

// startWorld gives a script its own sources, memory and settings, and no Ollama.
func startWorld(env *testscript.Env) error {
	none := map[string]time.Duration{}
	for name := range world.Latencies() {
		none[name] = 0
	}
	w, err := world.Start(world.Options{Latency: none})
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := w.Close(); err != nil {
			env.T().Log("closing the world:", err)
		}
	})
	for name, d := range app.SourceDefaults() {
		if d.URL != "" { // a place on the net, unless the world has it
			env.Setenv(config.EnvName("sources."+name+".enabled"), "false")
		}
	}
	for name, url := range w.URLs() {
		env.Setenv(config.EnvName("sources."+name+".enabled"), "true")
		env.Setenv(config.EnvName("sources."+name+".url"), url)
	}
	env.Setenv(config.EnvName("data_dir"), env.WorkDir+"/memory")
	env.Setenv("OLLAMA_HOST", "127.0.0.1:9") // discard: nothing listens there
	env.Setenv("HOME", env.WorkDir+"/home")
	env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/home/settings")
	return nil
}

// servePages serves a folder on loopback, and allows pages to be read from there:
// pages NAME FOLDER sets NAME to its URL.
func servePages(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pages NAME FOLDER")
	}
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[1]))))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
	ts.Setenv(config.EnvName("fetch.allow"), server.Listener.Addr().String())
}

// ageKey PRIVATE PUBLIC writes a new key pair of age into two files.
func ageKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: agekey PRIVATE PUBLIC")
	}
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(id.String()+"\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(id.Recipient().String()+"\n"), 0o600))
}

// globOne PATTERN fails unless one file matches.
func globOne(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: glob PATTERN")
	}
	if found, err := filepath.Glob(ts.MkAbs(args[0])); err != nil || len(found) != 1 {
		ts.Fatalf("%s matches %q, %v, want one file", args[0], found, err)
	}
}

// grab NAME PATTERN sets the variable to the first group of PATTERN in the last
// command's stdout.
func grab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grab NAME PATTERN")
	}
	got := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(got) != 2 {
		ts.Fatalf("no match for %s in stdout", args[1])
	}
	ts.Setenv(args[0], got[1])
}

// timesAndIDs are what two replays of one recording differ in.
var timesAndIDs = regexp.MustCompile(`"(session|run_id|[a-z_]+_ms)": [^,\n]+`)

// alike FILE FILE compares two answers but for times and ids.
func alike(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: alike FILE FILE")
	}
	a, b := timesAndIDs.ReplaceAllString(ts.ReadFile(args[0]), ""), timesAndIDs.ReplaceAllString(ts.ReadFile(args[1]), "")
	if a != b || a == "" {
		ts.Fatalf("%s and %s differ:\n%s", args[0], args[1], cmp.Diff(a, b))
	}
}

// makeBytes FILE N TEXT writes TEXT, with Go's escapes, N times into FILE.
func makeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bytes FILE N TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte(text), n), 0o600))
}

// damage FILE overwrites a database's pages behind the first two with noise.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage FILE")
	}
	raw, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for i := 2 * 4096; i < len(raw); i++ {
		raw[i] = byte(i * 7)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o600))
}

// cutEnd FILE removes the last page.
func cutEnd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-4096))
}

// rememberMany N keeps N small files, through one program.
func rememberMany(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: remembermany N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx := context.Background()
	c := &console{out: ts.Stdout(), err: ts.Stderr(), dataDir: ts.Getenv(config.EnvName("data_dir")), set: []string{"ollama.enabled=false"}}
	a, err := c.open(ctx)
	ts.Check(err)
	defer a.Close()
	for i := range n {
		path := ts.MkAbs(fmt.Sprintf("many-%d.txt", i))
		ts.Check(os.WriteFile(path, fmt.Appendf(nil, "Note number %d of many.", i), 0o600))
		_, err := a.Library().RememberFile(ctx, path, "", nil)
		ts.Check(err)
	}
}
