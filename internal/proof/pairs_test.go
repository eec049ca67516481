package proof

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
)

//go:embed testdata/pairs.txt
var pairList string

// statementPair is a passage with a sentence, and whether that follows from it.
type statementPair struct {
	passage, kind, sentence string
	faithful                bool
}

func readPairs(t *testing.T) []statementPair {
	t.Helper()
	var out []statementPair
	passage := ""
	for line := range strings.Lines(pairList) {
		mark, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch mark {
		case "=":
			passage = rest
		case "+":
			out = append(out, statementPair{passage, "faithful", rest, true})
		case "-":
			kind, sentence, ok := strings.Cut(rest, ": ")
			if !ok {
				t.Fatalf("%q has no kind", line)
			}
			out = append(out, statementPair{passage, kind, sentence, false})
		}
	}
	return out
}

func verdictOf(t *testing.T, p statementPair, encoder models.Embedder) Result {
	t.Helper()
	d := evidence.Document{Title: "Notes", Text: p.passage}
	e := evidence.Evidence{Document: d, Passage: evidence.Passage{End: len(p.passage), Text: p.passage}}
	return New([]evidence.Evidence{e}, encoder).Check(t.Context(), p.sentence, []int{0})
}

// Sentences that differ from their passage are dropped, and those that follow from
// it stay. The bounds are those that the rules reach; some sentences of the list
// are beyond them.
func TestPairs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                       string
		encoder                    models.Embedder
		supported, dropped         float64 // of the false sentences: at most, at least
		faithful, faithfulAndClear float64 // of the true ones: not dropped, supported; at least
	}{
		{"encoder", minilm.New(96), 0.045, 0.9, 0.95, 0.72},
		{"words alone", nil, 0.04, 0.85, 0.6, 0.4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.encoder != nil && !minilm.Available() {
				t.Skip("this processor does not run the encoder")
			}
			count := map[string]float64{}
			for _, p := range readPairs(t) {
				r := verdictOf(t, p, c.encoder)
				group := "false"
				if p.faithful {
					group = "true"
				}
				count[group]++
				count[group+" "+r.Verdict]++
				if p.faithful != (r.Verdict != evidence.Unsupported) || !p.faithful && r.Verdict != evidence.Unsupported {
					t.Logf("%s: %q is %s (%s)", p.kind, p.sentence, r.Verdict, r.Why)
				}
			}
			t.Logf("%v", count)
			supported, dropped := count["false supported"]/count["false"], count["false unsupported"]/count["false"]
			kept, clear := 1-count["true unsupported"]/count["true"], count["true supported"]/count["true"]
			if supported > c.supported || dropped < c.dropped || kept < c.faithful || clear < c.faithfulAndClear {
				t.Errorf("false: %.2f supported, %.2f dropped; true: %.2f kept, %.2f supported", supported, dropped, kept, clear)
			}
		})
	}
}

// Whatever a model or a page writes is judged without a panic, in bounded time.
func FuzzCheck(f *testing.F) {
	for _, s := range [][2]string{
		{"The old gate is 3 × 10⁵ mm wide, but it's said to be 2.5e3 m.", "The new gate isn't 300 m wide."},
		{"Only B may (c) do so before 1 May 2020; unlike A, B took 5m0s.", "A took priority over B after 2020-05-01."},
		{"", "’s and or but not"}, {"a\n\n- b: `c_d` --e", "\xff 1,000,000"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, passage, claim string) {
		d := evidence.Document{Title: "T", Text: passage}
		e := evidence.Evidence{Document: d, Passage: evidence.Passage{End: len(passage), Text: passage}}
		r := New([]evidence.Evidence{e}, nil).Check(t.Context(), claim, []int{0})
		for _, p := range r.Proofs {
			if p.Span.Start < 0 || p.Span.Start >= p.Span.End || p.Span.End > len(passage) {
				t.Fatalf("Check(%q) in %q: span %v", claim, passage, p.Span)
			}
			if whole, _ := Whole(passage, p.Span); whole.Start != p.Span.Start || whole.End < p.Span.End || whole.End > len(passage) {
				t.Fatalf("Whole(%v) = %v", p.Span, whole)
			}
		}
		if r.Verdict != evidence.Supported && r.Why == "" || r.Verdict != evidence.Unsupported && len(r.Proofs) == 0 {
			t.Fatalf("Check(%q) in %q is %s without a reason or a proof", claim, passage, r.Verdict)
		}
	})
}
