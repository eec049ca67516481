package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/research-mcp/research-mcp/internal/app"
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

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}
