package local

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// A document that was done and is changed while the later ones are gets its vectors, and no
// other one is embedded twice.
func TestReindexComesBackToWhatChanged(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	const docs = 3*batchDocs + 5
	for i := range docs {
		keep(t, l, textDoc(i, fmt.Sprintf("Page %d of the ledger.", i)))
	}
	var embedded []string
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		if slices.Contains(texts, fmt.Sprintf("Page %d of the ledger.", docs-1)) {
			keep(t, l, textDoc(3, "Another page of the ledger."))
		}
		embedded = append(embedded, texts...)
		return nextVectors(texts), nil
	}
	if p, err := l.Reindex(t.Context(), nextModel, embed, nil); err != nil || p.Done != docs {
		t.Fatalf("Reindex = %+v, %v, want %d documents", p, err, docs)
	}
	if q, err := l.MissingVectors(t.Context(), nextModel); err != nil || q.Documents != 0 {
		t.Errorf("without vectors: %+v, %v", q, err)
	}
	slices.Sort(embedded)
	if n := len(embedded); n != docs+1 || len(slices.Compact(embedded)) != n || !slices.Contains(embedded, "Another page of the ledger.") {
		t.Errorf("%d texts were embedded, want %d, each once", n, docs+1)
	}
	if r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: "another page", Vector: []float32{0, 1}, Model: nextModel, K: 1}); err != nil || len(r.Hits) != 1 {
		t.Errorf("Recall = %+v, %v", r.Hits, err)
	}
}
