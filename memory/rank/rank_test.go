package rank

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVocabulary(t *testing.T) {
	t.Parallel()
	voc := NewVocabulary()
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
		if diff := cmp.Diff(want, voc.Stems(in)); diff != "" {
			t.Errorf("Stems(%q) (-want +got):\n%s", in, diff)
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
		if got := WithoutTitle(c.terms, c.other); got != c.want {
			t.Errorf("WithoutTitle(%q, %q) = %q, want %q", c.terms, c.other, got, c.want)
		}
	}
}

func TestFuse(t *testing.T) {
	t.Parallel()
	v := []float32{1}
	half := shares{words: 0.5, vectors: 0.5}
	for _, c := range []struct {
		name  string
		cands []Candidate
		w     shares
		want  []float64
	}{
		{"words alone", []Candidate{{Words: 4}, {Words: 2}}, shares{words: 1}, []float64{1, 0.5}},
		{"both scaled", []Candidate{{Words: 4, Cos: 0.1, Vector: v}, {Words: 0, Cos: 0.5, Vector: v}}, half, []float64{0.5, 0.5}},
		{"without a vector the words decide", []Candidate{{Words: 4}, {Words: 2, Cos: 0.9, Vector: v}, {Words: 1, Cos: 0.1, Vector: v}}, half, []float64{1, 0.75, 0.125}},
		{"nothing in common", []Candidate{{}, {}}, shares{words: 1}, []float64{0, 0}},
	} {
		fuse(c.cands, c.w, 200)
		for i, want := range c.want {
			if got := c.cands[i].Score; got < want-1e-9 || got > want+1e-9 {
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
		var cands []Candidate
		for i := range n {
			x := float64(n - i)
			c := Candidate{ID: int64(i), Words: x, Grams: x / n, Cos: 0.2 + 0.3*x/n}
			if (i*5)%n >= without { // spread over the ranks
				c.Vector = v
			} else {
				c.Cos = 0
			}
			cands = append(cands, c)
		}
		fuse(cands, w, 200)
		for i := 1; i < n; i++ {
			if cands[i].Score >= cands[i-1].Score {
				t.Errorf("%d of %d without a vector: candidate %d has %.3f, the better one before it %.3f", without, n, i, cands[i].Score, cands[i-1].Score)
			}
		}
	}
}

// What the vectors alone have found says nothing about what words let expect: a chunk
// without a vector must not gain by it.
func TestFuseExpectsNothingOfWhatVectorsFound(t *testing.T) {
	t.Parallel()
	v := []float32{1}
	cands := []Candidate{{Words: 2}, {Words: 4, Cos: 0.5, Vector: v}}
	for range 50 {
		cands = append(cands, Candidate{Cos: 0.7, Vector: v})
	}
	fuse(cands, shares{words: 0.6, vectors: 0.4, trained: true}, 200)
	if got, best := cands[0].Score, cands[1].Score; got >= best || got > 0.55 {
		t.Errorf("half of the words and no vector: %.3f; all words and a good vector: %.3f", got, best)
	}
}

func TestGramsMatchPartsOfWords(t *testing.T) {
	t.Parallel()
	if got := gramsOf(nil, "ab"); len(got) != 3 { // <ab, ab>, <ab>
		t.Errorf("gramsOf(ab) = %d grams, want 3", len(got))
	}
	table := newGramTable(1, make([]uint16, gramBuckets), 1)
	cands := []Candidate{{Surface: "Immunodeficiency"}, {Surface: "immunodeficient"}, {Surface: "bread"}}
	table.Score(cands, "immunodeficiency")
	if a, b, c := cands[0].Grams, cands[1].Grams, cands[2].Grams; a < 0.999 || b < 0.5 || b >= a || c > 0.2 {
		t.Errorf("grams = %v, %v, %v", a, b, c)
	}
}

// The counter divides texts as surfaceWords does, ASCII and other scripts alike.
func TestWordCounterCountsSurfaceWords(t *testing.T) {
	t.Parallel()
	c := newWordCounter()
	for _, s := range []string{"", " ", "one", "one two, one", "(a)b-c_d 3.5", "naïve Zoë's naive", "end日本 語x y", "x\x00y", "a\xffb c", "Über uber ÜBER", "word."} {
		want, got := map[string]int{}, map[string]int{}
		for _, w := range surfaceWords(s) {
			want[w]++
		}
		for _, w := range c.count(s) {
			got[w.text] += w.times
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("count(%q) (-want +got):\n%s", s, diff)
		}
	}
}

func TestScoreWordsKnowsTermsAndLengths(t *testing.T) {
	t.Parallel()
	s, err := NewTermStats([]string{"on", "two"}, 10, 20, func(string) (int64, error) { return 2, nil })
	if err != nil {
		t.Fatal(err)
	}
	for terms, want := range map[string]bool{"": false, "on": true, "other two": true, "no ont tw": false, "twotwo": false} {
		if got := s.In(terms); got != want {
			t.Errorf("In(%q) = %v, want %v", terms, got, want)
		}
	}
	cands := []Candidate{{Terms: "on two"}, {Terms: "on three"}, {Terms: "on  three four five"}, {Terms: "three"}}
	ScoreWords(cands, s)
	if a, b, c, d := cands[0].Words, cands[1].Words, cands[2].Words, cands[3].Words; a <= b || b <= c || c <= d || d != 0 {
		t.Errorf("Words = %v, %v, %v, %v, want them falling to 0", a, b, c, d)
	}
}
