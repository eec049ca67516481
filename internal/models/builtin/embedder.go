package builtin

import (
	"context"
	"math"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	builtinName = "hashed-ngram"
	// builtinRevision changes whenever the same text would get another vector,
	// so that vectors which an older binary kept are never compared with new ones.
	builtinRevision = "1"
	builtinDims     = 384
)

// Embedder is the embedder that is always there. It knows the shapes of words
// and nothing of their meaning: "transformers" is near "transformer", "colour"
// near "color", "car" far from "automobile". Its Kind says so, and a fusion
// should let BM25 lead.
type Embedder struct {
	words wordVectors
}

// wordVectors gives each word a direction. A trained table, read from an
// embedded file, can take the place of the hashing; the model then gets another
// name or revision.
type wordVectors interface {
	dims() int
	// add adds the direction of the word to v, weight long.
	add(v []float32, word, stem string, weight float32)
}

// NewEmbedder returns the built-in embedder. It costs nothing to make.
func NewEmbedder() *Embedder { return &Embedder{words: hashed{}} }

// Model names the space of the vectors.
func (b *Embedder) Model() evidence.Model {
	return evidence.Model{Name: builtinName, Revision: builtinRevision, Dims: b.words.dims(), Kind: evidence.KindLexical}
}

// Embed fails by the end of ctx only. A text without a word gets a vector that
// is near to no other but that of another such text.
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
		// The tenth mention of a word says little more than the third.
		b.words.add(v, w.Word, w.Term, float32(1+math.Log(float64(w.n))))
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

// countWords are the distinct words of s in order of appearance: those that
// carry meaning, or all of them when none does ("The Who").
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

// hashed spreads a word's character n-grams and its stem over the components
// with signs, so that what collides cancels out instead of adding up.
type hashed struct{}

const (
	shortestGram = 3
	longestGram  = 5
	// A stem counts as much as this many of the n-grams of a short word: enough
	// to tell "form" from "transform", not so much that a typing error is fatal.
	// Chosen on retrieval sets, where anything from 1 to 2 does the same.
	stemWeight = 1.5
	// How much the number of a word's n-grams is evened out: with 1 a long word
	// would weigh as much as a short one, but long words tell more.
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
		for i := 0; i+size <= len(padded); i++ { // of bytes: a gram of half a rune still tells
			scatter(v, hash(padded[i:i+size]), gram)
		}
	}
	scatter(v, hash(stem), weight*stemWeight)
}

// scatter adds w or -w to the component that h picks.
func scatter(v []float32, h uint64, w float32) {
	if h&1 == 1 {
		w = -w
	}
	v[(h>>32)*uint64(len(v))>>32] += w
}

// hash is FNV-1a with the finalizer of MurmurHash3, which spreads FNV's weak
// high bits. It is part of what builtinRevision stands for.
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
