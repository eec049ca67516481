package extract

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// checkFuzzed checks what holds for every document.
func checkFuzzed(t *testing.T, raw []byte) {
	t.Helper()
	page, err := Document(t.Context(), raw)
	var problem *evidence.Problem
	if err != nil && !errors.As(err, &problem) && t.Context().Err() == nil {
		t.Errorf("Document = %v, want a problem", err)
	}
	if err != nil && strings.Contains(err.Error(), "runtime error") {
		t.Errorf("Document = %v: a panic of our own", err)
	}
	if err == nil && (page.Text == "" || !utf8.ValidString(page.Text) || len(page.Text) > MaxInput || len(page.Title) > maxTitle) {
		t.Errorf("Document = %d bytes, title %q", len(page.Text), page.Title)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add(docx(f, p("H1", "The harbour.")))
	f.Add(mht("text/html", "quoted-printable", "<p>The=20harbour."))
	for _, c := range hostileDocuments(f) {
		if len(c.raw) < 1<<16 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) <= 1<<16 {
			checkFuzzed(t, raw)
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add(p("H1", "The ", run("<w:vertAlign w:val=\"superscript\"/>", "6")) + listed(5, 1, "a") + `<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr></w:tc></w:tr></w:tbl>`)
	f.Add(`<w:p><m:oMath><m:rad><m:e><m:r><m:t>x</m:t></m:r></m:e></m:rad></m:oMath></w:p>`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) <= 1<<15 {
			checkFuzzed(t, docx(t, body))
		}
	})
}

func FuzzOpenDocument(f *testing.F) {
	f.Add(`<text:list text:style-name="L"><text:list-item text:start-value="9"><text:p>two<text:s text:c="9"/></text:p></text:list-item></text:list>`)
	f.Add(`<table:table table:name="T"><table:table-row table:number-rows-repeated="99"><table:table-cell table:number-columns-repeated="9" table:number-rows-spanned="3"><text:p>x</text:p></table:table-cell></table:table-row></table:table>`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) <= 1<<15 {
			checkFuzzed(t, odf(t, "text", body))
		}
	})
}

func FuzzSheets(f *testing.F) {
	f.Add(`<row r="1"><c r="ZZ1" t="s" s="4"><v>1e300</v></c></row>`)
	f.Add(`<row hidden="x"><c r="" s="-1"><is><t>x</t></is></c></row>`)
	f.Fuzz(func(t *testing.T, rows string) {
		if len(rows) <= 1<<15 {
			checkFuzzed(t, xlsx(t, rows))
		}
	})
}

func FuzzBook(f *testing.F) {
	f.Add(`<h1>First</h1><p>The <ruby>a<rt>b</rt></ruby></p>`)
	f.Add(`<table><tr><td><ul><li>x`)
	f.Fuzz(func(t *testing.T, chapter string) {
		if len(chapter) <= 1<<15 {
			checkFuzzed(t, epub(t, []string{chapter, "<p>The end.</p>"}))
		}
	})
}

// FuzzPDFContent reads content streams and CMaps of files that are sound.
func FuzzPDFContent(f *testing.F) {
	f.Add(twoColumns([]string{"The harbour was built when the", "town had grown."}, []string{"Its walls are of granite from", "the north."}, 5), shownByMap)
	f.Add("q 0 1 -1 0 612 0 cm BT /T 12 Tf [<01> -300 <0203>] TJ T* 4 Ts <04> ' ET BI /W 1 ID x EI Q /X Do /Span << /ActualText (a) >> BDC EMC", shownByWideMap)
	f.Fuzz(func(t *testing.T, content, codes string) {
		if len(content)+len(codes) > 1<<15 {
			return
		}
		raw := onePage(content, "/T 11 0 R >>", toUnicode("<00> <FF>", codes), "<< /Type /Font /Subtype /TrueType /ToUnicode 10 0 R >>")
		if _, err := PDF(t.Context(), raw, PDFOptions{}); err != nil && strings.Contains(err.Error(), "runtime error") {
			t.Errorf("PDF = %v: a panic of our own", err)
		}
	})
}
