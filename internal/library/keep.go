package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory/contract"
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
// there is one. Without room in the quota its error is a Problem with ErrQuota.
func (l *Library) Store(ctx context.Context, doc evidence.Document, chunks evidence.Chunks, session string) (evidence.Receipt, error) {
	if session != "" {
		doc = doc.WithMeta(evidence.MetaSession, session)
	}
	var got evidence.Receipt
	err := l.withinQuota(ctx, doc, func() error {
		return l.withRoom(ctx, func() (err error) {
			got, err = l.deps.Memory.Put(ctx, doc, chunks)
			return err
		})
	})
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

// withRoom calls write, and again if the disk was full and the cache of answers has
// made room: that only saves work.
func (l *Library) withRoom(ctx context.Context, write func() error) error {
	err := write()
	if errors.Is(err, contract.ErrFull) && l.deps.Cache != nil && l.deps.Cache.GiveUp(ctx) {
		err = write()
	}
	return err
}

// Turns is the sessions of the memory, for whose turns the cache makes room.
func (l *Library) Turns() contract.Sessions { return turns{l.deps.Memory, l} }

type turns struct {
	contract.Sessions

	l *Library
}

// Append implements contract.Sessions.
func (t turns) Append(ctx context.Context, id string, said ...evidence.Turn) error {
	return t.l.withRoom(ctx, func() error { return t.Sessions.Append(ctx, id, said...) })
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
