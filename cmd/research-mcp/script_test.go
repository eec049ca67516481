package main

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// TestMain makes this binary the program itself for scripts, its isolated
// children included.
func TestMain(m *testing.M) {
	if code, child := app.Child(); child {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"research-mcp": func() {
		os.Exit(run(context.Background(), os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
	}})
}

// TestScripts runs whole invocations, each its own process, against local
// servers that speak like Wikipedia and HackerNews.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Setup: startWorld,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"grab": grab},
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
	for name, url := range w.URLs() {
		env.Setenv(config.EnvName("sources."+name+".url"), url)
	}
	env.Setenv(config.EnvName("data_dir"), env.WorkDir+"/memory")
	env.Setenv("OLLAMA_HOST", "127.0.0.1:9") // discard: nothing listens there
	env.Setenv("HOME", env.WorkDir+"/home")
	env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/home/settings")
	return nil
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
