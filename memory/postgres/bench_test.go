package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const benchDims, benchChunks, benchThemes = 384, 20, 2000

// benchSize is the chunks of the memory of the benchmarks; POSTGRES_BENCH=100000 is that
// of docs/BENCHMARKS.md.
func benchSize() int {
	if n, err := strconv.Atoi(os.Getenv("POSTGRES_BENCH")); err == nil {
		return n
	}
	return 2000
}

// benchData draws words with the frequencies of a natural language, and vectors in
// clusters of fifty.
type benchData struct {
	r      *rand.Rand
	zipf   *rand.Zipf
	themes [][]float32
}

func newBenchData(seed uint64) *benchData {
	r, of := rand.New(rand.NewPCG(seed, 11)), rand.New(rand.NewPCG(1, 12))
	d := &benchData{r: r, zipf: rand.NewZipf(r, 1.1, 4, 50_000)}
	for range benchThemes {
		d.themes = append(d.themes, direction(of))
	}
	return d
}

func direction(r *rand.Rand) []float32 {
	v := make([]float32, benchDims)
	for i := range v {
		v[i] = float32(r.NormFloat64() / math.Sqrt(benchDims))
	}
	return v
}

func (d *benchData) text(words int) string {
	var b strings.Builder
	for range words {
		fmt.Fprintf(&b, "w%d ", d.zipf.Uint64())
	}
	return b.String()
}

func (d *benchData) vector() []float32 {
	v := direction(d.r)
	for i, x := range d.themes[d.r.IntN(len(d.themes))] {
		v[i] = 0.8*v[i] + x
	}
	return v
}

var benchModel = evidence.Model{Name: "bench", Revision: "1", Dims: benchDims, Kind: evidence.KindTransformer}

func (d *benchData) document(i int) (evidence.Document, evidence.Chunks) {
	doc, chunks := textDoc(i, ""), evidence.Chunks{Model: benchModel}
	doc.Source = fmt.Sprint("source", i%100)
	doc.Retrieved = time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC)
	for range benchChunks {
		piece := d.text(60 + d.r.IntN(60))
		chunks.Items = append(chunks.Items, evidence.Chunk{Start: len(doc.Text), End: len(doc.Text) + len(piece), Vector: d.vector()})
		doc.Text += piece
	}
	return doc, chunks
}

// benchMemory is a memory of so many chunks. It is kept for the next run, which names
// another database than the tests.
func benchMemory(b *testing.B, chunks int) *Memory {
	b.Helper()
	needServer(b)
	schema := fmt.Sprint("bench_", chunks)
	admin(b, "create extension if not exists vector", "create schema if not exists "+schema)
	m, err := Open(b.Context(), contract.Config{URL: with("search_path", schema+",public")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	st, err := m.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	g, ctx := errgroup.WithContext(b.Context())
	const writers = 4
	for w := range writers {
		g.Go(func() error {
			d := newBenchData(uint64(w))
			for i := st.Documents + w; i < chunks/benchChunks; i += writers {
				doc, c := d.document(i)
				if _, err := m.Put(ctx, doc, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	if n := chunks - st.Chunks; n > 0 {
		b.Logf("%d chunks were put by %d writers, %.0f a second", n, writers, float64(n)/time.Since(began).Seconds())
		admin(b, "vacuum analyze")
	}
	return m
}

func BenchmarkPut(b *testing.B) {
	m := benchMemory(b, benchSize())
	d := newBenchData(99)
	n := 0
	for b.Loop() {
		doc, chunks := d.document(1_000_000 + n)
		if _, err := m.Put(b.Context(), doc, chunks); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*benchChunks)/b.Elapsed().Seconds(), "chunks/s")
	if _, err := m.Forget(context.WithoutCancel(b.Context()), contract.Selector{Before: time.Now(), Source: "", IDs: benchIDs(n), Confirm: true}); err != nil {
		b.Fatal(err)
	}
}

func benchIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = textDoc(1_000_000+i, "").ID
	}
	return ids
}

func BenchmarkRecall(b *testing.B) {
	m := benchMemory(b, benchSize())
	for _, c := range []struct {
		name string
		set  func(*evidence.RecallQuery)
	}{
		{"hybrid", func(*evidence.RecallQuery) {}},
		{"bm25", func(q *evidence.RecallQuery) { q.Mode = evidence.ModeBM25 }},
		{"vector", func(q *evidence.RecallQuery) { q.Mode = evidence.ModeVector }},
		{"hybrid of one source", func(q *evidence.RecallQuery) { q.Source = "source7" }},
		{"hybrid of the last tenth", func(q *evidence.RecallQuery) {
			q.Since = time.Date(2026, 1, 1, 0, benchSize()/benchChunks*9/10, 0, 0, time.UTC)
		}},
		{"hybrid of the last 40 %", func(q *evidence.RecallQuery) {
			q.Since = time.Date(2026, 1, 1, 0, benchSize()/benchChunks*6/10, 0, 0, time.UTC)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newBenchData(7)
			ask := func() time.Duration {
				q := evidence.RecallQuery{Text: d.text(6), Vector: d.vector(), Model: benchModel, K: 10}
				c.set(&q)
				began := time.Now()
				if _, err := m.Recall(b.Context(), q); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			for range 20 {
				ask()
			}
			var took []time.Duration
			for b.Loop() {
				took = append(took, ask())
			}
			slices.SortFunc(took, cmp.Compare)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
