package extract

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/isolate"
)

// pdfOf returns a PDF of objects numbered from 1, the first being the catalog, and
// a cross-reference table.
func pdfOf(version, trailer string, objects ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%%PDF-%s\n", version)
	at := make([]int, 0, len(objects))
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, xref)
	return b.Bytes()
}

func stream(content string) string {
	return fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)
}

func packed(content []byte) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return fmt.Sprintf("<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", b.Len(), b.String())
}

// pages returns a PDF with one page for each content stream, and one font.
func pages(streams ...string) []byte {
	kids := make([]string, 0, len(streams))
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Title (A  harbour) >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"}
	for i, s := range streams {
		kids = append(kids, fmt.Sprintf("%d 0 R", 5+2*i))
		objects = append(objects, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 4 0 R >> >> /Contents %d 0 R >>", 6+2*i), s)
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(streams), strings.Join(kids, " "))
	return pdfOf("1.4", "/Info 3 0 R", objects...)
}

func TestPDFReadsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want string }{
		{"a line", `BT /F1 12 Tf 72 700 Td (The harbour of Ellwick.) Tj ET`, "The harbour of Ellwick."},
		{"lines", `BT /F1 12 Tf 14 TL 72 700 Td (One) Tj T* (Two) Tj (Three) ' ET`, "One Two Three"},
		{"paragraphs", `BT /F1 12 Tf 72 700 Td (One.) Tj 0 -40 Td (Two.) Tj ET`, "One.\n\nTwo."},
		{"kerning", `BT /F1 12 Tf 72 700 Td [(Har) 20 (bour) -300 (town)] TJ ET`, "Harbour town"},
		{"words of their own", `BT /F1 12 Tf 1 0 0 1 72 700 Tm (Old) Tj 1 0 0 1 110 700 Tm (town) Tj ET`, "Old town"},
		{"objects of a line", `BT /F1 12 Tf 72 700 Td (Old) Tj ET BT /F1 12 Tf 110 700 Td (town) Tj ET`, "Old town"},
		{"windows letters", `BT /F1 12 Tf 72 700 Td (gr\366\337er \226 caf\351) Tj ET`, "größer – café"},
		{"no font", `BT 72 700 Td (plain) Tj ET`, "plain"},
		{"odd operators", `q 1 0 0 1 0 0 cm BT /F9 12 Tf Tj TJ Td (still) Tj ET Q nonsense`, "still"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []string{stream(c.content), packed([]byte(c.content))} {
				got, err := PDF(t.Context(), pages(s), PDFOptions{})
				if diff := cmp.Diff(Page{Title: "A harbour", Text: c.want}, got); diff != "" || err != nil {
					t.Errorf("PDF(%s) = %v (-want +got):\n%s", c.content, err, diff)
				}
			}
		})
	}
	t.Run("version 2", func(t *testing.T) {
		t.Parallel()
		raw := bytes.Replace(pages(stream(`BT /F1 12 Tf (new) Tj ET`)), []byte("%PDF-1.4"), []byte("%PDF-2.0"), 1)
		if got, err := PDF(t.Context(), raw, PDFOptions{}); err != nil || got.Text != "new" || !bytes.HasPrefix(raw, []byte("%PDF-2.0")) {
			t.Errorf("PDF of version 2 = %+v, %v", got, err)
		}
	})
}

func TestPDFKeepsItsBounds(t *testing.T) {
	t.Parallel()
	line := func(n int) string {
		return stream(fmt.Sprintf(`BT /F1 12 Tf 72 700 Td (This is page %d.) Tj ET`, n))
	}
	three := pages(line(1), line(2), line(3))
	for _, c := range []struct {
		name string
		raw  []byte
		o    PDFOptions
		want Page
	}{
		{"all", three, PDFOptions{MaxPages: 3}, Page{Text: "This is page 1.\n\nThis is page 2.\n\nThis is page 3."}},
		{"pages", three, PDFOptions{MaxPages: 2}, Page{Text: "This is page 1.\n\nThis is page 2.", Truncated: true}},
		{"text", three, PDFOptions{MaxText: 20}, Page{Text: "This is page 1.\n\nThi", Truncated: true}},
		{"a page that is a bomb", pages(line(1), packed(bytes.Repeat([]byte("0 "), (16<<20))), line(3)), PDFOptions{},
			Page{Text: "This is page 1.\n\nThis is page 3.", Truncated: true}},
		{"a page of a picture's kind", pages(line(1), strings.Replace(line(2), "<<", "<< /Filter /Unknown", 1)), PDFOptions{}, Page{Text: "This is page 1.", Truncated: true}},
		{"a page without end", pages(line(1), packed([]byte(strings.Repeat("(more and more text) Tj\n", 500_000)))), PDFOptions{MaxText: 30}, Page{Text: "# This is page 1.\n\nmore and mo", Truncated: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.MaxTime = time.Minute // a bomb takes longer than the default on a busy machine
			got, err := PDF(t.Context(), c.raw, c.o)
			c.want.Title = "A harbour"
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("PDF = %v (-want +got):\n%.500s", err, diff)
			}
		})
	}
}

// hostilePDFs returns files that must be refused, and part of the message.
func hostilePDFs() map[string]struct {
	raw  []byte
	what string
} {
	type hostile = struct {
		raw  []byte
		what string
	}
	good := pages(stream(`BT /F1 12 Tf 72 700 Td (The harbour.) Tj ET`))
	key := "<" + strings.Repeat("41", 32) + ">"
	return map[string]hostile{
		"empty":        {nil, "begin"},
		"junk":         {[]byte("<html>a page</html>"), "begin"},
		"a header":     {[]byte("%PDF-1.7\n"), "cannot be read"},
		"junk behind":  {append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("\x00\xffjunk"), 10_000)...), "cannot be read"},
		"cut off":      {good[:len(good)/2], "cannot be read"},
		"no pages":     {pdfOf("1.4", "", "<< /Type /Catalog >>"), "no text"},
		"pages cycle":  {pdfOf("1.4", "", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 9 /Kids [2 0 R] >>"), "no text"},
		"no text":      {pages(stream(`0 0 10 10 re f`)), "no text"},
		"encrypted":    {pdfOf("1.4", "/ID [<41> <41>] /Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O "+key+" /U "+key+" >>", "<< /Type /Catalog >>"), "encrypted"},
		"other crypto": {pdfOf("1.4", "/Encrypt << /Filter /Secret >>", "<< /Type /Catalog >>"), "encrypted"},
		"too long":     {append([]byte("%PDF-1.4\n"), make([]byte, MaxPDF)...), "more than"},
	}
}

func TestPDFRefusesHostileFiles(t *testing.T) {
	t.Parallel()
	iso := Isolated{Runner: newPool(t, isolate.Options{Deadline: time.Minute}), ReadPDF: true}
	for name, c := range hostilePDFs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := PDFOptions{MaxTime: time.Minute} // the refusal is asked for, not a busy machine's time-out
			_, plain := PDF(t.Context(), c.raw, o)
			_, isolated := iso.PDF(t.Context(), c.raw, o)
			for how, err := range map[string]error{"PDF": plain, "Isolated.PDF": isolated} {
				var p *evidence.Problem
				if !errors.As(err, &p) || !strings.Contains(p.What, c.what) || p.Try == "" || len(p.What) > 250 {
					t.Errorf("%s = %v, want a problem with %q", how, err, c.what)
				}
			}
		})
	}
}

// Files that end or block a process end or block only a child, and the next file is
// read.
func TestIsolatedPDFSurvivesBombs(t *testing.T) {
	t.Parallel()
	good := pages(stream(`BT /F1 12 Tf 72 700 Td (The harbour.) Tj ET`))
	loop := pages(stream(`BT ET`)) // a table of contents that goes before itself
	at := bytes.LastIndex(loop, []byte("xref\n0 "))
	loop = bytes.Replace(loop, []byte("/Root 1 0 R"), fmt.Appendf(nil, "/Root 1 0 R /Prev %d", at), 1)
	for name, raw := range map[string][]byte{
		"200 MB in a stream":     pages(packed(bytes.Repeat([]byte("0 "), 100<<20))),
		"200 MB in two":          pages("["+packed(bytes.Repeat([]byte(" "), 100<<20))+"]", packed(bytes.Repeat([]byte("("), 100<<20))),
		"a table in circles":     loop,
		"arrays without end":     pages(packed(bytes.Repeat([]byte("["), (16<<20)-1))),
		"a table of a billion":   bytes.Replace(good, []byte("xref\n0 7"), []byte("xref\n0 999999999"), 1),
		"a dictionary of itself": pages(stream(strings.Repeat("<< /A ", 1<<20))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iso := Isolated{Runner: newPool(t, isolate.Options{Parallel: 1, Deadline: 10 * time.Second, MaxMemory: 256 << 20}), ReadPDF: true}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got, err := iso.PDF(ctx, raw, PDFOptions{MaxTime: time.Second})
			if err == nil {
				t.Errorf("Isolated.PDF = %d bytes, want an error", len(got.Text))
			}
			if ctx.Err() != nil {
				t.Errorf("Isolated.PDF took a minute: %v", err)
			}
			t.Logf("%.150v", err)
			if got, err := iso.Page(ctx, good, "application/pdf", ""); err != nil || got.Text != "The harbour." {
				t.Errorf("the next file = %+v, %v", got, err)
			}
		})
	}
}

func TestPageReadsPDFWhenItMay(t *testing.T) {
	t.Parallel()
	raw := pages(stream(`BT /F1 12 Tf 72 700 Td (The harbour.) Tj ET`))
	pool := newPool(t, isolate.Options{})
	off, on := Isolated{Runner: pool}, Isolated{Runner: pool, ReadPDF: true}
	for _, contentType := range []string{"application/pdf", "application/pdf; charset=binary", "application/octet-stream", "text/html", ""} {
		got, err := on.Page(t.Context(), raw, contentType, "")
		if err != nil || got.Text != "The harbour." {
			t.Errorf("Page(%q) with the setting = %+v, %v", contentType, got, err)
		}
		var p *evidence.Problem
		_, err = off.Page(t.Context(), raw, contentType, "")
		if !errors.As(err, &p) || !strings.Contains(p.What+p.Try, SettingPDF) {
			t.Errorf("Page(%q) without the setting = %v, want a problem that names %s", contentType, err, SettingPDF)
		}
	}
	var p *evidence.Problem
	if _, err := on.Page(t.Context(), []byte("GIF89a"), "application/pdf", ""); !errors.As(err, &p) || !strings.Contains(p.What, "begin") {
		t.Errorf("Page of a picture that says it is a PDF = %v, want a problem", err)
	}
	if got, err := on.Page(t.Context(), []byte(article("")), "text/html", ""); err != nil || !strings.Contains(got.Text, "built in 1821") {
		t.Errorf("Page of HTML = %+v, %v", got, err)
	}
}

func TestPDFObeysItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PDF(ctx, pages(stream("BT ET")), PDFOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("PDF after the end = %v, want context.Canceled", err)
	}
}

func FuzzPDF(f *testing.F) {
	f.Add(pages(stream(`BT /F1 12 Tf 72 700 Td [(Har) 20 (bour)] TJ ET`)))
	f.Add(pages(packed([]byte(`BT (x) Tj ET`)), stream(`BT (y) ' ET`)))
	for _, c := range hostilePDFs() {
		if len(c.raw) < 1<<16 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 || bytes.Count(raw, []byte("[")) > 1_000 {
			return // ends the process: see TestIsolatedPDFSurvivesBombs
		}
		page, err := PDF(t.Context(), raw, PDFOptions{MaxTime: time.Second})
		if err != nil {
			var p *evidence.Problem
			if !errors.As(err, &p) && t.Context().Err() == nil {
				t.Errorf("PDF = %v, want a problem", err)
			}
			return
		}
		if page.Text == "" || !utf8.ValidString(page.Text) || page.Text != strings.TrimSpace(visible(page.Text)) || len(page.Title) > maxTitle {
			t.Errorf("PDF(%q) = %+v", raw, page)
		}
	})
}
