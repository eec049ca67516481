package extract

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// toUnicode is a CMap with these lines between its codespace and its end.
func toUnicode(codes, lines string) string {
	return stream("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /X def\n1 begincodespacerange\n" + codes + "\nendcodespacerange\n" + lines + "\nendcmap\nend\nend")
}

const shownByMap = "2 beginbfchar\n<01> <0053>\n<02> <0065>\nendbfchar\n1 beginbfrange\n<03> <04> <0061>\nendbfrange" // 1 S, 2 e, 3 a, 4 b

const shownByWideMap = "2 beginbfchar\n<0001> <0053>\n<0002> <0065>\nendbfchar\n1 beginbfrange\n<0003> <0004> <0061>\nendbfrange"

func TestPDFReadsFontsByTheirMaps(t *testing.T) {
	t.Parallel()
	simple := func(entries string) string {
		return "<< /Type /Font /Subtype /TrueType /BaseFont /ABCDEF+X /FirstChar 1 /LastChar 4 /Widths [500 500 500 500] " + entries + " >>"
	}
	const composite = "<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+X /Encoding /Identity-H /ToUnicode 10 0 R /DescendantFonts [11 0 R] >>"
	const descendant = "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ABCDEF+X /DW 600 /W [1 [500 500] 3 9 500] >>"
	for _, c := range []struct {
		name, font, shown, want string
		objects                 []string
	}{
		{"over WinAnsi", simple("/Encoding /WinAnsiEncoding /ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<00> <FF>", shownByMap)}},
		{"over Differences", simple("/Encoding << /Differences [1 /g1 /g2 /g3] >> /ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<00> <FF>", shownByMap)}},
		{"over MacRoman", simple("/Encoding /MacRomanEncoding /ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<00> <FF>", shownByMap)}},
		{"with codes of two bytes", simple("/ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<0000> <FFFF>", shownByWideMap)}},
		{"for some codes", simple("/Encoding << /Differences [1 /S /g2 /ampersand] >> /ToUnicode 10 0 R"), "<010203>", "Se&", []string{toUnicode("<00> <FF>", "1 beginbfchar\n<02> <0065>\nendbfchar")}},
		{"without a meaning", simple("/Encoding << /Differences [1 /S /e /a] >> /ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<00> <FF>", "1 beginbfrange\n<01> <03> <E000>\nendbfrange")}},
		{"a ligature", simple("/ToUnicode 10 0 R"), "<020102>", "effie", []string{toUnicode("<00> <FF>", "2 beginbfchar\n<01> <006600660069>\n<02> <0065>\nendbfchar")}},
		{"an array", simple("/ToUnicode 10 0 R"), "<010203>", "Sea", []string{toUnicode("<00> <FF>", "1 beginbfrange\n<01> <03> [<0053> <0065> <0061>]\nendbfrange")}},
		{"beyond 16 bits", simple("/ToUnicode 10 0 R"), "<010203>", "𝐴𝐵e", []string{toUnicode("<00> <FF>", "1 beginbfrange\n<01> <02> <D835DC34>\nendbfrange\n1 beginbfchar\n<03> <0065>\nendbfchar")}},
		{"a composite font", composite, "<000100020003>", "Sea", []string{toUnicode("<0000> <FFFF>", shownByWideMap), descendant}},
		{"a composite font, spaced", composite, "<0001> -600 <0002>", "S e", []string{toUnicode("<0000> <FFFF>", shownByWideMap), descendant}},
		{"Chinese", "<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /UniGB-UCS2-H /DescendantFonts [10 0 R] >>", "<6E2F53E3>", "港口", []string{descendant}},
		{"GBK", "<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /GBK-EUC-H /DescendantFonts [10 0 R] >>", "<B8DBBFDA>", "港口", []string{descendant}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			content := "BT /T 12 Tf 72 700 Td [" + c.shown + "] TJ ET"
			objects := append([]string{}, c.objects...)
			for len(objects) < 2 {
				objects = append(objects, "null")
			}
			checkPDFText(t, onePage(content, "/T 12 0 R >>", append(objects, c.font)...), c.want)
		})
	}
}

func TestPDFReadsFontsWithoutMaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, font, shown, want string }{
		{"names", "/Subtype /Type1 /BaseFont /X /Encoding << /Differences [1 /H /eacute /Scaron /fi /alpha /uni0416 /a.sc /f_l] >>", `\1\2\3\4\5\6\7\b`, "HéŠfiαЖafl"},
		{"StandardEncoding", "/Subtype /Type1 /BaseFont /X", `\252it's\272 \256sh`, "“it’s” ﬁsh"},
		{"MacRoman", "/Subtype /TrueType /BaseFont /X /Encoding /MacRomanEncoding", `caf\216`, "café"},
		{"Symbol", "/Subtype /Type1 /BaseFont /Symbol", `a \243 W`, "α ≤ Ω"},
		{"TeX's text", "/Subtype /Type1 /BaseFont /ABCDEF+CMR10", `\fsh, \016cient`, "ﬁsh, ﬃcient"},
		{"TeX's symbols", "/Subtype /Type1 /BaseFont /ABCDEF+CMSY10", `\002\024`, "×≤"},
		{"TeX's letters", "/Subtype /Type1 /BaseFont /ABCDEF+CMMI10", `\013x`, "αx"},
		{"a bitmap font", "/Subtype /Type3 /FontMatrix [0.012 0 0 0.012 0 0] /FontBBox [0 0 40 40] /CharProcs << >> /FirstChar 72 /LastChar 74 /Widths [40 40 40] /Encoding << /Differences [72 /a72 /a105 /a12] >>", "HIJ", "Hifi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkPDFText(t, onePage("BT /T 12 Tf 72 700 Td ("+c.shown+") Tj ET", "/T 10 0 R >>", "<< /Type /Font "+c.font+" >>"), c.want)
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		raw := onePage("BT /F1 12 Tf 72 700 Td (known) Tj /T 12 Tf 72 0 Td (xy) Tj ET", "/T 10 0 R >>", "<< /Type /Font /Subtype /Type1 /Encoding << /Differences [120 /g1 /g2] >> >>")
		got, err := PDF(t.Context(), raw, PDFOptions{})
		if err != nil || got.Text != "known" || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "28 %") {
			t.Errorf("PDF = %v, %+v; want a warning", err, got)
		}
	})
}

func form(content, entries string) string {
	return fmt.Sprintf("<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] %s /Length %d >>\nstream\n%s\nendstream", entries, len(content), content)
}

func TestPDFReadsForms(t *testing.T) {
	t.Parallel()
	const fonts = "/Resources << /Font << /F1 6 0 R >> "
	outside, inside := line(72, 720, "F1", 12, "Outside the form."), line(72, 660, "F1", 12, "Inside of it.")
	const both = "Outside the form.\n\nInside of it."
	for _, c := range []struct {
		name, content, want string
		objects             []string
	}{
		{"a form", outside + "/X Do", both, []string{form(inside, fonts+">>")}},
		{"with the page's resources", outside + "/X Do", both, []string{form(inside, "")}},
		{"in a form", outside + "/X Do", both, []string{form("/Y Do", "/Resources << /XObject << /Y 11 0 R >> >>"), form(inside, fonts+">>")}},
		{"moved", outside + "q 1 0 0 1 0 -300 cm /X Do Q", both, []string{form(line(72, 860, "F1", 12, "Inside of it."), "/Matrix [1 0 0 1 0 100] "+fonts+">>")}},
		{"the state after it", "BT /F1 12 Tf ET /X Do BT 72 720 Td (Outside the form.) Tj ET", "Outside the form.", []string{form("/F1 2 Tf 3 Tr "+inside, fonts+">>")}},
		{"in itself", outside + "/X Do", both, []string{form(inside+"/X Do", "/Resources << /Font << /F1 6 0 R >> /XObject << /X 10 0 R >> >>")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := onePage(c.content, "/XO 1 >> /XObject << /X 10 0 R >>", c.objects...)
			checkPDFText(t, raw, c.want)
		})
	}
	t.Run("a field that is filled in", func(t *testing.T) {
		t.Parallel()
		raw := onePage(outside, ">>", "<< /Type /Annot /Subtype /Widget /Rect [72 650 300 670] /AP << /N 11 0 R >> >>",
			strings.Replace(form(line(2, 5, "F1", 12, "Inside of it."), fonts+">>"), "[0 0 612 792]", "[0 0 228 20]", 1))
		checkPDFText(t, []byte(strings.Replace(string(raw), "/Contents 4 0 R", "/Contents 4 0 R /Annots [10 0 R]", 1)), both)
	})
}

// Files that would keep a reader busy end at a bound, and what could be read is kept.
func TestPDFEndsWithLoops(t *testing.T) {
	t.Parallel()
	text := line(72, 720, "F1", 12, "The harbour.")
	many := func(o string, n int) string { return strings.Repeat(o+" ", n) }
	widening := func(depth int) []string { // each form draws the next ten times
		var out []string
		for i := range depth {
			out = append(out, form(many("/X Do", 10), fmt.Sprintf("/Resources << /XObject << /X %d 0 R >> >>", 11+i)))
		}
		return append(out, form(text, "/Resources << /Font << /F1 6 0 R >> >>"))
	}
	tree := func(kids string, objects ...string) []byte {
		all := append([]string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 2000000000 /Kids [" + kids + "] >>",
			"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>", stream(text), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}, objects...)
		return pdfOf("1.4", "", all...)
	}
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"forms that multiply", onePage(text+"/X Do", ">> /XObject << /X 10 0 R >>", widening(9)...)},
		{"a huge count", tree("3 0 R")},
		{"one page many times", tree(many("3 0 R", 50_000))},
		{"a tree in a circle", tree("3 0 R 6 0 R 7 0 R", "<< /Type /Pages /Kids [7 0 R] >>", "<< /Type /Pages /Kids [6 0 R 2 0 R] >>")},
		{"marks without end", onePage(text+many("/Span BMC", 50_000), ">>")},
		{"states without end", onePage(text+many("q", 200_000), ">>")},
		{"a font that is its own map", onePage(text, ">>", "<< /Type /Font /ToUnicode 10 0 R /DescendantFonts [10 0 R] >>")},
		{"a map of everything", onePage(text+"BT /T 9 Tf 72 20 Td <0001> Tj ET", "/T 11 0 R >>", toUnicode("<0000> <FFFF>", many("1 beginbfrange <00000000> <FFFFFFFF> <0020> endbfrange", 200)),
			"<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 10 0 R >>")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := PDF(t.Context(), c.raw, PDFOptions{MaxTime: 20 * time.Second, MaxText: 10_000})
			if err != nil || !strings.HasPrefix(got.Text, "The harbour.") {
				t.Errorf("PDF = %v, %.200q", err, got.Text)
			}
		})
	}
}
