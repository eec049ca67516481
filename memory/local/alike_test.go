package local

import (
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// A lexical embedder gives every long text some similarity to every question.
func TestRecallListsNothingThatHasNoWordOfTheQuestion(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	bodies := map[string]string{
		"scheduler": "The scheduler multiplexes goroutines onto threads and steals work from the queues of other processors.",
		"sources":   "The receiver limits how many sources are asked at once, and each request is sent within its budget.",
		"bread":     "Sourdough rises by wild yeast. The dough is folded, proofed and baked in a steaming oven.",
	}
	near := evidence.Model{Name: "near", Revision: "1", Dims: 2, Kind: evidence.KindLexical} // all vectors are alike
	for id, body := range bodies {
		chunks := evidence.Chunks{Model: near, Items: []evidence.Chunk{{Start: 0, End: len(body), Vector: []float32{1, 0.5}}}}
		if _, err := l.Put(t.Context(), memorytest.Doc(id, body), chunks); err != nil {
			t.Fatal(err)
		}
	}
	for question, want := range map[string]string{
		"gorutine sheduling":              "scheduler", // misspelt
		"recieving form too many surces":  "sources",
		"sourdoughs":                      "bread",
		"xylophone":                       "",
		"the medieval castles of Bohemia": "",
		"how do penguins sleep":           "",
	} {
		r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: question, Vector: []float32{1, 0.4}, Model: near, K: 5})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range r.Hits {
			got = append(got, h.Document.ID)
		}
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("Recall(%q) = %q, want %q", question, got, want)
		}
	}
}
