package library_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html/charset"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
)

// encoded is s in the encoding name.
func encoded(t *testing.T, name, s string) []byte {
	t.Helper()
	enc, _ := charset.Lookup(name)
	out, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Files and standard input are decoded as pages are, and what is doubtful is said.
func TestRememberDecodes(t *testing.T) {
	t.Parallel()
	const russian = "Мост через реку закрыт на ремонт до конца сентября."
	for _, c := range []struct {
		name, file string
		raw        []byte
		want, warn string
	}{
		{"UTF-16 of Windows", "a.log", append([]byte("\xFF\xFE"), encoded(t, "utf-16le", "The database host is orion-7\r\nin Köln\r\n")...), "The database host is orion-7\nin Köln", ""},
		{"UTF-16, big end first", "a.txt", append([]byte("\xFE\xFF"), encoded(t, "utf-16be", "in Köln")...), "in Köln", ""},
		{"UTF-16 without a mark", "a.csv", encoded(t, "utf-16le", "host,port\r\norion,5432\r\n"), "host,port\norion,5432", "utf-16le was guessed"},
		{"UTF-8 with a mark", "a.md", []byte("\xEF\xBB\xBF# Köln"), "# Köln", ""},
		{"windows-1251", "a.txt", encoded(t, "windows-1251", russian), russian, "windows-1251 was guessed"},
		{"a bad byte", "a.txt", []byte("Köln, Düsseldorf\xff und Bonn"), "Köln, Düsseldorf\uFFFD und Bonn", "1 byte sequence was not valid utf-8"},
		{"invisible characters", "a.txt", []byte("or\u200bion\u00ad-7\U000E0041"), "orion-7", ""},
		{"HTML in UTF-16", "a.html", append([]byte("\xFF\xFE"), encoded(t, "utf-16le", "<!doctype html><p>in Köln</p>")...), "in Köln", ""},
		{"HTML in GBK", "a.htm", encoded(t, "gbk", "<meta charset=gbk><p>大桥因维修关闭</p>"), "大桥因维修关闭", ""},
	} {
		l, m := open(t, nil)
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		check := func(got library.RememberResult, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			doc, _, err := m.Document(t.Context(), got.DocumentID)
			if all := strings.Join(got.Warnings, " "); err != nil || doc.Text != c.want || !strings.Contains(all, c.warn) || (all == "") != (c.warn == "") || doc.Meta["warning"] != all {
				t.Errorf("%s: %q, %v, warnings %q, meta %v; want %q and %q", c.name, doc.Text, err, got.Warnings, doc.Meta, c.want, c.warn)
			}
		}
		check(l.RememberFile(t.Context(), path, "", nil))
		if c.file != "a.htm" { // standard input has no name that tells HTML from text
			check(l.RememberStream(t.Context(), bytes.NewReader(c.raw), "", nil))
		}
	}
}

// A file's markup is converted, and its title is that of the document.
func TestRememberConvertsMarkup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, body, title, want string }{
		{"guide.rst", "Bridge guide\n============\n\nSee :ref:`locks`.\n\n.. code-block:: sh\n\n   make all\n", "Bridge guide", "# Bridge guide\n\nSee locks.\n\n```sh\nmake all\n```"},
		{"guide.adoc", "= Bridge guide\n\n== Locks\n\n* one\n* two\n", "Bridge guide", "## Locks"},
		{"guide.org", "#+TITLE: Bridge guide\n* Locks\n#+begin_src sh\nmake\n#+end_src\n", "Bridge guide", "```sh\nmake\n```"},
		{"note.md", "---\ntitle: Bridge guide\ntags: [a]\n---\nSee [[Locks|the locks]].\n", "Bridge guide", "See the locks."},
		{"main.go", "package main\n\n// [[not a link]]\nfunc main() {}\n", "main.go", "package main\n\n// [[not a link]]\nfunc main() {}"},
		{"hosts.log", strings.Repeat("    at com.example.Main(Main.java:1)\n", 60), "hosts.log", "at com.example.Main(Main.java:1)\n    at com"},
	} {
		l, m := open(t, nil)
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.body), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := l.RememberFile(t.Context(), path, "", nil)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		doc, _, err := m.Document(t.Context(), got.DocumentID)
		if err != nil || doc.Title != c.title || !strings.Contains(doc.Text, c.want) {
			t.Errorf("%s: title %q, text %q, %v", c.file, doc.Title, doc.Text, err)
		}
		// A title that is a file's name tells the markup on standard input.
		got, err = l.RememberStream(t.Context(), strings.NewReader(c.body), c.file, nil)
		if err != nil {
			t.Errorf("%s on standard input: %v", c.file, err)
			continue
		}
		if doc, _, err := m.Document(t.Context(), got.DocumentID); err != nil || !strings.Contains(doc.Text, c.want) {
			t.Errorf("%s on standard input: %q, %v", c.file, doc.Text, err)
		}
	}
}

// Notebooks and e-mails are read as text, whatever pictures they have, from a file and
// by the name in the title of what comes on standard input.
func TestRememberReadsNotebooksAndMail(t *testing.T) {
	t.Parallel()
	picture := strings.Repeat("iVBORw0KGgo", 1<<20) // 11 MB: more than a text may have
	for _, c := range []struct{ file, body, title, want, refused string }{
		{"loads.ipynb", `{"cells":[{"cell_type":"markdown","source":["# Loads\n","The span is 30 m."]},{"cell_type":"code","source":"plot()","outputs":[{"data":{"image/png":"` + picture + `"}}]}],"nbformat":4}`,
			"Loads", "The span is 30 m.\n\n```\nplot()\n```", ""},
		{"letter.eml", "From: Anna <anna@example.org>\r\nSubject: Bridge\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nIt opens.\r\n--b\r\nContent-Type: image/png; name=a.png\r\n\r\n" + picture + "\r\n--b--\r\n",
			"Bridge", "It opens.\n\nAttachments: a.png (image/png)", ""},
		{"empty.ipynb", `{"cells":`, "", "", "empty.ipynb was not read: the notebook cannot be read"},
		{"text.eml", "just a text", "", "", "text.eml was not read: the file has no header of an e-mail"},
		{"picture.eml", "\x89PNG\r\n\x1a\n\x00", "", "", "picture.eml is image/png, not text"},
		{"letter.rtf", `{\rtf1\ansi It opens.}`, "", "", "letter.rtf has the format RTF, which is not read"},
		{"letter.fodt", `<?xml version="1.0"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"/>`, "", "", "letter.fodt has the format flat OpenDocument"},
		{"blank.ipynb", `{"cells":[{"cell_type":"markdown","source":" "}],"nbformat":4}`, "", "", "the text is empty"},
	} {
		l, m := open(t, nil)
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.body), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := l.RememberFile(t.Context(), path, "", nil)
		if c.refused != "" {
			if p := evidence.AsProblem(err); err == nil || !strings.Contains(p.What, c.refused) || p.Try == "" {
				t.Errorf("%s: %v, want %q", c.file, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if doc, _, err := m.Document(t.Context(), got.DocumentID); err != nil || doc.Title != c.title || !strings.Contains(doc.Text, c.want) || len(doc.Text) > 1000 {
			t.Errorf("%s: title %q, %d bytes, %.300q, %v", c.file, doc.Title, len(doc.Text), doc.Text, err)
		}
		if got, err = l.RememberStream(t.Context(), strings.NewReader(c.body), c.file, nil); err != nil {
			t.Errorf("%s on standard input: %v", c.file, err)
		} else if doc, _, err := m.Document(t.Context(), got.DocumentID); err != nil || !strings.Contains(doc.Text, c.want) {
			t.Errorf("%s on standard input: %.300q, %v", c.file, doc.Text, err)
		}
	}
}

// What nobody can see is in no text, title or tag, and in no query.
func TestInvisibleCharactersStayOutside(t *testing.T) {
	t.Parallel()
	l, m := open(t, nil)
	got, err := l.Remember(t.Context(), library.RememberRequest{Text: "The he\u200bron\u00ad nests\U000E0041.", Title: "Her\u2060ons", Tags: []string{"bi\u200drds"}})
	if err != nil {
		t.Fatal(err)
	}
	if doc, _, err := m.Document(t.Context(), got.DocumentID); err != nil || doc.Text != "The heron nests." || doc.Title != "Herons" || doc.Tags[0] != "birds" {
		t.Errorf("%+v, %v", doc, err)
	}
	hits, err := l.Recall(t.Context(), library.RecallRequest{Query: "he\u00adron ne\u200bsts", Tags: []string{"bir\u200cds"}})
	if err != nil || len(hits.Hits) != 1 {
		t.Errorf("%+v, %v", hits, err)
	}
}
