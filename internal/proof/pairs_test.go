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
		{"encoder", minilm.New(96), 0.02, 0.9, 0.9, 0.7},
		{"words alone", nil, 0.02, 0.85, 0.5, 0.3},
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
