package fileindex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

func open(t *testing.T, o Options) *Index {
	t.Helper()
	x, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() }) // some tests close it themselves
	return x
}

// entry is a file of one part, with a piece for each body.
func entry(t *testing.T, path string, bodies ...string) *Entry {
	t.Helper()
	p := Part{Text: strings.Join(bodies, "\n")}
	at := 0
	for _, b := range bodies {
		p.Chunks = append(p.Chunks, evidence.Chunk{Start: at, End: at + len(b), Text: b})
		at += len(b) + 1
	}
	e, err := Prepare(t.Context(), File{Path: path, Title: path, Size: int64(len(p.Text)), Modified: time.Unix(1, 5)}, []Part{p})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func apply1(t *testing.T, x *Index, c Change) {
	t.Helper()
	if err := x.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// found are the texts of the pieces that match, best first.
func found(t *testing.T, x *Index, query string) []string {
	t.Helper()
	matches, err := x.Search(t.Context(), text.SearchTerms(query), 100)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, m := range matches {
		out = append(out, m.Text)
	}
	return out
}

func TestSearchFindsPieces(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"stored": {Dir: filepath.Join(t.TempDir(), "new", "folder")}, "in memory": {}} {
		x := open(t, o)
		apply1(t, x, Change{Put: []*Entry{
			entry(t, "a.md", "The heron stands still.", "O'Reilly wrote of C++ and C#."),
			entry(t, "b.md", "Frogs, frogs and frogs.", strings.Repeat("x", 200)),
		}})
		for query, want := range map[string][]string{
			"heron":                  {"The heron stands still."},
			"standing herons":        {"The heron stands still."},
			"C++":                    {"O'Reilly wrote of C++ and C#."},
			"C#":                     {"O'Reilly wrote of C++ and C#."},
			"O'Reilly":               {"O'Reilly wrote of C++ and C#."},
			`"frog" OR (NEAR`:        {"Frogs, frogs and frogs."},
			"frog\x00":               {"Frogs, frogs and frogs."},
			"unicorn":                {},
			"":                       {},
			"the of and":             {},
			"frog heron":             {"Frogs, frogs and frogs.", "The heron stands still."},
			"heron heron frog":       {"Frogs, frogs and frogs.", "The heron stands still."},
			strings.Repeat("x", 200): {strings.Repeat("x", 200)},
		} {
			if diff := cmp.Diff(want, found(t, x, query)); diff != "" && query != "the of and" {
				t.Errorf("%s: %q found (-want +got):\n%s", name, query, diff)
			}
		}
	}
}

// The score is the BM25 of the package text.
func TestSearchScores(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	bodies := []string{"heron heron frog", "heron and a very long tail of other words about weather", "frog", "stork"}
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", bodies...)}})
	matches, err := x.Search(t.Context(), []string{"heron", "frog", "heron"}, 10)
	if err != nil || len(matches) != 3 {
		t.Fatal(matches, err)
	}
	var docs [][]string
	for _, b := range bodies {
		docs = append(docs, append(text.IndexTerms("a.md", "en"), text.IndexTerms(b, "en")...))
	}
	total := 0
	for _, d := range docs {
		total += len(d)
	}
	for _, m := range matches {
		at, want := slices.Index(bodies, m.Text), 0.0
		for _, term := range []string{"heron", "frog"} {
			n := 0.0
			for _, d := range docs {
				if slices.Contains(d, term) {
					n++
				}
			}
			tf := 0.0
			for _, o := range docs[at] {
				if o == term {
					tf++
				}
			}
			norm := text.BM25K1 * (1 - text.BM25B + text.BM25B*float64(len(docs[at]))*4/float64(total))
			want += math.Log(1+(4-n+0.5)/(n+0.5)) * tf * (text.BM25K1 + 1) / (tf + norm)
		}
		if math.Abs(m.Score-want) > 1e-9 {
			t.Errorf("%q scored %v, want %v", m.Text, m.Score, want)
		}
	}
}

// A file that is put again replaces what the index has of it, and sums stay right.
func TestApplyReplacesAndRemoves(t *testing.T) {
	t.Parallel()
	x := open(t, Options{Dir: t.TempDir()})
	sums := func() (out [4]int64) {
		err := x.read.QueryRowContext(t.Context(), "SELECT pieces, terms, (SELECT count(*) FROM piece), (SELECT coalesce(sum(terms), 0) FROM piece) FROM tally").
			Scan(&out[0], &out[1], &out[2], &out[3])
		if err != nil || out[0] != out[2] || out[1] != out[3] {
			t.Errorf("sums %v, %v, want those of the pieces", out, err)
		}
		return out
	}
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "heron one", "heron two"), entry(t, "b.md", "heron three")}})
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "stork one")}, Touched: []File{{Path: "b.md", Size: 7, Modified: time.Unix(9, 0)}, {Path: "none.md"}}})
	if got := found(t, x, "heron"); !slices.Equal(got, []string{"heron three"}) {
		t.Errorf("found %q after a replacement", got)
	}
	files, err := x.Files(t.Context())
	if err != nil || len(files) != 2 || files["b.md"].Size != 7 || !files["b.md"].Modified.Equal(time.Unix(9, 0)) || !files["a.md"].Modified.Equal(time.Unix(1, 5)) {
		t.Errorf("files %+v, %v", files, err)
	}
	sums()
	apply1(t, x, Change{Removed: []string{"a.md", "b.md", "none.md"}})
	if n, err := x.Count(t.Context()); err != nil || n != 0 || sums() != [4]int64{} || len(found(t, x, "heron stork")) != 0 {
		t.Errorf("%d files, %v, or sums or hits, are left", n, err)
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "configure configures weather погода"), entry(t, "b.md", "weather leather whether")}})
	for word, want := range map[string]string{
		"confgure": "configure", "configrues": "configures", "weather": "", "wether": "weather", "погодо": "погода",
		"abc": "", "zebra": "", "c0nfigure": "", "": "",
	} {
		if got, err := x.Repair(t.Context(), []string{word}); err != nil || strings.Join(got, " ") != want {
			t.Errorf("Repair(%q) = %q, %v, want %q", word, got, err, want)
		}
	}
	words := []string{"weather", "leather", "wether"} // only one of them is unknown
	for i := range maxRepairs {
		words = append(words, "unknown"+string(rune('a'+i)))
	}
	for want, all := range map[string][]string{"configure": append(words[:maxRepairs+2:maxRepairs+2], "confgure")[3:], "weather": append(words, "confgure")} {
		if got, err := x.Repair(t.Context(), all); err != nil || strings.Join(got, " ") != want {
			t.Errorf("Repair(%q) = %q, %v, want %q", all, got, err, want)
		}
	}
}

// A question of thousands of terms is searched for by the rarest; the memory for it does
// not grow with its length.
func TestSearchBoundsItsTerms(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	var bodies, terms []string
	for i := range 10 * maxUsed {
		terms = append(terms, fmt.Sprintf("term%04d", i))
		bodies = append(bodies, strings.Join(terms, " "))
	}
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", bodies...)}})
	tx, err := x.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	used, err := frequencies(t.Context(), tx, terms)
	if err != nil || len(used) != maxUsed || used[0].term != terms[len(terms)-1] || used[maxUsed-1].pieces != maxUsed {
		t.Errorf("%d terms are used, %v, want the %d rarest: %v", len(used), err, maxUsed, used)
	}
	used, err = frequencies(t.Context(), tx, terms[:maxUsed])
	if err != nil || len(used) != maxUsed {
		t.Errorf("%d of %d terms are used, %v, want all", len(used), maxUsed, err)
	}
}

// The most common terms are not looked up once the others have cost enough.
func TestSearchLeavesOutWhatIsTooCommon(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	var bodies []string
	for i := range maxPostings/500 + 1 {
		bodies = append(bodies, strings.Repeat("common ", 500)+fmt.Sprintf("rare%d", i%100))
	}
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", bodies...)}})
	if got := found(t, x, "common rare7"); len(got) == 0 || len(got) > 10 || !strings.HasSuffix(got[0], "rare7") {
		t.Errorf("found %d pieces, want those with the rare word", len(got))
	}
	if got := found(t, x, "common"); len(got) != 100 {
		t.Errorf("found %d pieces by the common word alone, want the limit", len(got))
	}
}

// Only the user may read the index.
func TestOpenRestrictsAccess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("permissions are not those of Unix")
	}
	dir := filepath.Join(t.TempDir(), "folders", "key")
	x := open(t, Options{Dir: dir})
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "heron")}})
	unlock, err := x.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	for _, at := range []string{dir, filepath.Join(dir, fileName), filepath.Join(dir, fileName+"-wal"), filepath.Join(dir, lockName)} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", at, info.Mode(), err)
		}
	}
}

// Many processes may create an index at once.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			x, err := Open(t.Context(), Options{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			e, err := Prepare(t.Context(), File{Path: "same.md"}, []Part{{Text: "heron", Chunks: []evidence.Chunk{{End: 5, Text: "heron"}}}})
			if err = errors.Join(err, x.Apply(t.Context(), Change{Put: []*Entry{e}}), x.Close()); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	group.Wait()
	if got := found(t, open(t, Options{Dir: dir}), "heron"); len(got) != 1 {
		t.Errorf("found %q, want one", got)
	}
}

// Another process waits for the lock as long as its context allows.
func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(t, Options{Dir: dir}), open(t, Options{Dir: dir})
	unlock, err := a.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Lock(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock of a locked index: %v, want the end of the context", err)
	}
	unlock()
	unlock, err = b.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRemoveUnused(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for name, age := range map[string]time.Duration{"old": 40 * 24 * time.Hour, "new": time.Hour} {
		x := open(t, Options{Dir: filepath.Join(parent, name)})
		unlock, err := x.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		at := time.Now().Add(-age)
		if err := errors.Join(x.Close(), os.Chtimes(filepath.Join(parent, name, lockName), at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	RemoveUnused(filepath.Join(parent, "own"), time.Now().Add(-30*24*time.Hour))
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 2 || left[0].Name() != "new" || left[1].Name() != "other" {
		t.Errorf("left %v, %v, want the new index and what is none", left, err)
	}
}

// An index of another version is empty, also for a process that has it open; one of
// another layout is replaced. Neither is worth a message.
func TestOpenOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := open(t, Options{Dir: dir, Version: "1"})
	apply1(t, old, Change{Put: []*Entry{entry(t, "a.md", "heron")}})
	same := open(t, Options{Dir: dir, Version: "1"})
	if got := found(t, same, "heron"); len(got) != 1 {
		t.Errorf("the same version found %q, want one", got)
	}
	x := open(t, Options{Dir: dir, Version: "2"})
	if got := append(found(t, x, "heron"), found(t, old, "heron")...); len(got) != 0 || x.Replaced() != "" {
		t.Errorf("found %q, %q, want an empty index", got, x.Replaced())
	}
	apply1(t, x, Change{Put: []*Entry{entry(t, "b.md", "heron")}})
	if got := found(t, old, "heron"); len(got) != 1 {
		t.Errorf("a process that had it open found %q, want one", got)
	}
	_, err := old.Lock(t.Context())
	if wrote := old.Apply(t.Context(), Change{Put: []*Entry{entry(t, "old.md", "heron")}}); !errors.Is(wrote, ErrVersion) || !errors.Is(err, ErrVersion) {
		t.Errorf("an update by the old version: %v, %v, want it refused", err, wrote)
	}
	if unlock, err := x.Lock(t.Context()); err != nil || len(found(t, x, "heron")) != 1 {
		t.Errorf("after the old version: %v, or its file is in the index", err)
	} else {
		unlock()
	}
	if _, err := x.write.ExecContext(t.Context(), "PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(x.Close(), old.Close(), same.Close()); err != nil {
		t.Fatal(err)
	}
	x = open(t, Options{Dir: dir, Version: "2"})
	if got := found(t, x, "heron"); len(got) != 0 || x.Replaced() != "" {
		t.Errorf("found %q in another layout, %q, want an empty index", got, x.Replaced())
	}
}

// Methods end with their context.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, search := x.Search(ctx, []string{"heron"}, 5)
	_, prepare := Prepare(ctx, File{Path: "a"}, []Part{{Text: "heron"}})
	_, files := x.Files(ctx)
	_, repair := x.Repair(ctx, []string{"herron"})
	for name, err := range map[string]error{"Search": search, "Prepare": prepare, "Files": files, "Repair": repair, "Apply": x.Apply(ctx, Change{Removed: []string{"a"}})} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the end of its context", name, err)
		}
	}
}
