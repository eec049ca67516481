package memorytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// CorpusDims are the dimensions of a corpus's vectors, CorpusChunks the chunks of each
	// of its documents.
	CorpusDims   = 384
	CorpusChunks = 20

	corpusTopics, corpusThemes = 40, 2000
)

// Corpus makes documents and questions for measurements: words with the frequencies of a
// natural language, and vectors like those of an encoder. These lie around themes, which
// lie around topics: two of a theme have a cosine of about 0.6, two of a topic 0.2.
type Corpus struct {
	r      *rand.Rand
	zipf   *rand.Zipf
	themes [][]float32
}

// NewCorpus returns a corpus. The themes are the same whatever the seed.
func NewCorpus(seed uint64) *Corpus {
	r := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // no secret
	c := &Corpus{r: r, zipf: rand.NewZipf(r, 1.1, 4, 50_000)}
	of := rand.New(rand.NewPCG(1, 12)) //nolint:gosec // no secret
	var topics [][]float32
	for range corpusTopics {
		topics = append(topics, direction(of))
	}
	for i := range corpusThemes {
		theme := direction(of)
		for j, x := range topics[i%corpusTopics] {
			theme[j] = 0.8*theme[j] + 0.5*x
		}
		c.themes = append(c.themes, theme)
	}
	return c
}

func direction(r *rand.Rand) []float32 {
	v := make([]float32, CorpusDims)
	for i := range v {
		v[i] = float32(r.NormFloat64() / math.Sqrt(CorpusDims))
	}
	return v
}

// Model is the model of the vectors.
func (c *Corpus) Model() evidence.Model {
	return evidence.Model{Name: "bench", Revision: "1", Dims: CorpusDims, Kind: evidence.KindTransformer}
}

// Words returns n words.
func (c *Corpus) Words(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "w%d ", c.zipf.Uint64())
	}
	return b.String()
}

func (c *Corpus) vector() []float32 {
	v := direction(c.r)
	for i, x := range c.themes[c.r.IntN(len(c.themes))] {
		v[i] = 0.8*v[i] + x
	}
	return v
}

// Document returns the next document, with the id di.
func (c *Corpus) Document(i int) (evidence.Document, evidence.Chunks) {
	chunks := evidence.Chunks{Model: c.Model()}
	var b strings.Builder
	for range CorpusChunks {
		start := b.Len()
		b.WriteString(c.Words(60))
		chunks.Items = append(chunks.Items, evidence.Chunk{Start: start, End: b.Len(), Vector: c.vector()})
	}
	return evidence.Document{ID: fmt.Sprintf("d%d", i), Source: "bench", URL: fmt.Sprintf("https://x.test/%d", i), Title: "Bench", Text: b.String()}, chunks
}

// Query returns a question of eight words with a vector, for ten hits.
func (c *Corpus) Query(mode string) evidence.RecallQuery {
	return evidence.RecallQuery{Text: c.Words(8), Vector: c.vector(), Model: c.Model(), Mode: mode, K: 10}
}
