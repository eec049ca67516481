package markup

import (
	"strings"
	"testing"
)

func TestNamesOfADocumentAreResolved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format         Format
		body           string
		want, unwanted []string
	}{
		"AsciiDoc's header":       {AsciiDoc, "// x\n:sea: Baltic\n= Harbour\nAnna Berg <a@b.example>\n:toc:\n:depth: 12 m\n\nThe {sea} is {depth} deep; {unknown} stays.\n", []string{"# Harbour", "Anna Berg", "The Baltic is 12 m deep; {unknown} stays."}, []string{":toc:", ":depth:"}},
		"AsciiDoc's code":         {AsciiDoc, ":depth: 12 m\n\n----\nx = {depth}\n----\n\nIt is {depth}.\n", []string{"x = {depth}", "It is 12 m."}, nil},
		"AsciiDoc's underlines":   {AsciiDoc, ":depth: 12 m\n\nHarbour\n-------\n\nIt is {depth}.\n", []string{"## Harbour", "It is 12 m."}, nil},
		"AsciiDoc in a text":      {AsciiDoc, "= Harbour\n\nText.\n:depth: 7 m\nIt is {depth}.\n", []string{"It is 7 m."}, nil},
		"reStructuredText":        {RST, "Harbour\n=======\n\nThe |sea| and |no name|.\n\n.. |sea| replace:: Baltic Sea\n", []string{"The Baltic Sea and"}, []string{"replace::", "|sea|"}},
		"comma-separated table":   {RST, "Text\n\n.. csv-table:: Boats\n   :header: \"Name\", \"Length, m\"\n\n   Anna, 12\n   \"Berta, old\", 7\n", []string{"| Name | Length, m |", "| Anna | 12 |", "| Berta, old | 7 |"}, nil},
		"table without a header":  {RST, "Text\n\n.. csv-table::\n\n   Anna, 12\n   Berta, ``7``\n", []string{"Anna | 12", "Berta | `7`"}, nil},
		"comma-separated, no row": {RST, "Text\n\n.. csv-table:: Boats\n   :file: boats.csv\n\nMore.\n", []string{"More."}, nil},
	} {
		got := Convert(c.format, c.body)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is missing in %q", name, w, got)
			}
		}
		for _, w := range c.unwanted {
			if strings.Contains(got, w) {
				t.Errorf("%s: %q is in %q", name, w, got)
			}
		}
	}
}

// One page of an RFC is enough to tell it.
func TestLooksWrappedKnowsAShortRFC(t *testing.T) {
	t.Parallel()
	page := "Request for Comments: 9999          Example\n\n1.  Harbours\n\n   A harbour\n   protects.\n\nBerg      Informational      [Page 1]\n"
	if !looksWrapped(page) || looksWrapped(strings.ReplaceAll(page, "Request for Comments", "Notes")) {
		t.Error("a short RFC is not told from other texts")
	}
}

// A document that refers to a long text many times does not grow without bounds.
func TestSubstitutionsAreBounded(t *testing.T) {
	t.Parallel()
	for format, body := range map[Format]string{
		AsciiDoc: ":a: " + strings.Repeat("x", maxSubstitution) + "\n\n" + strings.Repeat("{a} {a} {a}\n", 3_000),
		RST:      ".. |a| replace:: " + strings.Repeat("x", maxSubstitution) + "\n\nText |a|\n" + strings.Repeat("and |a| more |a|\n", 3_000),
	} {
		if got := Convert(format, body); len(got) > len(body)+2*maxGrowth {
			t.Errorf("%v: %d bytes became %d", format, len(body), len(got))
		}
	}
}

// A table of one long row and many short ones is not filled up with empty cells.
func TestTablesAreNotFilledUp(t *testing.T) {
	t.Parallel()
	const n = 3_000
	short := strings.Repeat("   x\n", n)
	for name, c := range map[string]struct {
		format Format
		body   string
	}{
		"comma-separated values": {RST, "Text\n\n.. csv-table:: Boats\n\n   a" + strings.Repeat(",a", n) + "\n" + short},
		"a list of lists":        {RST, "Text\n\n.. list-table:: Boats\n\n   * - a\n" + strings.Repeat("     - a\n", n) + strings.Repeat("   * - x\n", n)},
	} {
		got := Convert(c.format, c.body)
		if len(got) > 20*len(c.body) || strings.Count(got, "| x |") < n {
			t.Errorf("%s: %d bytes became %d, with %d rows", name, len(c.body), len(got), strings.Count(got, "| x |"))
		}
	}
}
