package text

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// outline is one line for each block: kind, level, number, path and text.
func outline(doc string) []string {
	var out []string
	for _, b := range Blocks(doc) {
		kind := b.Kind
		if b.Level > 0 {
			kind += fmt.Sprint(b.Level)
		}
		if b.Number > 0 {
			kind += fmt.Sprintf("#%d", b.Number)
		}
		if b.Language != "" {
			kind += "(" + b.Language + ")"
		}
		out = append(out, fmt.Sprintf("%s %s|%s", kind, strings.Join(b.Path, "/"), strings.ReplaceAll(doc[b.Start:b.End], "\n", "⏎")))
	}
	return out
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"headings and paragraphs", "# One\n\nText of\none.\n\n## Two\nText of two.\n\nThree\n=====\n\nEnd.\n", []string{
			"heading1 |# One", "paragraph One|Text of⏎one.", "heading2 One|## Two", "paragraph One/Two|Text of two.",
			"heading1 |Three⏎=====", "paragraph Three|End."}},
		{"lists", "Steps:\n\n1. First\n   goes on\n2. Second\n   - nested *a*\n   - nested b\n\n     with more\n3. Third\n", []string{
			"paragraph |Steps:", "item1#1 |1. First⏎   goes on", "item1#2 |2. Second", "item2 |- nested *a*", "item2 |- nested b",
			"paragraph |with more", "item1#3 |3. Third"}},
		{"code", "Run:\n\n```sh\ngit clone x\n\ncd x\n```\n\n    indented\n    code\n\nAfter.\n", []string{
			"paragraph |Run:", "code(sh) |```sh⏎git clone x⏎⏎cd x⏎```", "code |    indented⏎    code", "paragraph |After."}},
		{"code in an item", "- Run\n  ```\n  ls\n  ```\n- Next\n", []string{"item1 |- Run", "code |  ```⏎  ls⏎  ```", "item1 |- Next"}},
		{"table", "Before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nAfter\n", []string{
			"paragraph |Before", "table || a | b |⏎|---|---|⏎| 1 | 2 |⏎| 3 | 4 |", "paragraph |After"}},
		{"tables of other shapes", "One\n a \\| b | c\n:-- | :-:\n1\n\n- item\n  | x |\n  |---|\n  | y | z | w |\n\n| a | b |\n|---|\nno table\n", []string{
			"paragraph |One", "table |a \\| b | c⏎:-- | :-:⏎1", "item1 |- item", "table || x |⏎  |---|⏎  | y | z | w |", "paragraph || a | b |⏎|---|⏎no table"}},
		{"quotation, formula, definition", "> said\n> twice\n\n$$\nx^2\n$$\n\nTerm\n: what it means\n", []string{
			"quote |> said⏎> twice", "formula |$$⏎x^2⏎$$", "definition |Term⏎: what it means"}},
		{"no structure", "just text", []string{"paragraph |just text"}},
		{"empty", "", nil},
		{"code without an end", "```\nx", []string{"code |```⏎x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, outline(c.doc)); diff != "" {
				t.Errorf("Blocks(%q): -want +got\n%s", c.doc, diff)
			}
		})
	}
}

func checkBlocks(t *testing.T, doc string) {
	t.Helper()
	last := evidence.Block{}
	for _, b := range Blocks(doc) {
		if b.Start < last.End || b.End <= b.Start || b.End > len(doc) {
			t.Fatalf("block %+v after %+v in %q", b, last, doc)
		}
		last = b
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add("# a\n\n- b\n  - c\n\n```\nd\n```\n\n| e |\n|---|\n| f |\n> g")
	f.Add("1. a\n\n       b\n\t- c\n```x\r\ny\r\n```\r\n")
	f.Fuzz(func(t *testing.T, doc string) { checkBlocks(t, doc) })
}

// Deep nesting must neither overflow the stack nor take quadratic time.
func TestBlocksOfHostileText(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"quotations":                   strings.Repeat(">", 500_000) + "x",
		"lists":                        strings.Repeat("- ", 250_000) + "x",
		"headings":                     strings.Repeat("# x\n", 100_000),
		"pipes":                        strings.Repeat("|", 50_000) + "\n" + strings.Repeat("|-", 25_000) + "\n",
		"deep items":                   deepItems(800),
		"rows shorter than the header": strings.Repeat("| a ", 5000) + "|\n" + strings.Repeat("|---", 5000) + "|\n" + strings.Repeat("| b |\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) { checkBlocks(t, doc) })
	}
}

// deepItems is a list in which each item is nested in the one before.
func deepItems(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "- item\n")
	}
	return b.String()
}
