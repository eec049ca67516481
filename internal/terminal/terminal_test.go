package terminal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, first, rest, want string
		width                         int
	}{
		{"spaces", "one two  three four", "", "", "one two\nthree four", 11},
		{"full line", "exactly ten", "", "", "exactly\nten", 10},
		{"indents", "alpha beta gamma", "- ", "  ", "- alpha\n  beta\n  gamma", 9},
		{"a word that cannot fit", "see https://example.org/a/long/path now", "", "", "see\nhttps://example.org/a/long/path\nnow", 12},
		{"no width", "a  b\nc", "> ", "", "> a b c", 0},
		{"wide characters", "東京は日本の首都です。", "", "", "東京は日\n本の首都\nです。", 8},
		{"no line begins with a full stop", "東京は都。", "", "", "東京は\n都。", 8},
		{"combining marks", "e\u0301e\u0301 e\u0301e\u0301", "", "", "e\u0301e\u0301\ne\u0301e\u0301", 4},
		{"empty", "", "- ", "  ", "- ", 10},
	} {
		if got := (Screen{Width: c.width}).Wrap(c.text, c.first, c.rest); got != c.want {
			t.Errorf("%s: Wrap(%q) = %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"wikipedia", "on", "the encyclopedia that anyone can edit"}, {"arxiv", "off", "preprints"}}
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, "wikipedia  on   the encyclopedia that anyone can edit\narxiv      off  preprints\n"},
		{44, "wikipedia  on   the encyclopedia that anyone\n                can edit\narxiv      off  preprints\n"},
		{24, "wikipedia\n  on\n  the encyclopedia that\n  anyone can edit\narxiv\n  off\n  preprints\n"},
	} {
		if got := (Screen{Width: c.width}).Table(rows, ""); got != c.want {
			t.Errorf("Table at %d columns:\n%s\nwant:\n%s", c.width, got, c.want)
		}
	}
}

const sampleMarkdown = "# Install\n\nRun **this** command, then `go test`; see [the guide](https://example.org/guide).\nMore \\*text\\* about __init__ and 2 * 3 * 4.\n\n" +
	"- first item that is long enough to need a second line\n- second\n  1. nested\n\n```sh\ncurl -sSL https://example.org/install.sh | sh -s -- --prefix /usr/local\n```\n\n> quoted text of somebody else that is long\n\n" +
	"| flag | meaning |\n|---|---|\n| -a | all of the files that there are |\n| -b | ~~none~~ some |\n"

func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := Screen{Width: 40}.Markdown(sampleMarkdown, "")
	want := strings.Join([]string{
		"Install", "",
		"Run this command, then `go test`; see", "the guide (https://example.org/guide).", "More *text* about __init__ and 2 * 3 *", "4.", "",
		"• first item that is long enough to need", "  a second line", "• second", "  1. nested", "",
		"    curl -sSL", "        https://example.org/install.sh |", "        sh -s -- --prefix /usr/local", "",
		"│ quoted text of somebody else that is", "│ long", "",
		"flag  meaning", "-a    all of the files that there are", "-b    ~~none~~ some",
	}, "\n")
	if got != want {
		t.Errorf("Markdown at 40 columns:\n%s\nwant:\n%s", got, want)
	}
	if got := (Screen{}).Markdown(sampleMarkdown, ""); got != sampleMarkdown {
		t.Errorf("a pipe got %q, want the text as it is", got)
	}
}

func TestMarkdownStyles(t *testing.T) {
	t.Parallel()
	const md = "**bold** `code` ~~gone~~"
	for _, c := range []struct {
		name   string
		screen Screen
		want   string
	}{
		{"all", Screen{Width: 60, Bold: true, Color: true}, "\x1b[1mbold\x1b[0m \x1b[36m`code`\x1b[0m \x1b[9mgone\x1b[0m"},
		{"NO_COLOR", Screen{Width: 60, Bold: true}, "\x1b[1mbold\x1b[0m `code` \x1b[9mgone\x1b[0m"},
		{"dumb", Screen{Width: 60}, "bold `code` ~~gone~~"},
	} {
		if got := c.screen.Markdown(md, ""); got != c.want {
			t.Errorf("%s: Markdown(%q) = %q, want %q", c.name, md, got, c.want)
		}
	}
}

// TestOfAFile: a file is no terminal.
func TestOfAFile(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := Of(f, []string{"TERM=xterm"}); got != (Screen{}) {
		t.Errorf("Of(a file) = %+v, want the zero Screen", got)
	}
}

// FuzzMarkdown: no text makes rendering panic, and a line is longer than the screen only
// if a single word is.
func FuzzMarkdown(f *testing.F) {
	f.Add(sampleMarkdown, 40)
	f.Add("> - > - 1. a\n\n\ttab `` ` `` **x", 20)
	f.Add("ab > - 1. ab > - 1d?gK\xed\xd7\n\x12. a - `` ` a\n\xff\t>", 20)
	f.Add("東京 [x](y) ![i](j) <b>html</b>\n\n| a |\n|-|\n| b |", 21)
	f.Fuzz(func(t *testing.T, md string, width int) {
		if strings.ContainsAny(md, "\x1b\r\v\f") {
			t.Skip("control characters are removed from all text that comes in")
		}
		s := Screen{Width: minWidth + max(width, -width, 0)%(maxWidth-minWidth)}
		for line := range strings.SplitSeq(s.Markdown(md, ""), "\n") {
			words := len(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '│' || r == '•' }))
			if Columns(line) > s.Width && words > 12 { // marks of deep lists cannot be broken
				t.Errorf("at %d columns: %q has %d", s.Width, line, Columns(line))
			}
		}
	})
}
