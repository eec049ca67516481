package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// unembedded returns a folder with a closed memory of n documents of 2 chunks, without
// vectors.
func unembedded(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		d := textDoc(i, fmt.Sprintf("Number %d. ", i)+strings.Repeat(fmt.Sprintf("heron%d ", i), 900))
		half := len(d.Text) / 2
		if _, err := l.Put(t.Context(), d, evidence.Chunks{Items: []evidence.Chunk{{End: half}, {Start: half, End: len(d.Text)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// embedders are the two ways to give a memory vectors.
func embedders(l *Local) map[string]func(context.Context) (contract.Progress, error) {
	embed := func(_ context.Context, texts []string) ([][]float32, error) { return nextVectors(texts), nil }
	return map[string]func(context.Context) (contract.Progress, error){
		"FillVectors": func(ctx context.Context) (contract.Progress, error) { return l.FillVectors(ctx, nextModel, embed, nil) },
		"Reindex":     func(ctx context.Context) (contract.Progress, error) { return l.Reindex(ctx, nextModel, embed, nil) },
	}
}

// A damaged document costs no other its vectors, and is named.
func TestVectorsBesideADamagedDocument(t *testing.T) {
	t.Parallel()
	const n = 40
	for name, damage := range map[string]string{
		"offsets beyond the text": "UPDATE chunk SET stop=stop+99999 WHERE doc=7",
		"offsets backwards":       "UPDATE chunk SET start=40, stop=20 WHERE doc=7",
		"no text":                 "DELETE FROM body WHERE doc=7",
		"two of them":             "UPDATE chunk SET stop=stop+99999 WHERE doc IN (7, 39)",
	} {
		for _, way := range []string{"FillVectors", "Reindex"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				dir := unembedded(t, n)
				execOn(t, filepath.Join(dir, fileName), "PRAGMA foreign_keys=0; "+damage)
				l := openIn(t, dir)
				var bad []string
				for _, i := range []int{7, 39} {
					if i == 7 || strings.Contains(damage, "39") {
						uid, err := stringsOf(t.Context(), l.rdb, "SELECT uid FROM doc WHERE id=?", i)
						if err != nil || len(uid) != 1 {
							t.Fatal(uid, err)
						}
						bad = append(bad, uid[0])
					}
				}
				p, err := embedders(l)[way](t.Context())
				slices.Sort(p.Unreadable)
				slices.Sort(bad)
				if err != nil || p.Done != n-len(bad) || p.Skipped != len(bad) || !slices.Equal(p.Unreadable, bad) {
					t.Errorf("%s = %+v, %v, want %d documents and %q named", way, p, err, n-len(bad), bad)
				}
				if st, err := l.Stats(t.Context()); way == "Reindex" && (err != nil || st.Embedder != "next@1" || st.Reindex != nil) {
					t.Errorf("Stats = %+v, %v: the model is not in use", st, err)
				}
			})
		}
	}
}

const damagePage = 4096

// Whichever page of the file is damaged, it ends, and what SQLite can read and write
// gets its vectors.
func TestVectorsBesideADamagedPage(t *testing.T) {
	t.Parallel()
	const n, tries = 40, 12
	dir := unembedded(t, n)
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	refused, whole := 0, 0
	for try := range tries {
		page := 1 + r.IntN(len(file)/damagePage-1)
		broken := slices.Clone(file)
		clear(broken[page*damagePage : (page+1)*damagePage])
		for _, way := range []string{"FillVectors", "Reindex"} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, fileName), broken)
			l, err := Open(t.Context(), contract.Config{Dir: dir})
			if err != nil {
				refused++
				continue
			}
			p, err := embedders(l)[way](t.Context())
			switch {
			case err != nil && !isDamaged(err):
				t.Errorf("try %d, page %d: %s = %v", try, page, way, err)
			case err != nil:
				refused++ // a table that all documents share
			case p.Done+p.Skipped < n:
				t.Errorf("try %d, page %d: %s = %+v: of %d documents some are not mentioned", try, page, way, p, n)
			default:
				whole++
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d pages: %d runs gave what can be read its vectors, %d refused the file", tries, whole, refused)
	if whole < tries {
		t.Errorf("only %d of %d runs went on", whole, 2*tries)
	}
}

// Where the table of documents is damaged and gone through one id after the other, what
// changes or comes meanwhile gets its vectors too, and what can get none ends it.
func TestVectorsOfWhatChangesBesideDamage(t *testing.T) {
	t.Parallel()
	const n, bad = 3*batchDocs - 5, 7
	for _, way := range []string{"FillVectors", "Reindex"} {
		l := openIn(t, t.TempDir())
		putMany(t, l, n)
		execOn(t, l.path, fmt.Sprintf("UPDATE chunk SET stop=stop+99999 WHERE doc=%d", bad))
		row, err := l.wantModel(t.Context(), nextModel)
		if err != nil {
			t.Fatal(err)
		}
		p := contract.Progress{}
		e := newEmbedding(&p)
		e.scanned, e.seq = true, -1 // as damage leaves it
		made := map[string]int{}
		embed := func(_ context.Context, texts []string) ([][]float32, error) {
			for _, text := range texts {
				made[text]++
			}
			// Each is put once: one of this batch, a later one, a new one, and one that was looked at.
			keep(t, l, textDoc(n-1, "Another page of the ledger."))
			keep(t, l, textDoc(20, "Another page of the ledger."))
			keep(t, l, textDoc(n, "A new page of the ledger."))
			if len(made) > n/2 {
				keep(t, l, textDoc(n-2, "A third page of the ledger."))
			}
			return nextVectors(texts), nil
		}
		if way == "FillVectors" {
			err = l.fillAll(t.Context(), row, e, embed, func(contract.Progress) {})
		} else {
			err = l.reindexAll(t.Context(), row, e, embed, func(contract.Progress) {})
		}
		if err != nil || p.Done != n || p.Total != n+1 || p.Skipped != 1 || len(p.Unreadable) != 1 {
			t.Errorf("%s = %+v, %v, want %d documents and one skipped", way, p, err, n)
		}
		if q, err := l.MissingVectors(t.Context(), nextModel); err != nil || q.Documents != 1 {
			t.Errorf("%s: %+v, %v are missing, want one document", way, q, err)
		}
		for text, times := range made {
			if times > 1 && !strings.Contains(text, "Another page") {
				t.Errorf("%s: %q was embedded %d times", way, text, times)
			}
		}
	}
}
