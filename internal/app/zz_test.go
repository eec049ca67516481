package app

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/embed"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
)

func BenchmarkZZ(b *testing.B) {
	dir := "/tmp/b100b"
	if _, err := os.Stat(dir); err != nil {
		fillLarge(b, dir, 100000)
	}
	e := embed.NewBuiltin()
	m, err := memory.Open(b.Context(), memory.Config{Dir: dir, ActiveModel: e.Model()})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	ask := func(i int, mode string) time.Duration {
		w := newProse(uint64(1000 + i))
		q := "What is the " + w.words(3) + "of the " + w.words(2) + "?"
		v, _ := e.Embed(b.Context(), []string{q})
		at := time.Now()
		r, err := m.Recall(b.Context(), evidence.RecallQuery{Text: q, Vector: v[0], Model: e.Model(), K: 8, Mode: mode})
		if err != nil {
			b.Fatal(err)
		}
		if i < 2 || i == 50 {
			println(r.Index, len(r.Hits), time.Since(at).String())
		}
		return time.Since(at)
	}
	ask(0, "hybrid")
	time.Sleep(3 * time.Second)
	for _, mode := range []string{"hybrid", "bm25", "vector"} {
		b.Run(mode, func(b *testing.B) {
			var took []float64
			i := 1
			for b.Loop() {
				took = append(took, ask(i, mode).Seconds()*1000)
				i++
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "p50")
			b.ReportMetric(took[0], "min")
		})
	}
}
