package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/terminal"
)

// asProgram makes the test binary the program itself.
const asProgram = "CMDTEST_AS_PROGRAM"

// onTerminal prepares a run of the program on a terminal of so many columns. It asks no
// source but a folder with one note.
func onTerminal(home string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{asProgram + "=1", "HOME=" + home, "PATH=" + home, "TERM=xterm", "OLLAMA_HOST=127.0.0.1:9",
		config.EnvName("data_dir") + "=" + filepath.Join(home, "memory"), config.EnvName("sources.files.dir") + "=" + filepath.Join(home, "notes")}
	cmd.Dir = home
	return cmd
}

// newHome is a folder with a note.
func newHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "notes"), 0o700); err != nil {
		t.Fatal(err)
	}
	note := "# The Quillon engine\n\nThe Quillon engine was built by Ottoline Verrier in 1911. It ran on turnip oil, which is pressed from the seeds of the field mustard.\n\n" +
		"| part | material |\n|---|---|\n| boiler | copper plates that were riveted by hand |\n| wheel | oak |\n"
	if err := os.WriteFile(filepath.Join(home, "notes", "quillon.md"), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// screen runs a command on a terminal and returns what it wrote.
func screen(t *testing.T, home string, columns int, args ...string) string {
	t.Helper()
	f, err := pty.StartWithSize(onTerminal(home, args...), &pty.Winsize{Cols: uint16(columns), Rows: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	if _, err := io.Copy(&out, f); err != nil && !errors.Is(err, syscall.EIO) { // EIO is the end of a terminal
		t.Fatal(err)
	}
	return out.String()
}

var (
	progressLine = regexp.MustCompile(`^  [0-9.]+ s `)
	escapes      = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	plainWord    = regexp.MustCompile(`^[A-Za-z]+[.,;:]?$`)
	runID        = regexp.MustCompile(`run (r_[a-z0-9]+)`)
)

// screenLines are the lines of a screen; a line that was redrawn counts each time.
func screenLines(out string) []string {
	out = strings.ReplaceAll(out, "\r\n", "\n")
	return strings.FieldsFunc(escapes.ReplaceAllString(out, ""), func(r rune) bool { return r == '\n' || r == '\r' })
}

// screenCommands are the commands whose screens are looked at, by the names of their
// files: the help of each command, and what each prints.
func screenCommands(run string) map[string][]string {
	out := map[string][]string{
		"ask": {"ask", "--sources", "files", "Who built the Quillon engine?"}, "run": {"run", run}, "runs": {"runs"}, "sessions": {"sessions"},
		"recall": {"recall", "--source", "file", "turnip", "oil"}, "sources": {"sources"}, "config": {"config"}, "doctor": {"doctor", "--offline"}, "version": {"version"},
		"memory-stats": {"memory", "stats"}, "memory-list": {"memory", "list"}, "memory-check": {"memory", "check"},
		"remember": {"remember", "notes/quillon.md"}, "unknown-command": {"recal"}, "bad-budget": {"ask", "--budget", "24h", "q"},
		"fetch": {"fetch", "--sources", "files", "turnip"}, "forget": {"forget", "--url", "https://example.org/"},
	}
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		out[strings.Join(append([]string{"help"}, path...), "-")] = append(path[:len(path):len(path)], "--help")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub, append(path[:len(path):len(path)], sub.Name()))
			}
		}
	}
	visit(newRoot(&console{}), nil)
	return out
}

// TestScreens: on terminals of 40, 80 and 140 columns no line is longer than the
// terminal, except for a single word that does not fit, such as an address, and no word
// is broken. SCREENS_DIR keeps the screens as text files.
func TestScreens(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	found := runID.FindStringSubmatch(strings.Join(screenLines(screen(t, home, 200, "ask", "--sources", "files", "Who built the Quillon engine?")), " "))
	if found == nil {
		t.Fatal("the first answer names no run")
	}
	screen(t, home, 200, "remember", "notes/quillon.md")
	for name, args := range screenCommands(found[1]) {
		whole := map[string]bool{}
		for _, line := range screenLines(screen(t, home, 200, args...)) {
			for _, w := range strings.Fields(line) {
				whole[strings.Trim(w, ".,;:()“”\"`")] = true
			}
		}
		for _, columns := range []int{40, 80, 140} {
			lines := screenLines(screen(t, home, columns, args...))
			keepScreen(t, name, columns, lines)
			for _, line := range lines {
				if terminal.Columns(line) > columns && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s at %d columns: %q has %d", name, columns, line, terminal.Columns(line))
				}
				for _, w := range strings.Fields(line) {
					if progressLine.MatchString(line) { // which steps are seen is a matter of speed
						break
					}
					if w = strings.Trim(w, ".,;:()“”\"`"); plainWord.MatchString(w) && !whole[w] && !strings.Contains(line, "…") {
						t.Errorf("%s at %d columns: %q is no word at 200 columns, in %q", name, columns, w, line)
					}
				}
			}
		}
	}
}

// keepScreen writes a screen to SCREENS_DIR, if that is set.
func keepScreen(t *testing.T, name string, columns int, lines []string) {
	t.Helper()
	dir := os.Getenv("SCREENS_DIR")
	if dir == "" {
		return
	}
	dir = filepath.Join(dir, strconv.Itoa(columns))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
