package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func exported(t *testing.T, l *Local) []string {
	t.Helper()
	var b bytes.Buffer
	if _, err := l.Export(t.Context(), &b, contract.ExportOptions{Vectors: true}); err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(b.String(), "\n")
}

// If a line of a batch fails, the lines before it are stored, and the error
// names it.
func TestImportNamesTheLineThatFails(t *testing.T) {
	t.Parallel()
	from := openIn(t, t.TempDir())
	for i := range 9 {
		d := textDoc(i, fmt.Sprintf("Text number %d.", i))
		if _, err := from.Put(t.Context(), d, vectored(d, "m")); err != nil {
			t.Fatal(err)
		}
	}
	lines := exported(t, from) // header, model, documents
	lines[6] = strings.Replace(lines[6], `"model":"m"`, `"model":"nobody"`, 1)
	to := openIn(t, t.TempDir())
	moved, err := to.Import(t.Context(), strings.NewReader(strings.Join(lines, "")), contract.ImportOptions{Strict: true})
	var p *evidence.Problem
	if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, "line 7 ") {
		t.Errorf("Import = %v, want line 7 to be named", err)
	}
	if st, err := to.Stats(t.Context()); err != nil || st.Documents != 4 || moved.Documents != 4 {
		t.Errorf("%d documents are kept, %d said, %v, want 4", st.Documents, moved.Documents, err)
	}
}

// Errors of the disk, of a lock or of the reader are not blamed on the input.
func TestImportBlamesNoLineForOtherErrors(t *testing.T) {
	t.Parallel()
	from := openIn(t, t.TempDir())
	keep(t, from, textDoc(1, "Some text."))
	lines := exported(t, from)
	to := openIn(t, t.TempDir())
	if _, err := to.wdb.ExecContext(t.Context(), "PRAGMA max_page_count=1"); err != nil { // no more pages: a full database
		t.Fatal(err)
	}
	big := textDoc(2, strings.Repeat("Some long text. ", 50_000))
	keep(t, from, big)
	_, err := to.Import(t.Context(), strings.NewReader(strings.Join(exported(t, from), "")), contract.ImportOptions{})
	var p *evidence.Problem
	var se *sqlite.Error
	if !errors.As(err, &p) || p.Usage || !strings.Contains(p.What, "full") || !errors.As(err, &se) {
		t.Errorf("Import into a full file = %v", err)
	}
	_, err = to.Import(t.Context(), io.MultiReader(strings.NewReader(lines[0]), brokenReader{}), contract.ImportOptions{})
	if !errors.As(err, &p) || p.Usage || !strings.Contains(p.What, "cable") {
		t.Errorf("Import from a broken reader = %v", err)
	}
}

// An export that somebody else wrote brings no invisible characters in, and its chunks
// remain the pieces that they were.
func TestImportRemovesInvisibleCharacters(t *testing.T) {
	t.Parallel()
	from := openIn(t, t.TempDir())
	const first, hidden, second = "The bridge\u200b opens\u00ad.\n\n", "\u200b\u2060", "Herons\U000E0041\U000E0042 nest می\u200cخواهم."
	d := textDoc(1, first+hidden+second)
	d.Title, d.Meta = "Bri\u200bdge", map[string]string{"author": "A\u202enna"}
	chunks := evidence.Chunks{Items: []evidence.Chunk{{Start: 0, End: len(first)}, {Start: len(first), End: len(first + hidden)}, {Start: len(first + hidden), End: len(first + hidden + second)}}}
	if _, err := from.Put(t.Context(), d, chunks); err != nil {
		t.Fatal(err)
	}
	to := openIn(t, t.TempDir())
	moved, err := to.Import(t.Context(), strings.NewReader(strings.Join(exported(t, from), "")), contract.ImportOptions{})
	if err != nil || moved.Documents != 1 || moved.Chunks != 2 || len(moved.Warnings) != 1 || !strings.Contains(moved.Warnings[0], "from 1 document") {
		t.Fatalf("Import = %+v, %v", moved, err)
	}
	got, _, err := to.Document(t.Context(), d.ID)
	if want := "The bridge opens.\n\nHerons nest می\u200cخواهم."; err != nil || got.Text != want || got.Title != "Bridge" || got.Meta["author"] != "Anna" {
		t.Errorf("%+v, %v, want %q", got, err, want)
	}
	res, err := to.Recall(t.Context(), evidence.RecallQuery{Text: "herons nest", K: 1})
	if err != nil || len(res.Hits) != 1 || res.Hits[0].Passage.Text != "Herons nest می\u200cخواهم." {
		t.Errorf("Recall = %+v, %v", res.Hits, err)
	}
	// Once it is clean, it comes through unchanged.
	again := openIn(t, t.TempDir())
	if moved, err := again.Import(t.Context(), strings.NewReader(strings.Join(exported(t, to), "")), contract.ImportOptions{}); err != nil || moved.Documents != 1 || len(moved.Warnings) != 0 {
		t.Errorf("Import again = %+v, %v", moved, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the cable was pulled") }

// Of several concurrent backups to one name, one succeeds and the others are
// refused.
func TestBackupsAtOnceDoNotOverwrite(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	keep(t, l, textDoc(1, "Some text."))
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.db")
	var made, refused int
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			r, err := l.Backup(context.WithoutCancel(t.Context()), path)
			mu.Lock()
			defer mu.Unlock()
			var p *evidence.Problem
			switch {
			case err == nil && r.Documents == 1:
				made++
			case errors.As(err, &p) && p.Usage:
				refused++
			default:
				t.Errorf("Backup = %+v, %v", r, err)
			}
		})
	}
	group.Wait()
	if made != 1 || refused != 3 {
		t.Errorf("%d made, %d refused", made, refused)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("temporaries are left: %q", left)
	}
}

// The files of a killed backup are removed once they are old.
func TestStaleCopiesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{tempPrefix + "old": 2 * time.Hour, tempPrefix + "new": time.Minute, ".backup-theirs": 3 * time.Hour} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name, "copy.db")
		write(t, file, []byte("half"))
		for _, p := range []string{file, filepath.Join(dir, name)} {
			if err := os.Chtimes(p, now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeStaleTemp(dir, now.Add(-staleAfter))
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != ".backup-theirs" || left[1].Name() != tempPrefix+"new" {
		t.Errorf("left are %v, %v", left, err)
	}
}

// The cache of package fetch in the same folder is neither searched nor
// changed, and neither are foreign databases among the backups.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	d := textDoc(1, secret)
	keep(t, l, d)
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, backupDir, "other.db")
	execOn(t, other, "CREATE TABLE doc(uid)")
	cache := filepath.Join(dir, "cache.db")
	execOn(t, cache, "CREATE TABLE page(body)")
	execOn(t, cache, "INSERT INTO page VALUES('"+d.ID+"')")
	write(t, cache+"-wal", []byte(d.ID))
	before := map[string][]byte{}
	for _, p := range []string{other, cache} {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		before[p] = b
	}
	r, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}})
	if err != nil || r.Documents != 1 || len(r.Warnings) > 0 {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if g, err := l.ProveErased(t.Context(), d.ID); err != nil || !g.Gone {
		t.Errorf("Gone = %+v, %v", g, err)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check = %+v, %v", rep, err)
	}
	for p, want := range before {
		if b, err := os.ReadFile(p); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s was changed, %v", p, err)
		}
	}
	if !onlyOurs(dir) {
		t.Error("a folder with the cache counts as foreign")
	}
}

// A damaged backup is reported, and does not keep the erasure pending.
func TestForgetWithADamagedBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, backupDir, "torn.db"), bytes.Repeat([]byte("torn"), 2000))
	r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "damaged") {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	var due int
	if err := l.rdb.QueryRowContext(t.Context(), "SELECT count(*) FROM due").Scan(&due); err != nil || due != 0 {
		t.Errorf("%d removals are due, %v", due, err)
	}
}

// What can still be read of a damaged file is exported, by id where a scan fails;
// what cannot is named.
func TestExportOfADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	const n = 120
	for i := range n {
		keep(t, l, textDoc(i, fmt.Sprintf("Number %d. ", i)+strings.Repeat(fmt.Sprintf("word%d ", i), 300)))
	}
	say(t, l, "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "What of it?"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for _, table := range []string{"doc", "body", "chunk", "vec", "turn"} {
		for _, at := range pagesOf(t, path, table, 3) {
			t.Run(fmt.Sprintf("%s page %d", table, at), func(t *testing.T) {
				dir := t.TempDir()
				b := bytes.Clone(whole)
				clear(b[(at-1)*page : at*page])
				write(t, filepath.Join(dir, fileName), b)
				readable := readableByID(t, filepath.Join(dir, fileName), n)
				l := openIn(t, dir)
				if r, err := l.Check(t.Context()); err == nil && r.OK {
					t.Error("Check does not tell")
				}
				var out bytes.Buffer
				moved, err := l.Export(t.Context(), &out, contract.ExportOptions{Vectors: true})
				if err != nil || moved.Documents < readable {
					t.Errorf("Export = %d documents, %v; SQLite reads %d of %d", moved.Documents, err, readable, n)
				}
				if moved.Documents < n && len(moved.Warnings) == 0 {
					t.Error("nothing is said of what is missing")
				}
				other := openIn(t, t.TempDir())
				if got, err := other.Import(t.Context(), &out, contract.ImportOptions{}); err != nil || got.Documents+got.Failed < readable {
					t.Errorf("Import = %+v, %v", got, err)
				}
			})
		}
	}
}

// pagesOf returns up to most pages of a table, first and last included.
func pagesOf(t *testing.T, path, table string, most int) []int {
	t.Helper()
	db, err := openDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all, err := int64s(t.Context(), db, "SELECT pageno FROM dbstat WHERE name='"+table+"' ORDER BY pageno")
	if err != nil || len(all) == 0 {
		t.Fatalf("pages of %s: %v", table, err)
	}
	out := []int{int(all[0])}
	for i := 1; i < min(most, len(all)); i++ {
		out = append(out, int(all[i*(len(all)-1)/(most-1)]))
	}
	return out
}

// readableByID counts the texts that SQLite itself reads by id.
func readableByID(t *testing.T, path string, n int) int {
	t.Helper()
	db, err := openDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got := 0
	for id := 1; id <= n; id++ {
		var s string
		if db.QueryRowContext(t.Context(), "SELECT b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", id).Scan(&s) == nil && s != "" {
			got++
		}
	}
	return got
}

// A bad line costs itself and nothing else, whatever is bad about it.
func TestImportLeavesBadLinesOut(t *testing.T) {
	t.Parallel()
	from := openIn(t, t.TempDir())
	for i := range 6 {
		keep(t, from, textDoc(i, fmt.Sprintf("Number %d of the herons.", i)))
	}
	lines := exported(t, from)
	for _, c := range []struct {
		name string
		bad  func(string) string
		want string
	}{
		{"a changed letter", func(s string) string { return strings.Replace(s, "herons", "Herons", 1) }, "hash"},
		{"half a line", func(s string) string { return s[:len(s)/2] + "\n" }, "JSON"},
		{"a chunk that covers its neighbours", func(s string) string {
			return strings.Replace(s, `"chunks":[[0,23]]`, `"chunks":[[0,23],[1,23],[2,23]]`, 1)
		}, "overlaps"},
		{"a chunk twice", func(s string) string { return strings.Replace(s, `"chunks":[[0,23]]`, `"chunks":[[0,23],[0,23]]`, 1) }, "chunk 1"},
		{"no record", func(string) string { return `{"evil":1}` + "\n" }, "not a record"},
		{"no id", func(s string) string { return strings.Replace(s, `"id":"`, `"idd":"`, 1) }, "without an id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := slices.Clone(lines)
			if changed[3] = c.bad(changed[3]); changed[3] == lines[3] {
				t.Fatalf("nothing was changed in %s", lines[3])
			}
			to := openIn(t, t.TempDir())
			moved, err := to.Import(t.Context(), strings.NewReader(strings.Join(changed, "")), contract.ImportOptions{})
			if err != nil || moved.Documents != 5 || moved.Failed != 1 || len(moved.Warnings) != 1 || !strings.Contains(moved.Warnings[0], "line 4") || !strings.Contains(moved.Warnings[0], c.want) {
				t.Errorf("Import = %+v, %v", moved, err)
			}
			strict := openIn(t, t.TempDir())
			if moved, err := strict.Import(t.Context(), strings.NewReader(strings.Join(changed, "")), contract.ImportOptions{Strict: true}); err == nil || moved.Documents != 2 {
				t.Errorf("a strict Import = %+v, %v", moved, err)
			}
		})
	}
}

// Check compares texts with their hashes and vectors with their checksums.
func TestCheckFindsChangedBytes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a letter of a text": "UPDATE body SET text=replace(text, 'purple', 'yellow') WHERE doc=2",
		"a title":            "UPDATE doc SET title='Another' WHERE id=2",
		"a bit of a vector":  "UPDATE vec SET v=CAST(substr(v, 1, 40) || x'01' || substr(v, 42) AS BLOB) WHERE doc=2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openIn(t, dir)
			for i := 1; i <= 3; i++ {
				d := textDoc(i, secret+fmt.Sprint(i))
				if _, err := l.Put(t.Context(), d, memorytest.Chunks(d.Text)); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := l.Check(t.Context()); err != nil || !r.OK {
				t.Fatalf("Check before = %+v, %v", r, err)
			}
			execOn(t, filepath.Join(dir, fileName), change)
			r, err := l.Check(t.Context())
			if err != nil || r.OK || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], textDoc(2, "").ID) || !strings.Contains(r.Try, "repair") {
				t.Errorf("Check = %+v, %v", r, err)
			}
		})
	}
}
