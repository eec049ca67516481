package library_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
)

// wordFile is a Word file with one paragraph.
func wordFile(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create("word/document.xml")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "<document><body><p><r><t>%s</t></r></p></body></document>", text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pdfFile is a PDF with one line, without a table of its objects: readers find them.
func pdfFile(text string) []byte {
	content := "BT /F1 12 Tf 72 700 Td (" + text + ") Tj ET"
	return fmt.Appendf(nil, "%%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [3 0 R] >>\nendobj\n"+
		"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>\nendobj\n"+
		"4 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n5 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\ntrailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n0\n%%%%EOF\n", len(content), content)
}

// Documents of the user's own are read without a setting, from files and from standard
// input.
func TestRememberReadsDocuments(t *testing.T) {
	t.Parallel()
	archive := "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>The harbour of Ellwick.</p>\r\n--b--\r\n"
	for _, c := range []struct {
		file string
		raw  []byte
	}{{"a.docx", wordFile(t, "The harbour of Ellwick.")}, {"a.pdf", pdfFile("The harbour of Ellwick.")}, {"without-ending", pdfFile("The harbour of Ellwick.")}, {"a.mhtml", []byte(archive)}} {
		l, m := open(t, nil)
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for how, remember := range map[string]func() (library.RememberResult, error){
			"RememberFile": func() (library.RememberResult, error) { return l.RememberFile(t.Context(), path, "", nil) },
			"RememberStream": func() (library.RememberResult, error) {
				return l.RememberStream(t.Context(), bytes.NewReader(c.raw), "", nil)
			},
		} {
			got, err := remember()
			if err != nil {
				t.Errorf("%s(%s) = %v", how, c.file, err)
				continue
			}
			if doc, _, err := m.Document(t.Context(), got.DocumentID); err != nil || doc.Text != "The harbour of Ellwick." || !doc.Untrusted {
				t.Errorf("%s(%s): %+v, %v", how, c.file, doc, err)
			}
		}
	}
}

func TestRememberNamesWhatIsWrongWithADocument(t *testing.T) {
	t.Parallel()
	good := wordFile(t, "The harbour.")
	for _, c := range []struct {
		name string
		raw  []byte
		what string
	}{
		{"cut.docx", good[:len(good)-30], "cut off"},
		{"old.doc", append([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 600)...), "Office 97"},
		{"broken.pdf", []byte("%PDF-1.4\nnothing of use\n"), "PDF cannot be read"},
		{"locked.pdf", bytes.Replace(pdfFile("x"), []byte("/Root"), []byte("/Encrypt << /Filter /Standard >> /Root"), 1), "encrypted"},
	} {
		l, _ := open(t, nil)
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := l.RememberFile(t.Context(), path, "", nil)
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, c.what) || !strings.Contains(p.What, c.name) || p.Try == "" {
			t.Errorf("RememberFile(%s) = %v, want a problem with %q", c.name, err, c.what)
		}
	}
}
