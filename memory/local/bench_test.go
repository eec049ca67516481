package local

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const benchDims, benchChunks = 384, 20 // chunks of a document

// benchSizes are chunks; MEMORY_BENCH=100k adds the large one.
func benchSizes() []int {
	sizes := []int{1000, 10_000}
	if os.Getenv("MEMORY_BENCH") == "100k" {
		sizes = append(sizes, 100_000)
	}
	return sizes
}

const benchTopics, benchThemes = 40, 2000

// benchWords draws words with the frequencies of a natural language, and vectors like
// those of an encoder: around themes, which lie around topics. Two vectors of a theme have
// a cosine of about 0.6, two of a topic 0.2.
type benchWords struct {
	r      *rand.Rand
	zipf   *rand.Zipf
	themes [][]float32
}

func newBenchWords(seed uint64) *benchWords {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &benchWords{r: r, zipf: rand.NewZipf(r, 1.1, 4, 50_000)}
	of := rand.New(rand.NewPCG(1, 12)) // the same themes whatever the seed
	var topics [][]float32
	for range benchTopics {
		topics = append(topics, direction(of))
	}
	for i := range benchThemes {
		theme := direction(of)
		for j, x := range topics[i%benchTopics] {
			theme[j] = 0.8*theme[j] + 0.5*x
		}
		w.themes = append(w.themes, theme)
	}
	return w
}

func direction(r *rand.Rand) []float32 {
	v := make([]float32, benchDims)
	for i := range v {
		v[i] = float32(r.NormFloat64() / math.Sqrt(benchDims))
	}
	return v
}

func (w *benchWords) text(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "w%d ", w.zipf.Uint64())
	}
	return b.String()
}

func (w *benchWords) vector() []float32 {
	v := direction(w.r)
	theme := w.themes[w.r.IntN(len(w.themes))]
	for i, x := range theme {
		v[i] = 0.8*v[i] + x
	}
	return v
}

func benchModel() evidence.Model {
	return evidence.Model{Name: "bench", Revision: "1", Dims: benchDims, Kind: evidence.KindTransformer}
}

func (w *benchWords) doc(i int) (evidence.Document, evidence.Chunks) {
	c := evidence.Chunks{Model: benchModel()}
	var b strings.Builder
	for range benchChunks {
		start := b.Len()
		b.WriteString(w.text(60))
		c.Items = append(c.Items, evidence.Chunk{Start: start, End: b.Len(), Vector: w.vector()})
	}
	return evidence.Document{ID: fmt.Sprintf("d%d", i), Source: "bench", URL: fmt.Sprintf("https://x.test/%d", i), Title: "Bench", Text: b.String()}, c
}

func benchFill(b *testing.B, dir string, chunks int) {
	b.Helper()
	l, err := Open(b.Context(), contract.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	w := newBenchWords(1)
	for i := range chunks / benchChunks {
		d, c := w.doc(i)
		if _, err := l.Put(b.Context(), d, c); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

func (w *benchWords) query(mode string) evidence.RecallQuery {
	return evidence.RecallQuery{Text: w.text(8), Vector: w.vector(), Model: benchModel(), Mode: mode, K: 10}
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
			w := newBenchWords(2)
			for i := 0; b.Loop(); i++ {
				d, c := w.doc(i % 50)
				d.ID = "put" + d.ID
				if _, err := l.Put(b.Context(), d, c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rate, "filled_chunks/s")
		})
		b.Run(fmt.Sprintf("first/%d", n), func(b *testing.B) {
			w := newBenchWords(3)
			var ready time.Duration
			rounds := 0
			for b.Loop() {
				l, err := Open(b.Context(), contract.Config{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := l.Recall(b.Context(), w.query(evidence.ModeHybrid)); err != nil {
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
				w := newBenchWords(4)
				var took []time.Duration
				for b.Loop() {
					q := w.query(mode)
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
