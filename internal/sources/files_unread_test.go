package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
)

// pickyReader fails on PDFs and refuses e-mails.
type pickyReader struct{}

func (pickyReader) Page(_ context.Context, raw []byte, _, name string) (extract.Page, error) {
	switch extension(name) {
	case ".pdf":
		return extract.Page{}, errors.New("killed\nafter 15s")
	case ".eml":
		return extract.Page{}, &evidence.Problem{What: "the e-mail has no header"}
	}
	return extract.Page{Title: name, Text: string(raw)}, nil
}

// A file that cannot be read is named once, with the reason, and again when it changed.
func TestFilesNamesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.html", "A heron.")
	setTime(t, write(t, dir, "trains.pdf", "a heron"), 1000)
	s := openWith(t, dir, Settings{Pages: pickyReader{}, DataDir: data})
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"new", func() {}, "1 file of the folder could not be read: trains.pdf (killed after 15s)"},
		{"said", func() {}, ""},
		{"another", func() { write(t, dir, "mail.eml", "a heron") }, "1 file of the folder could not be read: mail.eml (the e-mail has no header)"},
		{"said, too", func() {}, ""},
		{"changed", func() { setTime(t, write(t, dir, "trains.pdf", "another heron"), 2000) }, "1 file of the folder could not be read: trains.pdf (killed after 15s)"},
		{"many", func() {
			for i := range 5 {
				write(t, dir, fmt.Sprintf("%d.pdf", i), "a heron")
			}
		}, "5 files of the folder could not be read: 0.pdf (killed after 15s), 1.pdf (killed after 15s), 2.pdf (killed after 15s) and 2 more"},
		{"readable", func() { write(t, dir, "b.html", "A second heron.") }, ""},
	} {
		c.change()
		docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
		if err != nil || len(docs) == 0 || strings.Join(warnings, "; ") != c.want {
			t.Errorf("%s: %d documents, %q, %v, want the warning %q", c.name, len(docs), warnings, err, c.want)
		}
	}
	if n := s.Indexed(); n != 2 {
		t.Errorf("%d files are indexed, want those with text", n)
	}
}
