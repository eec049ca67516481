package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// benchSizes are chunks; MEMORY_BENCH=100k adds the large one.
func benchSizes() []int {
	sizes := []int{1000, 10_000}
	if os.Getenv("MEMORY_BENCH") == "100k" {
		sizes = append(sizes, 100_000)
	}
	return sizes
}

func benchFill(b *testing.B, dir string, chunks int) {
	b.Helper()
	l, err := Open(b.Context(), contract.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	w := memorytest.NewCorpus(1)
	for i := range chunks / memorytest.CorpusChunks {
		d, c := w.Document(i)
		if _, err := l.Put(b.Context(), d, c); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMemory reports chunks put a second, milliseconds from open to the
// first recall and to a loaded index, and the median and 95th percentile of recalls.
func BenchmarkMemory(b *testing.B) {
	for _, n := range benchSizes() {
		dir := b.TempDir()
		start := time.Now()
		benchFill(b, dir, n)
		rate := float64(n) / time.Since(start).Seconds()
		b.Run(fmt.Sprintf("put/%d", n), func(b *testing.B) { // on top of n chunks
			l := benchOpen(b, dir)
			w := memorytest.NewCorpus(2)
			for i := 0; b.Loop(); i++ {
				d, c := w.Document(i % 50)
				d.ID = "put" + d.ID
				if _, err := l.Put(b.Context(), d, c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rate, "filled_chunks/s")
		})
		b.Run(fmt.Sprintf("first/%d", n), func(b *testing.B) {
			w := memorytest.NewCorpus(3)
			var ready time.Duration
			rounds := 0
			for b.Loop() {
				l, err := Open(b.Context(), contract.Config{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := l.Recall(b.Context(), w.Query(evidence.ModeHybrid)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				ready += benchReady(b, l)
				rounds++
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(ready.Milliseconds())/float64(rounds), "ms_later_index_is_ready")
		})
		for _, mode := range []string{evidence.ModeBM25, evidence.ModeHybrid, evidence.ModeVector} {
			b.Run(fmt.Sprintf("recall/%s/%d", mode, n), func(b *testing.B) {
				l := benchOpen(b, dir)
				benchReady(b, l)
				w := memorytest.NewCorpus(4)
				var took []time.Duration
				for b.Loop() {
					q := w.Query(mode)
					at := time.Now()
					if _, err := l.Recall(b.Context(), q); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(at))
				}
				slices.Sort(took)
				b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50_ms")
				b.ReportMetric(took[len(took)*95/100].Seconds()*1000, "p95_ms")
			})
		}
	}
}

func benchOpen(b *testing.B, dir string) *Local {
	b.Helper()
	l, err := Open(context.WithoutCancel(b.Context()), contract.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l
}

// benchReady waits for the index and returns how long that took.
func benchReady(b *testing.B, l *Local) time.Duration {
	b.Helper()
	at := time.Now()
	row, ok, err := activeModel(b.Context(), l.rdb)
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	<-l.index.request(row).loaded
	return time.Since(at)
}
