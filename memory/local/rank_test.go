package local

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func TestVocabulary(t *testing.T) {
	t.Parallel()
	voc := newVocabulary()
	for in, want := range map[string][]string{
		"How does the transformer work?": {"transform", "work"},
		"The Who":                        {"the", "who"}, // there are no other words
		"don't we'll Don Quixote":        {"don", "quixot"},
		"vitamin D in 3.5 mg":            {"vitamin", "d", "3.5", "mg"},
		"O'Brien's whisky":               {"o\u2019brien", "whiski"},
		strings.Repeat("x", 200):         {strings.Repeat("x", maxTerm)},
		" \n":                            {},
		"日本":                             {"日", "本"},
	} {
		if diff := cmp.Diff(want, voc.terms(in)); diff != "" {
			t.Errorf("terms(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func TestWithoutTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ terms, other, want string }{
		{"big titl one two", "big titl three", "one two"},
		{"one two", "three", "one two"},
		{"titl transform", "titl transact", "transform"}, // not within a word
		{"", "a", ""},
	} {
		if got := withoutTitle(c.terms, c.other); got != c.want {
			t.Errorf("withoutTitle(%q, %q) = %q, want %q", c.terms, c.other, got, c.want)
		}
	}
}

func TestFuse(t *testing.T) {
	t.Parallel()
	v := []float32{1}
	half := shares{words: 0.5, vectors: 0.5}
	for _, c := range []struct {
		name  string
		cands []candidate
		w     shares
		want  []float64
	}{
		{"words alone", []candidate{{words: 4}, {words: 2}}, shares{words: 1}, []float64{1, 0.5}},
		{"both scaled", []candidate{{words: 4, cos: 0.1, vector: v}, {words: 0, cos: 0.5, vector: v}}, half, []float64{0.5, 0.5}},
		{"without a vector the words decide", []candidate{{words: 4}, {words: 2, cos: 0.9, vector: v}, {words: 1, cos: 0.1, vector: v}}, half, []float64{1, 0.75, 0.125}},
		{"nothing in common", []candidate{{}, {}}, shares{words: 1}, []float64{0, 0}},
	} {
		fuse(c.cands, c.w, depth)
		for i, want := range c.want {
			if got := c.cands[i].score; got < want-1e-9 || got > want+1e-9 {
				t.Errorf("%s: score %d = %v, want %v", c.name, i, got, want)
			}
		}
	}
}

// The order of chunks does not depend on how many of them have vectors already, as
// long as the vectors agree with the words.
func TestFuseWithoutSomeVectors(t *testing.T) {
	t.Parallel()
	v, w := []float32{1}, shares{words: 0.4, grams: 0.2, vectors: 0.4, trained: true}
	const n = 12
	for without := range n + 1 {
		var cands []candidate
		for i := range n {
			x := float64(n - i)
			c := candidate{id: int64(i), words: x, grams: x / n, cos: 0.2 + 0.3*x/n}
			if (i*5)%n >= without { // spread over the ranks
				c.vector = v
			} else {
				c.cos = 0
			}
			cands = append(cands, c)
		}
		fuse(cands, w, depth)
		for i := 1; i < n; i++ {
			if cands[i].score >= cands[i-1].score {
				t.Errorf("%d of %d without a vector: candidate %d has %.3f, the better one before it %.3f", without, n, i, cands[i].score, cands[i-1].score)
			}
		}
	}
}

// What the vectors alone have found says nothing about what words let expect: a chunk
// without a vector must not gain by it.
func TestFuseExpectsNothingOfWhatVectorsFound(t *testing.T) {
	t.Parallel()
	v := []float32{1}
	cands := []candidate{{words: 2}, {words: 4, cos: 0.5, vector: v}}
	for range 50 {
		cands = append(cands, candidate{cos: 0.7, vector: v})
	}
	fuse(cands, shares{words: 0.6, vectors: 0.4, trained: true}, depth)
	if got, best := cands[0].score, cands[1].score; got >= best || got > 0.55 {
		t.Errorf("half of the words and no vector: %.3f; all words and a good vector: %.3f", got, best)
	}
}

func TestGramsMatchPartsOfWords(t *testing.T) {
	t.Parallel()
	if got := gramsOf(nil, "ab"); len(got) != 3 { // <ab, ab>, <ab>
		t.Errorf("gramsOf(ab) = %d grams, want 3", len(got))
	}
	table := newGramTable(1, make([]uint16, gramBuckets), 1)
	cands := []candidate{{surface: "Immunodeficiency"}, {surface: "immunodeficient"}, {surface: "bread"}}
	table.scoreGrams(cands, "immunodeficiency")
	if a, b, c := cands[0].grams, cands[1].grams, cands[2].grams; a < 0.999 || b < 0.5 || b >= a || c > 0.2 {
		t.Errorf("grams = %v, %v, %v", a, b, c)
	}
}

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

// A query with a word of every chunk reads the postings of the rare words only,
// and still counts the common one.
func TestCommonTermsArePrunedFromTheSearch(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	q, err := l.prepareQuery(evidence.RecallQuery{Text: "common rare", Mode: evidence.ModeBM25})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put(t.Context(), textDoc(1, "common only here"), evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put(t.Context(), textDoc(2, "common with rare"), evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ df, want int64 }{{2, 2}, {matchBudget, 1}} {
		s := &termStats{terms: []string{"rare", "common"}, df: []int64{1, c.df}, weight: map[string]float64{"rare": 2, "common": 1}, chunks: 2, mean: 3}
		err := l.read(t.Context(), "matching", func(tx *sql.Tx) error {
			found, err := l.matching(t.Context(), tx, q, s)
			if int64(len(found)) != c.want {
				t.Errorf("with %d postings of the common word %d chunks match, want %d", c.df, len(found), c.want)
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
