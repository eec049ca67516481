package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestGuides runs every command of docs/guides as it stands there, against local servers.
func TestGuides(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "guides", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("there are no guides: %v", err)
	}
	dir := t.TempDir()
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		script := guideScript(string(raw))
		if script == "" {
			t.Errorf("%s has no command", page)
		}
		name := strings.TrimSuffix(filepath.Base(page), ".md") + ".txtar"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script+guideFiles), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{Dir: dir, RequireExplicitExec: true, Setup: startWorld, Cmds: map[string]func(*testscript.TestScript, bool, []string){"grab": grab}})
}

// guideFiles are the files that the guides speak of.
const guideFiles = `
-- question.txt --
How does attention work in a transformer?
-- questions.txt --
How is BERT trained?
What is GPT?
-- passphrase.txt --
seven quokkas swim home
-- notes/quillon.md --
# Quillon

The Quillon engine was built by Ottoline Verrier in 1911. It ran on turnip oil.
`

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	redirect   = regexp.MustCompile(` ([<>]) (\S+)$`)
)

// guideScript is a script that runs the shell blocks of a page. Example ids stand for the
// latest run, session or document.
func guideScript(page string) string {
	var b strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.ReplaceAll(strings.TrimSpace(line), `"`, "'")
			for id, list := range map[string]string{"r": "runs", "s": "sessions", "d": "memory list"} {
				if example := id + "_2k3v…"; strings.Contains(line, example) {
					b.WriteString("exec research-mcp " + list + " --limit 1\ngrab ID (" + id + "_[a-z0-9]+)\n")
					line = strings.ReplaceAll(line, example, "$ID")
				}
			}
			file := redirect.FindStringSubmatch(line)
			line = redirect.ReplaceAllString(line, "")
			if file != nil && file[1] == "<" {
				b.WriteString("stdin " + file[2] + "\n")
			}
			b.WriteString("exec " + line + "\n")
			if file != nil && file[1] == ">" {
				b.WriteString("cp stdout " + file[2] + "\n")
			}
		}
	}
	return b.String()
}
