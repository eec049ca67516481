package builtin

import (
	"context"
	"math"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	builtinName = "hashed-ngram"
	// builtinRevision changes whenever the same text would get another vector, so
	// that vectors stored by an older binary are never compared with new ones.
	builtinRevision = "1"
	builtinDims     = 384
)

// Embedder hashes the character n-grams and the stems of words. It knows the
// spelling of words and not their meaning: "transformers" is near "transformer",
// "colour" near "color", "car" far from "automobile". Its Kind is
// evidence.KindLexical, so that BM25 gets most of the weight where both are used.
type Embedder struct {
	words wordVectors
}

// wordVectors assigns a direction to each word. A trained table could replace the
// hashing; the model would then need another name or revision.
type wordVectors interface {
	dims() int
	// add adds the direction of the word to v, weight long.
	add(v []float32, word, stem string, weight float32)
}

// NewEmbedder returns the built-in embedder. Creating one is cheap.
func NewEmbedder() *Embedder { return &Embedder{words: hashed{}} }

// Model identifies the vector space.
func (b *Embedder) Model() evidence.Model {
	return evidence.Model{Name: builtinName, Revision: builtinRevision, Dims: b.words.dims(), Kind: evidence.KindLexical}
}

// Embed fails only when ctx ends. All texts without a word have the same vector,
// which is far from any other.
func (b *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for _, s := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, b.vector(s))
	}
	return out, nil
}

func (b *Embedder) vector(s string) []float32 {
	v := make([]float32, b.words.dims())
	for _, w := range countWords(s) {
		// The tenth occurrence of a word adds little to the third.
		word, term := strings.Trim(w.Word, ".+#"), strings.Trim(w.Term, ".+#") // C++ is as it was in stored vectors
		b.words.add(v, word, term, float32(1+math.Log(float64(w.n))))
	}
	if !models.Normalize(v) {
		scatter(v, hash("without words"), 1)
		models.Normalize(v)
	}
	return v
}

type wordCount struct {
	text.Token
	n int
}

// countWords returns the distinct words of s in order of appearance: without stop
// words, unless there are only those ("The Who").
func countWords(s string) []wordCount {
	tokens := text.Tokenize(s)
	var out []wordCount
	for _, stops := range []bool{false, true} {
		seen := make(map[string]int, len(tokens))
		for _, t := range tokens {
			if t.Stop && !stops {
				continue
			}
			i, ok := seen[t.Word]
			if !ok {
				i = len(out)
				seen[t.Word] = i
				out = append(out, wordCount{Token: t})
			}
			out[i].n++
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// hashed adds a word's character n-grams and its stem to components with a sign,
// so that collisions cancel out on average instead of adding up.
type hashed struct{}

const (
	shortestGram = 3
	longestGram  = 5
	// stemWeight is the weight of a stem relative to an n-gram of a short word: enough
	// to separate "form" from "transform", not so much that a typing error is fatal.
	// Chosen on retrieval sets, where any value from 1 to 2 does as well.
	stemWeight = 1.5
	// gramDamping reduces the weight of words with many n-grams. With 1 a long word
	// would weigh as much as a short one, but long words are more specific.
	gramDamping = 0.3
)

func (hashed) dims() int { return builtinDims }

func (hashed) add(v []float32, word, stem string, weight float32) {
	padded := "<" + word + ">"
	n := 0
	for size := shortestGram; size <= longestGram; size++ {
		n += max(len(padded)-size+1, 0)
	}
	gram := weight * float32(math.Pow(float64(n+1), -gramDamping))
	for size := shortestGram; size <= longestGram; size++ {
		for i := 0; i+size <= len(padded); i++ { // of bytes: a gram of half a rune is still a feature
			scatter(v, hash(padded[i:i+size]), gram)
		}
	}
	scatter(v, hash(stem), weight*stemWeight)
}

// scatter adds w or -w to the component that h selects.
func scatter(v []float32, h uint64, w float32) {
	if h&1 == 1 {
		w = -w
	}
	v[(h>>32)*uint64(len(v))>>32] += w
}

// hash is FNV-1a with the finalizer of MurmurHash3, which spreads FNV's weak
// high bits. Changing it requires a new builtinRevision.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
