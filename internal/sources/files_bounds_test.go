package sources

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
)

// What the index has no room for is read once, also by the next process, and read again
// when it changes or when there is room. A change of a file that is in the index is
// always read.
func TestFilesReadsOnceWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"m.html", "z.html"} {
		setTime(t, write(t, dir, name, "A heron "+name[:1]+"."), 1000) // 10 bytes
	}
	pages := &countingReader{}
	for _, c := range []struct {
		name   string
		change func() error
		reads  map[string]int
		found  map[string]int
		more   int // warnings
	}{
		{"room for both", func() error { return nil }, map[string]int{"m.html": 1, "z.html": 1}, map[string]int{"m.html": 1, "z.html": 1}, 0},
		{"two more files", func() error {
			write(t, dir, "a.html", "A heron a.")
			write(t, dir, "b.html", "A heron b.")
			return nil
		}, map[string]int{"a.html": 1, "b.html": 1}, map[string]int{"m.html": 1, "z.html": 1}, 1},
		{"nothing", func() error { return nil }, nil, map[string]int{"m.html": 1, "z.html": 1}, 1},
		{"an indexed file that sorts after them", func() error { write(t, dir, "z.html", "A stork z."); return nil },
			map[string]int{"z.html": 1}, map[string]int{"m.html": 1}, 1},
		{"the time of one", func() error { setTime(t, at("b.html"), 2000); return nil }, map[string]int{"b.html": 1}, map[string]int{"m.html": 1}, 1},
		{"room for one", func() error { return os.Remove(at("z.html")) }, map[string]int{"a.html": 1}, map[string]int{"a.html": 1, "m.html": 1}, 1},
		{"room for all", func() error { return os.Remove(at("m.html")) }, map[string]int{"b.html": 1}, map[string]int{"a.html": 1, "b.html": 1}, 0},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, dir, Settings{Pages: pages, DataDir: data})
		s.folder.bounds.bytes = 25
		for range 2 {
			docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 50})
			if diff := cmp.Diff(c.found, paths(docs)); diff != "" || err != nil || len(warnings) != c.more {
				t.Errorf("%s: %v, %q, found (-want +got):\n%s", c.name, err, warnings, diff)
			}
		}
		if diff := cmp.Diff(c.reads, pages.taken()); diff != "" {
			t.Errorf("%s: read (-want +got):\n%s", c.name, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Of many new files without room, each question reads some, and none twice.
func TestFilesStopsWhenFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = 4 * batchFiles
	for i := range files {
		write(t, dir, fmt.Sprintf("%04d.html", i), "A heron.")
	}
	pages := &countingReader{}
	s := openWith(t, dir, Settings{Pages: pages})
	s.folder.bounds.bytes = 100
	find(t, s, "heron")
	first := pages.taken()
	if len(first) < batchFiles || len(first) >= files {
		t.Errorf("%d files were read, want no more than it takes to fill the index", len(first))
	}
	for range 5 {
		find(t, s, "heron")
	}
	for name := range pages.taken() {
		if first[name] > 0 {
			t.Errorf("%s was read twice", name)
		}
	}
}

// panickingReader panics on every page.
type panickingReader struct{ asked int }

func (m *panickingReader) Page(context.Context, []byte, string, string) (extract.Page, error) {
	m.asked++
	panic("a page that no reader expects")
}

// A file that the reader panics on is tried as often as one that it fails on.
func TestFilesGivesUpOnPanics(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "a.html", "A heron.")
	write(t, dir, "b.txt", "Another heron.")
	pages := &panickingReader{}
	for range maxTries + 2 {
		s := openWith(t, dir, Settings{Pages: pages, DataDir: data})
		if docs := find(t, s, "heron"); len(docs) != 1 {
			t.Errorf("found %q, want the other file", titles(docs))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if pages.asked != maxTries {
		t.Errorf("the reader was asked %d times, want %d", pages.asked, maxTries)
	}
}
