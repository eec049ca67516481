package sources

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// An index that is damaged, before it is opened or while it is, is made anew.
func TestFilesRepairsADamagedIndex(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	s := openWith(t, dir, Settings{DataDir: data})
	find(t, s, "heron")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(data, foldersDir, "*", "index.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("indexes %q, %v, want one", found, err)
	}
	for _, damage := range []func(string) error{
		func(file string) error {
			return os.WriteFile(file, []byte("no database at all, whatever its name"), 0o600)
		},
		func(file string) error { return os.Truncate(file, 4096) },
	} {
		if err := damage(found[0]); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, dir, Settings{DataDir: data})
		for i, want := range []int{1, 0} { // it is said once
			docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
			if err != nil || len(docs) != 1 || len(warnings) != want || want == 1 && !strings.Contains(warnings[0], "it was damaged") {
				t.Errorf("search %d of a damaged index: %v, %q, %v", i+1, titles(docs), warnings, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// When the index cannot be written to, what it has is searched, and a warning says why
// the rest is not.
func TestFilesWithAFullDisk(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	s := openWith(t, dir, Settings{DataDir: data})
	find(t, s, "heron")
	db, err := sql.Open("sqlite", filepath.Join(s.folder.options.Dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON file BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "b.md", "Another heron.")
	docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "the disk is full") {
		t.Errorf("%v, %q, %v, want the old document and a warning", titles(docs), warnings, err)
	}
	if _, err := db.ExecContext(t.Context(), "DROP TRIGGER full"); err != nil {
		t.Fatal(err)
	}
	docs, warnings, err = s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 2 || len(warnings) != 0 || s.Indexed() != 2 {
		t.Errorf("with room again: %v, %q, %v, %d files, want both", titles(docs), warnings, err, s.Indexed())
	}
}

// Where nothing can be stored, the index is in memory, and a warning says so.
func TestFilesWithoutARoomForItsIndex(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	write(t, data, foldersDir, "a file where the folder should be")
	docs, warnings, err := openWith(t, dir, Settings{DataDir: data}).SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "cannot be stored") {
		t.Errorf("%v, %q, %v, want the document and a warning", titles(docs), warnings, err)
	}
}

// An index of another version of the program is made anew, without a word.
func TestFilesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.html", "A heron.")
	pages := &countingReader{}
	for _, version := range []string{"1", "2", "2"} {
		_, warnings, err := openWith(t, dir, Settings{Pages: pages, DataDir: data, Version: version}).SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
		if err != nil || len(warnings) > 0 {
			t.Errorf("version %s: %q, %v", version, warnings, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"a.html": 2}, pages.taken()); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// An index whose rows do not fit together is made anew.
func TestFilesRepairsAnInconsistentIndex(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	s := openWith(t, dir, Settings{DataDir: data})
	find(t, s, "heron")
	db, err := sql.Open("sqlite", filepath.Join(s.folder.options.Dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE part SET text=x'41'"); err != nil {
		t.Fatal(err)
	}
	docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "it was damaged") {
		t.Errorf("%v, %q, %v, want the document and a warning", titles(docs), warnings, err)
	}
}

// A folder that was not searched for long keeps its own index, and one whose index
// another process removed makes it anew.
func TestFilesAfterALongTime(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.html", "A heron.")
	pages := &countingReader{}
	s := openWith(t, dir, Settings{Pages: pages, DataDir: data})
	find(t, s, "heron")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	setTime(t, filepath.Join(s.folder.options.Dir, "refresh.lock"), 1000)
	s = openWith(t, dir, Settings{Pages: pages, DataDir: data})
	for range 2 {
		if docs := find(t, s, "heron"); len(docs) != 1 {
			t.Errorf("found %q, want the file", titles(docs))
		}
	}
	if reads := pages.taken()["a.html"]; reads != 1 {
		t.Errorf("read %d times, want once: the index is kept", reads)
	}
	if err := os.RemoveAll(s.folder.options.Dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
		if err != nil || len(docs) != 1 || len(warnings) != 0 {
			t.Errorf("after the index was removed: %v, %q, %v", titles(docs), warnings, err)
		}
	}
	if reads := pages.taken()["a.html"]; reads != 1 {
		t.Errorf("read %d times after the index was removed, want once", reads)
	}
}

// A failure to open the index that may pass does not end the storing of it.
func TestFilesOpensAgainAfterAPassingFailure(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	s := openWith(t, dir, Settings{DataDir: data})
	index := filepath.Join(s.folder.options.Dir, "index.db")
	if err := os.MkdirAll(index, 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if p := evidence.AsProblem(err); p == nil || !strings.Contains(p.What, "cannot be searched") || !strings.Contains(p.What, index) {
		t.Errorf("%v, want what is wrong with the index", err)
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 1 || len(warnings) != 0 {
		t.Errorf("once it has passed: %v, %q, %v", titles(docs), warnings, err)
	}
	if info, err := os.Stat(index); err != nil || info.IsDir() {
		t.Errorf("the index is not stored: %v", err)
	}
}

// While another process opens the index, a search waits no longer than its patience.
func TestFilesDoesNotWaitForAnotherOpening(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.md", "A heron.")
	s := openWith(t, dir, Settings{DataDir: data})
	if err := os.MkdirAll(s.folder.options.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(s.folder.options.Dir, "open.lock"))
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, _, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5, Patience: time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || s.Indexed() != 0 {
		t.Errorf("%v, want the end of its patience", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if docs := find(t, s, "heron"); len(docs) != 1 {
		t.Errorf("found %q, want the file", titles(docs))
	}
}
