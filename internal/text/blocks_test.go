package text

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// checkBlocks verifies the contract of Blocks.
func checkBlocks(t *testing.T, s string) []evidence.Block {
	t.Helper()
	at := 0
	blocks := Blocks(s)
	for i, b := range blocks {
		switch {
		case b.Start < at || b.End <= b.Start || b.End > len(s):
			t.Fatalf("block %d of %q is %d..%d behind %d", i, s, b.Start, b.End, at)
		case strings.TrimSpace(s[at:b.Start]) != "":
			t.Fatalf("%q before block %d of %q is in no block", s[at:b.Start], i, s)
		case strings.TrimSpace(s[b.Start:b.End]) != s[b.Start:b.End]:
			t.Fatalf("block %d of %q has white space around it", i, s)
		}
		at = b.End
	}
	if strings.TrimSpace(s[at:]) != "" {
		t.Fatalf("%q at the end of %q is in no block", s[at:], s)
	}
	return blocks
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	type block struct {
		Kind   evidence.BlockKind
		Text   string
		Level  int
		Number string
		Path   string
	}
	const (
		heading = evidence.BlockHeading
		para    = evidence.BlockParagraph
		item    = evidence.BlockItem
	)
	for _, c := range []struct {
		name, in string
		want     []block
	}{
		{"nothing", " \n\n", nil},
		{"hard wraps", "One line\ngoes on.\n\nTwo.", []block{{Kind: para, Text: "One line\ngoes on."}, {Kind: para, Text: "Two."}}},
		{"headings", "# A\n\nx\n\n### C\n\ny\n## B ##\nz", []block{
			{heading, "# A", 1, "", "A"}, {para, "x", 0, "", "A"}, {heading, "### C", 3, "", "A/C"}, {para, "y", 0, "", "A/C"},
			{heading, "## B ##", 2, "", "A/B"}, {para, "z", 0, "", "A/B"}}},
		{"underlined headings", "Title\n=====\n\nPart\n---\nx", []block{
			{heading, "Title\n=====", 1, "", "Title"}, {heading, "Part\n---", 2, "", "Title/Part"}, {para, "x", 0, "", "Title/Part"}}},
		{"a hashtag", "#tag and #more", []block{{Kind: para, Text: "#tag and #more"}}},
		{"lists", "- a\n  goes on\n- b\n  1. c\n  2. d\n\n  more of d?\n\nout", []block{
			{item, "- a\n  goes on", 1, "", ""}, {item, "- b", 1, "", ""}, {item, "1. c", 2, "1", ""},
			{item, "2. d", 2, "2", ""}, {para, "more of d?", 0, "", ""}, {para, "out", 0, "", ""}}},
		{"letters", "c. The keeper.\ng. The fee.", []block{{item, "c. The keeper.", 1, "c", ""}, {item, "g. The fee.", 1, "g", ""}}},
		{"a year is not an item", "It was built in\n1821. Then it burned.", []block{{Kind: para, Text: "It was built in\n1821. Then it burned."}}},
		{"code", "Run:\n\n```go\n# not a heading\n\n- no item\n```\nx", []block{
			{Kind: para, Text: "Run:"}, {Kind: evidence.BlockCode, Text: "```go\n# not a heading\n\n- no item\n```"}, {Kind: para, Text: "x"}}},
		{"open fence", "~~~\na", []block{{Kind: evidence.BlockCode, Text: "~~~\na"}}},
		{"table", "Boats\n| Year | n |\n|---|---|\n| 1900 | 212 |\n\nx", []block{
			{Kind: evidence.BlockCaption, Text: "Boats"}, {Kind: evidence.BlockTable, Text: "| Year | n |\n|---|---|\n| 1900 | 212 |"}, {Kind: para, Text: "x"}}},
		{"table without bars", "a | b\n--|--\n1 | 2\nend", []block{{Kind: evidence.BlockTable, Text: "a | b\n--|--\n1 | 2"}, {Kind: para, Text: "end"}}},
		{"quotation", "> a\n> b\n>\n> c\n\nx", []block{
			{Kind: evidence.BlockQuote, Text: "> a\n> b\n>", Level: 1}, {Kind: evidence.BlockQuote, Text: "> c", Level: 1}, {Kind: para, Text: "x"}}},
		{"formula", "so\n\n$$\nx^2\n$$\n\n$$y$$", []block{
			{Kind: para, Text: "so"}, {Kind: evidence.BlockFormula, Text: "$$\nx^2\n$$"}, {Kind: evidence.BlockFormula, Text: "$$y$$"}}},
		{"definition", "term\n: what it is\n  and more\n\nx", []block{{Kind: evidence.BlockDefinition, Text: "term\n: what it is\n  and more"}, {Kind: para, Text: "x"}}},
		{"front matter", "---\ntitle: x\n---\n# A", []block{{Kind: evidence.BlockCode, Text: "---\ntitle: x\n---"}, {heading, "# A", 1, "", "A"}}},
		{"figure", "Figure 3. The harbour in 1900.", []block{{Kind: evidence.BlockCaption, Text: "Figure 3. The harbour in 1900."}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []block
			for _, b := range checkBlocks(t, c.in) {
				got = append(got, block{b.Kind, c.in[b.Start:b.End], b.Level, b.Number, strings.Join(b.Heading, "/")})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Blocks(%q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestBlocksAreLinear(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, line := range []string{"- a\n", "> a\n", "$$\n", "```\n", "| a |\n", "a\n", "a |\n", "# a\n", ": a\n", "---\n", "  ", "#", "1. a\n\n"} {
		checkBlocks(t, strings.Repeat(line, 1<<20/len(line)))
	}
	t.Logf("13 MB in %v", time.Since(start))
}

func FuzzBlocks(f *testing.F) {
	f.Add("# A\n\nx:\n\n- a\n  - b\n\n| a |\n|---|\n\n```\nx\n```\n$$\nx\n$$\n: d\n> q")
	f.Add("---\na: b\n---\n\r\n\u2003\n~~~")
	f.Fuzz(func(t *testing.T, s string) { checkBlocks(t, s) })
}

func BenchmarkBlocks(b *testing.B) {
	s := strings.Repeat("## Part\n\nThe harbour of Ellwick was built in 1821, when the herring came back.\n\n- a\n- b\n\n| a | b |\n|---|---|\n", 1000)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Blocks(s)
	}
}
