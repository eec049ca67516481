package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
)

// write creates a file in the folder, with its parent folders.
func write(t *testing.T, dir, name, body string) string {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return full
}

func openFiles(t *testing.T, dir string) *files {
	t.Helper()
	return openWith(t, dir, Settings{})
}

// openWith opens the folder with settings. It is closed when the test ends.
func openWith(t *testing.T, dir string, s Settings) *files {
	t.Helper()
	s.Timeout, s.Options = time.Hour, map[string]string{"dir": dir}
	made, err := newFiles(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := made.(*files)
	t.Cleanup(func() {
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	return out
}

func find(t *testing.T, s Source, words string) []evidence.Document {
	t.Helper()
	docs, err := s.Search(t.Context(), evidence.Query{Text: words, Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func paths(docs []evidence.Document) map[string]int {
	out := map[string]int{}
	for _, d := range docs {
		out[d.Meta["path"]]++
	}
	return out
}

func TestFilesReadsOnlyText(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "# Heron\n\nThe heron stands still.")
	write(t, dir, "deep/er/B.TXT", "A heron again.")
	write(t, dir, "page.html", "<html><head><title>Heron page</title></head><body><p>About the heron.</p></body></html>")
	write(t, dir, "one-bad-byte.txt", "Der Graureiher (heron) größer\xff als gedacht, schön und äußerst still")
	write(t, dir, "latin1.txt", "Le h\xe9ron, heron in English")
	write(t, dir, "empty.md", "")
	write(t, dir, "picture.md", "\x89PNG\r\n\x1a\n heron \x00\x01\x02")
	write(t, dir, "code.go", "// heron")
	write(t, dir, ".hidden/a.md", "hidden heron")
	write(t, dir, ".hidden.md", "hidden heron")
	secret := write(t, outside, "secret.md", "the secret heron")
	link := func(from, to string) {
		if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
			t.Log("no symbolic links here:", err) // on Windows they need a privilege
		}
	}
	link(secret, "leaves.md")
	link(outside, "leaves")
	link(dir, "round")
	docs := find(t, openFiles(t, dir), "heron")
	want := map[string]int{"a.md": 1, "deep/er/B.TXT": 1, "page.html": 1, "one-bad-byte.txt": 1, "latin1.txt": 1}
	if diff := cmp.Diff(want, paths(docs)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, d := range docs {
		switch d.Meta["path"] {
		case "a.md":
			u, err := url.Parse(d.URL)
			if err != nil || u.Scheme != "file" || !strings.HasSuffix(u.Path, "/a.md") || d.Title != "Heron" {
				t.Errorf("url %s, title %q", d.URL, d.Title)
			}
		case "deep/er/B.TXT":
			if d.Title != "deep/er/B.TXT" {
				t.Errorf("title %q, want the path", d.Title)
			}
		case "one-bad-byte.txt":
			if !strings.Contains(d.Text, "größer\uFFFD als") {
				t.Errorf("text %q", d.Text)
			}
		case "latin1.txt":
			if !strings.Contains(d.Text, "héron") {
				t.Errorf("text %q", d.Text)
			}
		}
	}
}

// failingReader returns the errors in its list, one per page, and then one text.
type failingReader struct {
	errs  []error
	asked int
}

func (m *failingReader) Page(context.Context, []byte, string, string) (extract.Page, error) {
	m.asked++
	if m.asked <= len(m.errs) {
		return extract.Page{}, m.errs[m.asked-1]
	}
	return extract.Page{Title: "Heron", Text: "The heron stands still."}, nil
}

func TestFilesRetriesTemporaryFailures(t *testing.T) {
	t.Parallel()
	killed, refused := errors.New("killed after 15s"), &evidence.Problem{What: "the content is image/png, not a page of text"}
	for _, c := range []struct {
		name  string
		errs  []error
		found []int // documents of a.html at each search; -1: an error, as there is no other file
		asked int
	}{
		{"no failure", nil, []int{1, 1}, 1},
		{"once", []error{killed}, []int{-1, 1, 1}, 2},
		{"again and again", []error{killed, killed, killed, killed}, []int{-1, -1, -1, -1, -1}, maxTries},
		{"refused", []error{refused}, []int{0, 0}, 1},
		{"failed, then refused", []error{killed, refused}, []int{-1, 0, 0}, 2},
	} {
		dir, pages := t.TempDir(), &failingReader{errs: c.errs}
		file := write(t, dir, "a.html", "<p>heron")
		s := openWith(t, dir, Settings{Pages: pages})
		for i, want := range c.found {
			docs, err := s.Search(t.Context(), evidence.Query{Text: "heron", Limit: 5})
			if got := len(docs); err != nil && want != -1 || err == nil && got != want {
				t.Errorf("%s, search %d: %d documents, %v, want %d", c.name, i+1, got, err, want)
			}
		}
		if pages.asked != c.asked {
			t.Errorf("%s: read %d times, want %d", c.name, pages.asked, c.asked)
		}
		pages.errs = nil
		write(t, dir, "b.txt", "No bird.") // what is read without the reader
		write(t, dir, "a.html", "<p>another heron")
		if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if docs := find(t, s, "heron"); len(docs) != 1 {
			t.Errorf("%s: %d documents after the file changed, want it read anew", c.name, len(docs))
		}
	}
}

func TestFilesProblems(t *testing.T) {
	t.Parallel()
	f := openFiles(t, t.TempDir())
	for _, c := range []struct {
		err  error
		want string
	}{
		{errUnreadable, "holds files, none of which can be read"},
		{fs.ErrPermission, "may not be read: this program has no permission"},
		{fs.ErrNotExist, "does not exist"},
		{errors.New("disk on fire"), "cannot be opened"},
	} {
		p := evidence.AsProblem(f.refused(c.err))
		if !strings.HasSuffix(p.What, "of sources.files.dir "+c.want) || !strings.Contains(p.Try, "sources.files.enabled=false") || !errors.Is(p, c.err) {
			t.Errorf("refused(%v) = %v", c.err, p)
		}
	}
}

func TestFilesRanksAndCutsIntoParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filler := strings.Repeat("Words about the weather, and a bird or two. ", 500)
	write(t, dir, "long.md", "# A long file\n\n"+filler+"\n\nThe heron of chapter nine eats a frog.\n\n"+filler)
	write(t, dir, "passing.md", "# Birds\n\nA stork, a crane, a heron, an egret, a spoonbill and many others were seen at the lake on that long day.")
	write(t, dir, "named/heron.md", "It eats a frog.")
	s := openFiles(t, dir)
	docs := find(t, s, "heron frog")
	if len(docs) != 3 || docs[2].Meta["path"] != "passing.md" || docs[0].Score != 1 {
		t.Fatalf("documents %v, first scored %v", titles(docs), docs[0].Score)
	}
	for _, d := range docs {
		if d.Meta["path"] == "long.md" && (!strings.Contains(d.Text, "chapter nine") || !strings.HasSuffix(d.URL, "/long.md#part-2") || !strings.Contains(d.Title, "A long file (part 2 of ")) {
			t.Errorf("url %s, title %q, %d bytes", d.URL, d.Title, len(d.Text))
		}
		if len(d.Text) > maxPart {
			t.Errorf("%s has %d bytes, want at most %d", d.Title, len(d.Text), maxPart)
		}
	}
	if again := find(t, s, "heron frog"); again[0].ID != docs[0].ID {
		t.Error("the same file got another identity")
	}
	many := find(t, s, "weather")
	whole := 0
	for _, d := range many {
		whole += len(d.Text)
	}
	if len(many) < 2 || whole < 2*len(filler)-2*maxPart {
		t.Errorf("%d parts of %d bytes, want all that hold the word", len(many), whole)
	}
}

func TestFilesKeepsWithinBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "huge.txt", "The heron. "+strings.Repeat("x y z ", maxFileBytes/6)+" The unread stork.")
	s := openFiles(t, dir)
	docs := find(t, s, "heron")
	if len(docs) != 1 || !docs[0].Truncated {
		t.Errorf("%d documents, want one that is marked as cut", len(docs))
	}
	if got := find(t, s, "stork"); len(got) != 0 {
		t.Errorf("the text beyond the limit was read: %v", titles(got))
	}
}

func TestFilesWarnsOnceOfWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		most  bounds
		found int
		warns int
	}{
		{"room for all", bounds{files: 3, entries: 5, bytes: 100}, 3, 0},
		{"too many files", bounds{files: 2, entries: 5, bytes: 100}, 2, 1},
		{"too many entries", bounds{files: 3, entries: 3, bytes: 100}, 2, 1},
		{"too much text", bounds{files: 3, entries: 5, bytes: 29}, 2, 1},
	} {
		dir := t.TempDir()
		for _, name := range []string{"a.md", "b.md", "c.md"} {
			write(t, dir, name, "A heron "+name[:1]+".") // 10 bytes
		}
		write(t, dir, "d.png", "")
		var log strings.Builder
		s := openWith(t, dir, Settings{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.folder.bounds = c.most
		for range 3 {
			docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 50})
			if err != nil || len(docs) != c.found || len(warnings) != c.warns {
				t.Errorf("%s: found %q, warnings %q, %v, want %d and %d", c.name, titles(docs), warnings, err, c.found, c.warns)
			}
		}
		if warns := strings.Count(log.String(), "sources.files.dir"); warns != c.warns {
			t.Errorf("%s: warned %d times, want %d:\n%s", c.name, warns, c.warns, log.String())
		}
	}
}

func TestFilesHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	write(t, home, "notes/a.md", "A heron.")
	if got := len(find(t, openFiles(t, "~/notes"), "heron")); got != 1 {
		t.Errorf("%d documents in ~/notes, want 1", got)
	}
}

func TestFileURL(t *testing.T) {
	t.Parallel()
	got := fileURL(filepath.FromSlash("/home/me/my notes"), "a/50% of #1?.md")
	if want := "file:///home/me/my%20notes/a/50%25%20of%20%231%3F.md"; got != want && filepath.Separator == '/' {
		t.Errorf("fileURL = %s, want %s", got, want)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("# heron\n\ntext"), true)
	f.Add([]byte("<p>heron"), false)
	f.Fuzz(func(t *testing.T, raw []byte, markdown bool) {
		dir, name := t.TempDir(), "a.html"
		if markdown {
			name = "a.md"
		}
		write(t, dir, name, string(raw))
		for _, d := range find(t, openFiles(t, dir), "heron") {
			if d.Text == "" || d.Score <= 0 || d.Score > 1 {
				t.Fatalf("document %+v", d)
			}
		}
	})
}

func BenchmarkFilesSearch(b *testing.B) {
	dir := b.TempDir()
	body := strings.Repeat("A sentence about birds, lakes and the weather of the day. ", 80)
	for i := range 2000 {
		name := filepath.Join(dir, fmt.Sprintf("%04d.md", i))
		if err := os.WriteFile(name, []byte(fmt.Sprintf("# Note %d\n\n%s\n\nheron%d", i, body, i%50)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	made, err := newFiles(Settings{Timeout: time.Hour, Options: map[string]string{"dir": dir}, DataDir: b.TempDir()}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer made.(*files).Close()
	begun := time.Now()
	q := evidence.Query{Text: "heron7 lakes", Limit: 10}
	if _, err := made.Search(b.Context(), q); err != nil {
		b.Fatal(err)
	}
	first := time.Since(begun)
	for b.Loop() {
		if docs, err := made.Search(b.Context(), q); err != nil || len(docs) == 0 {
			b.Fatal(docs, err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds()), "first-ms")
}

// A section is ranked by its own words and the headings above it, however long the
// rest of its file is, and its file's title does not stand in for them.
func TestFilesRanksSections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filler := strings.Repeat("The heron waits at the river and does nothing else for hours. ", 12)
	var long strings.Builder
	for i := range 20 {
		fmt.Fprintf(&long, "## Chapter %d\n\n%s\n\n", i, filler)
	}
	write(t, dir, "handbook.md", "# Handbook\n\n"+long.String()+"## Rings\n\nAn aluminium ring weighs four grams.\n\n"+long.String())
	write(t, dir, "rings.md", "# Rings\n\nRings are sold by the dozen.\n")
	for _, query := range []string{"what does an aluminium ring weigh", "weight of the aluminum ring"} { // n-grams bridge the spelling
		docs := find(t, openFiles(t, dir), query)
		if len(docs) == 0 || docs[0].Meta["path"] != "handbook.md" || !strings.Contains(docs[0].Text, "four grams") {
			t.Errorf("%q: %v", query, paths(docs))
		}
	}
}
