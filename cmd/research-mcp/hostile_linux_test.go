package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// hostile acts on a terminal in each way that there is: a line rewritten, colours, the
// style and the redrawing that this program uses itself, the title of the window, C1,
// the order of letters, other ends of lines, tags, and messages in selectors and joiners.
const hostile = "x\r\x1b[K\x1b[9;9my\r\x1b[31m\x1b]0;t\a\x1b[2J\u009b2J\b\v\f\u0085\u2028\u2029\u202e\u2066\ufeff\U000E0041\ufe01\ufe02\U000E0120\u200d\u200d\u3164z"

// ownCodes are what this program writes itself.
var ownCodes = regexp.MustCompile(`\r\x1b\[K|\x1b\[(?:[0-4]|9|36|1;36|[0-4];[0-4])m|\r\n`)

// reaching are the characters of hostile that are shown as they are.
func reaching(shown string) string {
	var out strings.Builder
	if strings.Contains(shown, "x\r\x1b[K") {
		out.WriteString("a line rewritten ")
	}
	rest := ownCodes.ReplaceAllString(shown, "\n")
	for _, r := range hostile {
		if (r < ' ' || r > '~') && strings.ContainsRune(rest, r) {
			fmt.Fprintf(&out, "%U ", r)
		}
	}
	return out.String()
}

// leaves are the commands that do something, with their names.
func leaves(cmd *cobra.Command, path []string, each func(path []string)) {
	for _, sub := range cmd.Commands() {
		to := append(path[:len(path):len(path)], sub.Name())
		if sub.HasSubCommands() {
			leaves(sub, to, each)
		} else {
			each(to)
		}
	}
}

// Whatever a command is given by others, in arguments, flags, settings, names of files
// and what is in them, it writes nothing that acts on a terminal.
func TestHostileNamesOnATerminal(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	file := filepath.Join(home, hostile+".md")
	if err := os.WriteFile(file, []byte("# Harbour "+hostile+"\n\nThe harbour of Quillon "+hostile+" has a lion."), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "notes", hostile+".md"), []byte("# Turnips "+hostile+"\n\nTurnip oil "+hostile+" burns well."), 0o600); err != nil {
		t.Fatal(err)
	}
	runs := [][]string{
		{"remember", file, "--title", "Harbour " + hostile, "--tag", hostile},
		{"ask", "--sources", "files", "Does turnip oil burn? " + hostile}, {"fetch", "--sources", "files", "turnip oil " + hostile},
		{"recall", "harbour " + hostile}, {"memory", "export", filepath.Join(home, "no", hostile)}, {"memory", "import", file},
		{"--config", file, "config"}, {"--config", home + "/" + hostile, "sources"}, {"config", "--set", "sources.files.dir=" + hostile},
		{"doctor", "--offline", "--set", "sources.files.dir=" + hostile}, {"recall", "x", "--source", hostile}, {"recall", "x", "--since", hostile},
		{"config", "--set", "contact=" + hostile}, {"doctor", "--offline", "--set", "ollama.url=http://" + hostile}, {"install", "cursor", "--name", hostile},
	}
	leaves(newRoot(&console{}), nil, func(path []string) {
		runs = append(runs, append(path[:len(path):len(path)], hostile, hostile, hostile), append(path[:len(path):len(path)], "--"+hostile),
			append(path[:len(path):len(path)], "--set", hostile+"=1"))
	})
	data := filepath.Join(home, "data")
	screen(t, home, 80, append(runs[0], "--data-dir", data)...) // the others read what it stores
	if shown := screen(t, home, 80, "recall", hostile+"?", "--source", hostile); !strings.Contains(shown, `\u001b`) {
		t.Errorf("%q shows nothing of the name", shown)
	}
	runs = append(runs, []string{"memory", "list"}, []string{"recall", "harbour lion"}, []string{"runs"}, []string{"sessions"})
	for i, args := range runs {
		t.Run(fmt.Sprint(i, " ", args[0]), func(t *testing.T) {
			t.Parallel()
			shown := screen(t, home, 80, append(args[:len(args):len(args)], "--data-dir", data)...)
			if bad := reaching(shown); bad != "" {
				t.Errorf("%q lets %sthrough: %q", args, bad, shown)
			}
		})
	}
}
