package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/memorytest"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// While the index is loading, recalls read from the file.
func TestWarmingAnswersFromTheFile(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := range 30 {
		body := fmt.Sprintf("Attention number %d.\n\nA second part on transformers, item %d of a long list of things.", i, i*7)
		doc := memorytest.Doc(fmt.Sprint("d", i), body)
		if _, err := l.Put(t.Context(), doc, memorytest.Chunks(body)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(state string, mode string) []string {
		rq := memorytest.Query("transformers item 21 of the list", 5)
		rq.Mode = mode
		var out []string
		err := l.read(t.Context(), "asking", func(tx *sql.Tx) error {
			q, err := l.prepareQuery(rq)
			if err != nil {
				return err
			}
			sem, err := l.semantics(t.Context(), tx, q)
			if err != nil {
				return err
			}
			if state == evidence.IndexWarming {
				sem.state, sem.space = state, nil
			}
			if sem.state != state {
				t.Errorf("the index is %q, want %q", sem.state, state)
			}
			cands, err := l.candidates(t.Context(), tx, q, sem)
			if err != nil {
				return err
			}
			found, err := hits(t.Context(), tx, q, cands)
			for _, h := range found {
				out = append(out, fmt.Sprintf("%s %d %v", h.Document.ID, h.Passage.Start, h.Vector != nil))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// By vectors alone the results are the same; fused, chunks without a
	// common word are found by the index only.
	for mode, same := range map[string]int{evidence.ModeVector: 5, evidence.ModeHybrid: 2} {
		ready, warming := ask(evidence.IndexReady, mode), ask(evidence.IndexWarming, mode)
		if len(ready) != 5 || len(warming) != 5 {
			t.Fatalf("mode %s: %d hits ready, %d warming, want 5", mode, len(ready), len(warming))
		}
		if diff := cmp.Diff(ready[:same], warming[:same]); diff != "" {
			t.Errorf("mode %s, warming (-ready +warming):\n%s", mode, diff)
		}
	}
}

// Misspelt words are found by the lexical vectors also while those of the trained model are
// not loaded, with a filter as without one.
func TestFilterOnLexicalVectorsWhileTheOthersAreNotLoaded(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	lexical := evidence.Model{Name: "lexical", Revision: "1", Dims: 2, Kind: evidence.KindLexical}
	for i := range 4 {
		d := textDoc(i, fmt.Sprintf("Cathedral number%d of stone.", i))
		d.Source = []string{"mine", "other"}[i/3]
		if _, err := l.Put(t.Context(), d, evidence.Chunks{Model: lexical, Items: []evidence.Chunk{{End: len(d.Text), Vector: []float32{1, 0}}}}); err != nil {
			t.Fatal(err)
		}
	}
	embed := func(_ context.Context, texts []string) ([][]float32, error) { return nextVectors(texts), nil }
	if _, err := l.FillVectors(t.Context(), nextModel, embed, nil); err != nil {
		t.Fatal(err)
	}
	row, _, err := findModel(t.Context(), l.rdb, nextModel)
	if err != nil {
		t.Fatal(err)
	}
	failed := &spaceSlot{row: row, loaded: make(chan struct{}), err: errors.New("could not be loaded"), tried: time.Now()}
	close(failed.loaded)
	l.index.mu.Lock()
	l.index.spaces[row.id] = failed
	l.index.mu.Unlock()
	for source, want := range map[string]int{"": 4, "mine": 3, "nobody": 0} {
		q := evidence.RecallQuery{Text: "cathedrall", Source: source, Vector: []float32{0, 1}, Model: nextModel, Lexical: []float32{1, 0}, LexicalModel: lexical}
		r, err := l.Recall(t.Context(), q)
		if err != nil || len(r.Hits) != want {
			t.Errorf("source %q: %d hits, %v, want %d", source, len(r.Hits), err, want)
		}
	}
}

// A query with a word of every chunk reads the postings of the rare words only, and still
// counts the common one. If that finds too few for the hits, the common one is sought too.
func TestCommonTermsArePrunedFromTheSearch(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i, body := range []string{"common only here", "common with rare", "another common with rare"} {
		keep(t, l, textDoc(i, body))
	}
	for _, c := range []struct {
		name string
		df   int64
		k    int
		want int
	}{{"all postings", 3, 1, 3}, {"too many postings", rank.MatchBudget, 1, 2}, {"too many postings, too few hits", rank.MatchBudget, 2, 3}} {
		q, err := l.prepareQuery(evidence.RecallQuery{Text: "common rare", Mode: evidence.ModeBM25, K: c.k})
		if err != nil {
			t.Fatal(err)
		}
		s := &termStats{Terms: []string{"rare", "common"}, DF: []int64{2, c.df}, Weight: map[string]float64{"rare": 2, "common": 1}, Chunks: 3, Mean: 3}
		err = l.read(t.Context(), "matching", func(tx *sql.Tx) error {
			found, err := l.matching(t.Context(), tx, q, s)
			if len(found) != c.want {
				t.Errorf("%s: %d chunks match, want %d", c.name, len(found), c.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadingIndexYieldsForABoundedTime(t *testing.T) {
	t.Parallel()
	ix := &index{}
	if got := ix.yield(t.Context(), loadPatience); got != loadPatience {
		t.Errorf("without recalls %v of patience is left, want all", got)
	}
	done := ix.beginRecall()
	if got := ix.yield(t.Context(), 3); got > 0 {
		t.Errorf("during a recall %v of patience is left, want none", got)
	}
	done()
	if got := ix.yield(t.Context(), loadPatience); got != loadPatience {
		t.Errorf("after the recall %v of patience is left, want all", got)
	}
}

// A memory from which most was removed is sampled by row: hardly any id at an
// even distance exists.
func TestSampleAfterManyRemovals(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := range 100 {
		keep(t, l, textDoc(i, fmt.Sprintf("whales number %d", i)))
	}
	// All ids but the last are close together.
	if _, err := l.wdb.ExecContext(t.Context(), "PRAGMA foreign_keys=0; UPDATE chunk SET id=1000000 WHERE id=(SELECT max(id) FROM chunk)"); err != nil {
		t.Fatal(err)
	}
	err := l.read(t.Context(), "sampling", func(tx *sql.Tx) error {
		found, err := sampleChunks(t.Context(), tx)
		if len(found) != 100 {
			t.Errorf("%d chunks were sampled, want 100", len(found))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestCommonWordsAreSoughtAmongTheNewest: a question of one very common word does not rank
// all chunks.
func TestCommonWordsAreSoughtAmongTheNewest(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := 1; i <= 10; i++ {
		keep(t, l, textDoc(i, "a heron stands"))
	}
	for df, want := range map[int64]int64{1: 0, commonest: 0, 2 * commonest: 5, 10 * commonest: 9} {
		err := l.read(t.Context(), "testing", func(tx *sql.Tx) error {
			got, err := oldestSought(t.Context(), tx, &termStats{Terms: []string{"heron"}, DF: []int64{df}})
			if got != want {
				t.Errorf("%d chunks with the word: from chunk %d on, want %d", df, got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The restriction is one of the words' search itself.
	err := l.read(t.Context(), "testing", func(tx *sql.Tx) error {
		stats, err := l.termStats(t.Context(), tx, []string{"heron"})
		if err != nil {
			return err
		}
		stats.DF[0] = 5 * commonest
		q, err := l.prepareQuery(evidence.RecallQuery{Text: "heron", Mode: evidence.ModeBM25})
		if err != nil {
			return err
		}
		q.depth = 3
		found, err := l.matching(t.Context(), tx, q, stats)
		if err != nil || len(found) != 3 || slices.Min(found) != 8 { // from chunk 8 on
			t.Errorf("found chunks %v, %v", found, err)
		}
		// If the newest have it in fewer chunks than are wanted, the older ones count.
		q.depth = 4
		found, err = l.matching(t.Context(), tx, q, stats)
		if len(found) != 4 {
			t.Errorf("found chunks %v", found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
