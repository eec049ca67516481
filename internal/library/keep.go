package library

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// Keep chunks and stores a document, linked to session if there is one, so that it is
// recalled and forgotten with it. It is durable when Keep returns, and found by its
// words and n-grams; the vectors of trained models follow in the background.
func (l *Library) Keep(ctx context.Context, doc evidence.Document, session string) (evidence.Receipt, error) {
	chunks, err := l.Embed(ctx, l.Chunk(doc))
	if err != nil {
		return evidence.Receipt{}, err
	}
	return l.Store(ctx, doc, chunks, session)
}

// Chunk splits a document into the pieces that are embedded and indexed.
func (l *Library) Chunk(doc evidence.Document) evidence.Chunks {
	return evidence.Chunks{Items: l.deps.Chunk(doc.Text)}
}

// Embed returns the chunks with the vectors of the built-in n-grams, which take no
// time to speak of. The only error is ctx's: without vectors, the chunks are found by
// their words. The argument's items are not changed.
func (l *Library) Embed(ctx context.Context, chunks evidence.Chunks) (evidence.Chunks, error) {
	out, err := embed(ctx, l.deps.Models.BuiltIn().Embedder, chunks)
	if err != nil && ctx.Err() == nil {
		l.deps.Log.Warn("a text is found by its words alone", "err", err)
	}
	return out, ctx.Err()
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
	if got.Documents > 0 {
		select {
		case l.kept <- struct{}{}:
		default: // it is known already
		}
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
