package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fileindex"
)

// countingReader returns pages as they are, and counts them by name.
type countingReader struct {
	mu    sync.Mutex
	reads map[string]int
	block chan struct{} // nil, or each page waits until it is closed
	begun chan struct{} // gets one for each page that waits
}

func (m *countingReader) Page(ctx context.Context, raw []byte, _, name string) (extract.Page, error) {
	if m.block != nil {
		m.begun <- struct{}{}
		select {
		case <-m.block:
		case <-ctx.Done():
			return extract.Page{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reads == nil {
		m.reads = map[string]int{}
	}
	m.reads[name]++
	return extract.Page{Title: name, Text: string(raw)}, nil
}

// taken returns the counts since the last call.
func (m *countingReader) taken() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.reads
	m.reads = nil
	return out
}

// setTime sets a file's time of modification.
func setTime(t *testing.T, file string, unix int64) {
	t.Helper()
	if err := os.Chtimes(file, time.Time{}, time.Unix(unix, 0)); err != nil {
		t.Fatal(err)
	}
}

// Each step changes the folder; the next process reads what is new in it, and finds
// what it holds.
func TestFilesReadsAgainOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"same.html", "changed.html", "gone.html", "old.html"} {
		setTime(t, write(t, dir, name, "A heron in "+name), 1000)
	}
	all := map[string]int{"same.html": 1, "changed.html": 1, "gone.html": 1, "old.html": 1}
	pages := &countingReader{}
	for _, c := range []struct {
		name   string
		change func() error
		reads  map[string]int
		found  map[string]int
	}{
		{"first", func() error { return nil }, all, all},
		{"nothing", func() error { return nil }, nil, all},
		{"time alone", func() error { setTime(t, at("same.html"), 2000); return nil }, nil, all},
		{"content", func() error { write(t, dir, "changed.html", "A stork instead"); return nil },
			map[string]int{"changed.html": 1}, map[string]int{"same.html": 1, "gone.html": 1, "old.html": 1}},
		{"removed", func() error { return os.Remove(at("gone.html")) }, nil, map[string]int{"same.html": 1, "old.html": 1}},
		{"renamed", func() error { return os.Rename(at("old.html"), at("new.html")) },
			map[string]int{"new.html": 1}, map[string]int{"same.html": 1, "new.html": 1}},
		{"same size and time", func() error { // documented: it is not noticed
			write(t, dir, "same.html", "A crane in same.html")
			setTime(t, at("same.html"), 2000)
			return nil
		}, nil, map[string]int{"same.html": 1, "new.html": 1}},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, dir, Settings{Pages: pages, DataDir: data})
		if diff := cmp.Diff(c.found, paths(find(t, s, "heron"))); diff != "" {
			t.Errorf("%s: found (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.reads, pages.taken()); diff != "" {
			t.Errorf("%s: read (-want +got):\n%s", c.name, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file whose time changed and whose content did not is read once, not at every search.
func TestFilesTakesOverANewTime(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	file := write(t, dir, "a.md", "A heron.")
	setTime(t, file, 1000)
	s := openWith(t, dir, Settings{DataDir: data})
	find(t, s, "heron")
	setTime(t, file, 2000)
	docs := find(t, s, "heron")
	if len(docs) != 1 || docs[0].Revision != time.Unix(2000, 0).UTC().Format(time.RFC3339) {
		t.Errorf("documents %+v, want the new time", docs)
	}
	known, err := s.folder.index.Files(t.Context())
	if err != nil || !known["a.md"].Modified.Equal(time.Unix(2000, 0)) {
		t.Errorf("the index has %v, %v, want the new time", known["a.md"].Modified, err)
	}
}

// What is found does not depend on whether the index was just made.
func TestFilesFindsTheSameFromAStoredIndex(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "birds/heron.md", "# Herons\n\n## Food\n\nA heron eats frogs.\n\n## Weight\n\nIt weighs 2 kg.\n")
	write(t, dir, "c++.md", "# C++ and C#\n\nThe O'Reilly book about C++ names the heron.\n")
	write(t, dir, "long.txt", strings.Repeat("The heron waits at the river. ", 3000))
	queries := []string{"what does a heron weigh", "C++ book", "heorn wieghs", "O'Reilly", "\"quoted\" AND (heron)"}
	results := func(s *files) (out [][]evidence.Document) {
		for _, q := range queries {
			docs := find(t, s, q)
			for i := range docs {
				docs[i].Retrieved = time.Time{}
			}
			out = append(out, docs)
		}
		return out
	}
	want := results(openWith(t, dir, Settings{}))
	results(openWith(t, dir, Settings{DataDir: data}))
	got := results(openWith(t, dir, Settings{DataDir: data}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents of a stored index (-in memory +stored):\n%s", diff)
	}
	for i, docs := range got {
		if len(docs) == 0 {
			t.Errorf("%q found nothing", queries[i])
		}
	}
}

// A reading that takes too long is said, what is read by then is kept, and the next
// process reads the rest.
func TestFilesGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	const quick, files = 2 * batchFiles, 2*batchFiles + 3
	for i := range quick {
		write(t, dir, fmt.Sprintf("a%03d.md", i), "A heron.")
	}
	for i := range files - quick {
		write(t, dir, fmt.Sprintf("b%d.html", i), "A heron.")
	}
	pages := &countingReader{block: make(chan struct{}), begun: make(chan struct{}, 100)}
	first := openWith(t, dir, Settings{Pages: pages, DataDir: data})
	if _, _, err := first.folder.join(); err != nil {
		t.Fatal(err)
	}
	<-pages.begun // a page of the third batch: the first is written by now, and perhaps the second
	first.timeout = time.Nanosecond
	docs, warnings, err := first.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 100})
	want := func(read int) []string {
		return []string{fmt.Sprintf("the folder %s is still being read: %d of %d files so far; ask again for the rest", dir, read, files)}
	}
	if err != nil || len(docs) == 0 || !slices.Equal(warnings, want(batchFiles)) && !slices.Equal(warnings, want(quick)) {
		t.Errorf("%d documents, %q, %v, want some and %q", len(docs), warnings, err, want(quick))
	}
	if docs, _, err := first.SearchWarned(t.Context(), evidence.Query{Text: "unicorn", Limit: 5}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing found in a part of the folder: %v, %v, want a timeout", docs, err)
	}
	if err := first.Close(); err != nil { // while the pages wait
		t.Fatal(err)
	}
	close(pages.block)
	second := openWith(t, dir, Settings{Pages: pages, DataDir: data})
	docs, warnings, err = second.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 100})
	if err != nil || len(docs) == 0 || len(warnings) > 0 {
		t.Errorf("the next process: %d documents, %q, %v", len(docs), warnings, err)
	}
	known, err := second.folder.index.Files(t.Context())
	if err != nil || len(known) != files {
		t.Errorf("%d files in the index, %v, want all", len(known), err)
	}
	if diff := cmp.Diff(map[string]int{"b0.html": 1, "b1.html": 1, "b2.html": 1}, pages.taken()); diff != "" {
		t.Errorf("pages read by both (-want +got):\n%s", diff)
	}
}

// A query's patience ends the wait for a reading before the source's timeout does.
func TestFilesAnswersWithinThePatienceOfItsCaller(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", "A heron.")
	s := openWith(t, dir, Settings{Pages: &countingReader{block: make(chan struct{}), begun: make(chan struct{}, 1)}})
	_, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5, Patience: time.Microsecond})
	if !errors.Is(err, context.DeadlineExceeded) || len(warnings) > 1 {
		t.Errorf("warnings %q, %v, want a timeout", warnings, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Search(ctx, evidence.Query{Text: "heron", Limit: 5}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left got %v", err)
	}
}

// While a question is answered, the reading stops, unless the question waits for it.
func TestFilesYieldsToQuestions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = 3*batchFiles + 1
	for i := range files {
		write(t, dir, fmt.Sprintf("%04d.md", i), "A heron.")
	}
	stopped := make(chan struct{}, 10)
	s := openWith(t, dir, Settings{Idle: func(ctx context.Context) error {
		stopped <- struct{}{}
		<-ctx.Done() // there is always a question
		return ctx.Err()
	}})
	u, _, err := s.folder.join() // as after the end of a search's patience
	if err != nil {
		t.Fatal(err)
	}
	<-stopped
	if read := u.read.Load(); read != 0 || u.finished() {
		t.Errorf("%d files were read beside a question", read)
	}
	docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
	if err != nil || len(docs) != 5 || len(warnings) > 0 || u.read.Load() != files {
		t.Errorf("a question that waits: %v, %q, %v, %d files read, want all", titles(docs), warnings, err, u.read.Load())
	}
}

// Two processes that read one folder at once have one index of it.
func TestFilesOfTwoProcesses(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	const files = 3 * batchFiles
	for i := range files {
		write(t, dir, fmt.Sprintf("%03d.html", i), fmt.Sprintf("Heron number %d.", i))
	}
	pages := &countingReader{}
	var group sync.WaitGroup
	all := make([]map[string]int, 4)
	for i := range all {
		s := openWith(t, dir, Settings{Pages: pages, DataDir: data})
		group.Go(func() {
			docs, err := s.Search(t.Context(), evidence.Query{Text: "heron", Limit: 50})
			if err != nil {
				t.Error(err)
			}
			all[i] = paths(docs)
		})
	}
	group.Wait()
	for _, got := range all {
		if diff := cmp.Diff(all[0], got); diff != "" || len(got) != 50 {
			t.Errorf("%d documents, (-first +this):\n%s", len(got), diff)
		}
	}
	if reads := pages.taken(); len(reads) != files || slices.Max(counts(reads)) != 1 {
		t.Errorf("%d pages were read, the most often read one %d times, want each once", len(reads), slices.Max(counts(reads)))
	}
}

func counts(m map[string]int) (out []int) {
	for _, n := range m {
		out = append(out, n)
	}
	return out
}

// The text of a removed file is in no file of the index.
func TestFilesLeavesNoTextOfARemovedFile(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	write(t, dir, "stays.md", "A heron.")
	secret := write(t, dir, "secret.md", "The treasure is buried below the third willow.")
	s := openWith(t, dir, Settings{DataDir: data})
	find(t, s, "treasure")
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if docs := find(t, s, "treasure willow"); len(docs) != 0 {
		t.Errorf("found %q in a file that is gone", titles(docs))
	}
	if err := s.Close(); err != nil { // which empties the log
		t.Fatal(err)
	}
	stored, err := filepath.Glob(filepath.Join(data, foldersDir, "*", "*"))
	if err != nil || len(stored) == 0 {
		t.Fatal(stored, err)
	}
	for _, name := range stored {
		if raw, err := os.ReadFile(name); err != nil || strings.Contains(string(raw), "below the third willow") {
			t.Errorf("%s: %v, or it has the text", name, err)
		}
	}
}

// A listing reads no more entries than its bounds, whatever a folder holds.
func TestFilesListsWithinBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 40 {
		write(t, dir, fmt.Sprintf("%02d/a.md", i), "A heron.")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct {
		most  bounds
		files int
		all   bool
	}{
		{bounds{files: 40, entries: 80}, 40, true},
		{bounds{files: 39, entries: 80}, 39, false},
		{bounds{files: 40, entries: 60}, 20, false},
		{bounds{files: 40, entries: 10}, 0, false},
	} {
		x := newFolder(dir, Settings{})
		x.bounds = c.most
		got, all, err := x.list(t.Context(), root)
		if err != nil || len(got) != c.files || all != c.all {
			t.Errorf("list within %+v: %d files, all %v, %v, want %d, %v", c.most, len(got), all, err, c.files, c.all)
		}
	}
}

// A search after Close is refused.
func TestFilesAfterClose(t *testing.T) {
	t.Parallel()
	s := openFiles(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Search(t.Context(), evidence.Query{Text: "heron", Limit: 5}); err == nil || fileindex.Damaged(err) {
		t.Errorf("a search after Close: %v, want an error", err)
	}
}
