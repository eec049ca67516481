package contract

import (
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// VectorFiller gives documents that are stored already their vectors of a model
// that is too slow for Put. Unlike Reindex it leaves the active model as it is, and a
// document may have vectors of some of its chunks.
type VectorFiller interface {
	// FillVectors gives every chunk a vector of model, the newest document first, in
	// batches of a few chunks that are each durable: a call continues where the last one
	// ended, in whichever process. Of several calls on one memory, also in other
	// processes, one fills; the others return ErrFilling at once. What is put meanwhile
	// is filled too. embed gets texts as by EmbeddedText, and decides when to go on: it
	// may wait. Problems, unusable vectors and damaged documents are as of Reindex.
	// progress may be nil.
	FillVectors(ctx context.Context, model evidence.Model, embed EmbedFunc, progress func(Progress)) (Progress, error)
	// AddVectors stores vectors of chunks in the space of model, and returns how many
	// are new. A chunk that was removed or changed meanwhile, or that has a vector, and
	// a vector that cannot be used, are left out.
	AddVectors(ctx context.Context, model evidence.Model, vectors []ChunkVector) (int, error)
	// MissingVectors counts what FillVectors would still have to embed.
	MissingVectors(ctx context.Context, model evidence.Model) (Queue, error)
}

// ChunkVector is the vector of a chunk, which the passage identifies: by document,
// offsets and text.
type ChunkVector struct {
	Passage evidence.Passage
	Vector  []float32
}

// ErrFilling reports that another call of FillVectors is at work on the memory.
var ErrFilling = errors.New("the vectors of this memory are being written already")

// EmbeddedText is the text of a chunk for FillVectors and AddVectors: below its
// document's title, except for turns, whose title is a date. Dates make all turns of a
// day alike.
func EmbeddedText(title string, turn bool, chunk string) string {
	head, _ := text.Cut(title, embeddedTitle)
	if turn || head == "" {
		return chunk
	}
	return head + ". " + chunk
}

// embeddedTitle is in bytes: a longer title would leave little room for the chunk.
const embeddedTitle = 200
