package library

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// EmbedPatience is how long a document waits for the vectors of the chosen
// embedder before the built-in one makes them: a client gives up after a minute.
const EmbedPatience = 30 * time.Second

// KeepOptions say how a document is stored. A zero field means its default.
type KeepOptions struct {
	Embedder   models.Embedder // nil: the one that is available now
	Patience   time.Duration   // with Embedder; 0: EmbedPatience
	NoFallback bool            // a failure of Embedder is an error, and Patience does not apply: for measurements
	Session    string          // links the document to a session, so that it is recalled and forgotten with it
}

// Keep chunks, embeds and stores a document. It is durable when Keep returns.
// Where the embedder fails or is late, the built-in one embeds, and the receipt
// has a warning.
func (l *Library) Keep(ctx context.Context, doc evidence.Document, o KeepOptions) (evidence.Receipt, error) {
	by := o.Embedder
	if by == nil {
		by = l.deps.Models.Choose(ctx).Embedder
	}
	var chunks evidence.Chunks
	var warning string
	var err error
	if o.NoFallback {
		chunks, err = embed(ctx, by, l.Chunk(doc))
	} else {
		patient, cancel := context.WithTimeout(ctx, cmp.Or(o.Patience, EmbedPatience))
		defer cancel()
		chunks, warning, err = l.Embed(ctx, patient, by, l.Chunk(doc))
	}
	if err != nil {
		return evidence.Receipt{}, err
	}
	got, err := l.Store(ctx, doc, chunks, o.Session)
	if err != nil {
		return evidence.Receipt{}, err
	}
	if warning != "" {
		got.Warnings = append([]string{warning}, got.Warnings...)
	}
	return got, nil
}

// Chunk splits a document into the pieces that are embedded and indexed.
func (l *Library) Chunk(doc evidence.Document) evidence.Chunks {
	return evidence.Chunks{Items: l.deps.Chunk(doc.Text)}
}

// Embed returns the chunks with vectors: those of by, or of the built-in
// embedder when by fails or patience ends first, or none when both fail. The
// warning says so when they are not by's. patience bounds by alone and is
// derived from ctx as a rule; the only error is ctx's. The argument's items are
// not changed.
func (l *Library) Embed(ctx, patience context.Context, by models.Embedder, chunks evidence.Chunks) (out evidence.Chunks, warning string, err error) {
	out, failed := embed(patience, by, chunks)
	if failed == nil {
		return out, "", nil
	}
	if ctx.Err() != nil {
		return chunks, "", ctx.Err()
	}
	builtIn := l.deps.Models.BuiltIn().Embedder
	if builtIn.Model().Name != by.Model().Name {
		warning = fmt.Sprintf("%v: the vectors are those of %s", failed, builtIn.Model().Name)
	}
	out, failed = embed(ctx, builtIn, chunks)
	if ctx.Err() != nil {
		return chunks, "", ctx.Err()
	}
	if failed != nil {
		return chunks, fmt.Sprintf("%v: the text is found by its words alone", failed), nil
	}
	return out, warning, nil
}

// Store puts a chunked document into the memory and links it to session, if
// there is one.
func (l *Library) Store(ctx context.Context, doc evidence.Document, chunks evidence.Chunks, session string) (evidence.Receipt, error) {
	if session != "" {
		doc = doc.WithMeta(evidence.MetaSession, session)
	}
	got, err := l.deps.Memory.Put(ctx, doc, chunks)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return evidence.Receipt{}, err
	}
	if got.Deduplicated && got.Chunks == 0 {
		got.Chunks = len(chunks.Items)
	}
	return got, nil
}

// embed returns the chunks with by's vectors, for all of them or none.
func embed(ctx context.Context, by models.Embedder, chunks evidence.Chunks) (evidence.Chunks, error) {
	if len(chunks.Items) == 0 {
		return chunks, nil
	}
	texts := make([]string, len(chunks.Items))
	for i, c := range chunks.Items {
		texts[i] = c.Text
	}
	vectors, err := vectorsOf(ctx, by, texts)
	if err != nil {
		return chunks, err
	}
	out := evidence.Chunks{Model: by.Model(), Items: slices.Clone(chunks.Items)}
	for i := range out.Items {
		out.Items[i].Vector = vectors[i]
	}
	return out, nil
}

// vectorsOf returns one vector for each text.
func vectorsOf(ctx context.Context, by models.Embedder, texts []string) ([][]float32, error) {
	vectors, err := by.Embed(ctx, texts)
	err = cmp.Or(err, ctx.Err())
	if err == nil && len(vectors) != len(texts) {
		err = fmt.Errorf("%d vectors for %d texts", len(vectors), len(texts))
	}
	if err != nil {
		return nil, fmt.Errorf("embedding with %s: %w", by.Model().Name, err)
	}
	return vectors, nil
}
