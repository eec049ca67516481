package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestInvocation(t *testing.T) { // not parallel: it changes the folder and PATH
	dir := t.TempDir()
	module, bin := filepath.Join(dir, "module"), filepath.Join(dir, "bin")
	for _, d := range []string{filepath.Join(module, "cmd", programName), bin} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	installed := filepath.Join(bin, programName)
	if err := os.WriteFile(installed, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	for _, c := range []struct{ name, in, path, arg0, want string }{
		{"go run", module, "", "/tmp/go-build123/b001/exe/research-mcp", "go run ./cmd/research-mcp"},
		{"go run, cached", module, "", "/home/a/.cache/go-build/ab/abc-d/research-mcp", "go run ./cmd/research-mcp"},
		{"of another folder", dir, "", "/tmp/go-build123/b001/exe/research-mcp", "/tmp/go-build123/b001/exe/research-mcp"},
		{"on PATH", dir, bin, "research-mcp", "research-mcp"},
		{"on PATH, called by its path", dir, bin, installed, "research-mcp"},
		{"built here", dir, "", "./research-mcp", "./research-mcp"},
		{"a path with a space", dir, "", "./my tools/research-mcp", `"./my tools/research-mcp"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(c.in)
			t.Setenv("PATH", c.path)
			if got := invocation(c.arg0); got != c.want {
				t.Errorf("invocation(%q) = %q, want %q", c.arg0, got, c.want)
			}
		})
	}
}

// Every hint is a command that can be typed as it is printed.
func TestHintsAreCommandsThatCanBeTyped(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"ask", "--help"}, {"memory", "check", "--help"}, {"forget", "--help"}, {"nonsense"}, {"recall"},
		{"config", "--set", "nonsense=1"}, {"ask", "--nonsense"}} {
		var out bytes.Buffer
		c := &console{in: strings.NewReader(""), out: &out, err: &out, invocation: "go run ./cmd/research-mcp"}
		run(t.Context(), append(args, "--data-dir", t.TempDir()), c)
		text := strings.ReplaceAll(out.String(), "go run ./cmd/research-mcp", "")
		if !strings.Contains(out.String(), "go run ./cmd/research-mcp") || strings.Contains(text, "`research-mcp ") || strings.Contains(text, "  research-mcp ") {
			t.Errorf("%q prints a command that cannot be typed:\n%s", args, out.String())
		}
	}
}

func TestExamplesHaveOneLayout(t *testing.T) {
	t.Parallel()
	n := 0
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			n++
			if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "   ") || !strings.Contains(line, programName+" ") {
				t.Errorf("%s: example %q, want two spaces and the program's name", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(newRoot(&console{}))
	if n < 10 {
		t.Errorf("%d examples were looked at", n)
	}
}
