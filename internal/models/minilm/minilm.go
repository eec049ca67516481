// Package minilm is the built-in sentence encoder: all-MiniLM-L6-v2 with int8
// layers and an int4 token table, embedded in the binary. The weights are not
// touched before the first text is embedded.
package minilm

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/bert"
)

//go:embed minilm.bin
var weights string

//go:embed vocab.txt
var vocabulary string

const (
	name = "minilm-l6"
	// revision changes with the weights or the tokenizer: vectors of two revisions
	// are not compared.
	revision = "int8-1"
	// Dims is the length of a vector.
	Dims = 384
	// MaxTokens of a text are embedded; what follows is cut.
	MaxTokens = 256
	// batchTokens bounds the working memory of one forward pass to about 5 MB, and how
	// long a pass goes on after its context has ended.
	batchTokens = 256
)

// Encoder embeds texts. It is safe for concurrent use.
type Encoder struct {
	maxTokens int
	load      func() (*loaded, error)

	used atomic.Bool // since the last Rest

	mu     sync.Mutex
	recent map[string][]float32 // vectors of texts that were embedded lately
}

// mostRecent is how many vectors are kept: those of a question or two, whose
// passages are compared more than once. They take 0.8 MB with their texts.
const mostRecent = 256

type loaded struct {
	model *bert.Model
	words *bert.WordPiece
	turns chan struct{} // one for each pass at work: more would only keep others from the processors
}

// load is shared by all encoders: the weights are opened once.
var load = sync.OnceValues(func() (*loaded, error) {
	m, err := bert.Open(weights)
	if err != nil {
		return nil, fmt.Errorf("opening the built-in encoder: %w", err)
	}
	w, err := bert.NewWordPiece(vocabulary)
	if err != nil {
		return nil, fmt.Errorf("opening the built-in encoder: %w", err)
	}
	return &loaded{m, w, make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))}, nil
})

// Available reports whether this processor runs the encoder fast enough for the
// path of a question: amd64 with AVX2 and FMA, or arm64.
func Available() bool { return bert.Fast() }

// New returns an encoder that reads the first maxTokens tokens of a text; 0 is
// MaxTokens. It loads nothing yet.
func New(maxTokens int) *Encoder {
	return &Encoder{maxTokens: min(cmp.Or(maxTokens, MaxTokens), MaxTokens), load: load}
}

// Model identifies the vector space, whatever the encoder's limit of tokens.
func (e *Encoder) Model() evidence.Model {
	return evidence.Model{Name: name, Revision: revision, Dims: Dims, Kind: evidence.KindTransformer}
}

// Embed returns one unit-length vector of Dims for each text, in order. It checks
// ctx between batches of a few hundred tokens, which take tens of milliseconds.
func (e *Encoder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := e.load()
	if err != nil {
		return nil, err
	}
	e.used.Store(true)
	out, missing := e.remembered(texts)
	inputs := make([]bert.Input, len(missing))
	for i, n := range missing {
		inputs[i] = l.words.Encode(texts[n], e.maxTokens)
	}
	vectors, err := l.each(ctx, inputs, l.model.Embed)
	if err != nil {
		return nil, err
	}
	for i, v := range vectors {
		out[missing[i]] = v
	}
	e.remember(texts, out, missing)
	return out, nil
}

// Rest gives back the memory of the weights, as far as the system can, and of what
// the last texts took; see models.Rester. It does nothing if no text was embedded since
// the last time.
func (e *Encoder) Rest() {
	if e.used.Swap(false) {
		e.mu.Lock()
		e.recent = nil // also texts that were forgotten since
		e.mu.Unlock()
		release()
		runtime.GC() // a sync.Pool keeps its buffers over one collection
		debug.FreeOSMemory()
	}
}

// quickTokens are those of a text whose pass waits for no turn if it is the only one: a question.
const quickTokens = 48

// each runs a pass over all inputs, in batches side by side, each in its turn: many questions
// at once share the processors with what is quick, such as a recall.
func (l *loaded) each(ctx context.Context, inputs []bert.Input, pass func([]bert.Input) ([][]float32, error)) ([][]float32, error) {
	out := make([][]float32, len(inputs))
	quick := len(inputs) == 1 && len(inputs[0].IDs) <= quickTokens
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(l.turns))
	for _, batch := range batches(inputs) {
		group.Go(func() error {
			if !quick {
				select {
				case l.turns <- struct{}{}:
					defer func() { <-l.turns }()
				case <-ctx.Done():
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			in := make([]bert.Input, len(batch))
			for i, n := range batch {
				in[i] = inputs[n]
			}
			vectors, err := pass(in)
			for i, v := range vectors {
				out[batch[i]] = v
			}
			return err
		})
	}
	return out, group.Wait()
}

// remembered returns the vectors that are kept, and the indexes of the texts that
// have none.
func (e *Encoder) remembered(texts []string) (out [][]float32, missing []int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out = make([][]float32, len(texts))
	for i, t := range texts {
		if v, ok := e.recent[t]; ok {
			out[i] = slices.Clone(v)
		} else {
			missing = append(missing, i)
		}
	}
	return out, missing
}

// remember keeps vectors of passages; all are given up when there are too many.
func (e *Encoder) remember(texts []string, vectors [][]float32, missing []int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.recent == nil || len(e.recent)+len(missing) > mostRecent {
		e.recent = map[string][]float32{}
	}
	for _, n := range missing {
		if len(e.recent) < mostRecent && len(texts[n]) <= longestRemembered {
			e.recent[texts[n]] = slices.Clone(vectors[n])
		}
	}
}

// longestRemembered is in bytes.
const longestRemembered = 2048

// batches groups the indexes of inputs of like length, batchTokens in each.
func batches(inputs []bert.Input) [][]int {
	order := make([]int, len(inputs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(inputs[b].IDs), len(inputs[a].IDs)) })
	var out [][]int
	tokens := 0
	for _, i := range order {
		if n := len(inputs[i].IDs); len(out) == 0 || tokens+n > batchTokens {
			out, tokens = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], i)
		tokens += len(inputs[i].IDs)
	}
	return out
}
