package research

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// digesters work on documents side by side: one more than two cores need, as
// each also waits for the memory's writer.
const digesters = 3

// embedGrace is how long a slow embedder is waited for once the last document
// is in: what it has not done by then is kept without vectors and found by its
// words.
const embedGrace = 5 * time.Second

// digested is a document that was chunked, embedded and remembered.
type digested struct {
	doc    evidence.Document
	chunks evidence.Chunks
}

// digestion is the pipeline behind the gathering: documents go in as they
// arrive, and are in the memory when wait returns.
type digestion struct {
	r        *run
	keep     context.Context // of the memory's writes: the question's whole budget
	embed    context.Context // of the embedder: ends some time after the gathering
	giveUp   context.CancelFunc
	busy     *semaphore.Weighted
	pipeline sync.WaitGroup
	mu       sync.Mutex
	docs     []*digested
}

func (r *run) newDigestion(ctx context.Context) *digestion {
	d := &digestion{r: r, keep: ctx, busy: semaphore.NewWeighted(digesters)}
	d.embed, d.giveUp = context.WithCancel(ctx)
	return d
}

// add starts the digestion of docs. It never blocks the gathering.
func (d *digestion) add(docs []evidence.Document) {
	for _, doc := range docs {
		d.pipeline.Go(func() {
			if d.busy.Acquire(d.keep, 1) != nil {
				return // the question's time is up, and with it the answer's use for the document
			}
			defer d.busy.Release(1)
			out, err := d.r.e.digestOne(d.keep, d.embed, d.r.kit, doc)
			if err != nil && d.keep.Err() == nil {
				d.r.warn(fmt.Sprintf("%q was read but not kept: %v", doc.Title, err))
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			d.docs = append(d.docs, out) // it serves this answer even when the memory refused it
		})
	}
}

// wait returns all digested documents in a stable order: that of their scores
// at their sources, then of their ids.
func (d *digestion) wait() []*digested {
	grace := time.AfterFunc(embedGrace, d.giveUp)
	d.pipeline.Wait()
	grace.Stop()
	d.giveUp()
	slices.SortFunc(d.docs, func(a, b *digested) int {
		return cmp.Or(cmp.Compare(b.doc.Score, a.doc.Score), cmp.Compare(a.doc.ID, b.doc.ID))
	})
	return d.docs
}

// digestOne chunks, embeds and remembers one document. What it returns is
// usable even beside an error, which says that the memory does not have it.
func (e *Engine) digestOne(keep, embed context.Context, kit Kit, doc evidence.Document) (*digested, error) {
	out := &digested{doc: doc, chunks: evidence.Chunks{Items: e.deps.Chunk(doc.Text)}}
	if err := e.embed(embed, kit.Embedder, &out.chunks); err != nil {
		e.deps.Log.Warn("document kept without vectors", "source", doc.Source, "url", doc.URL, "err", err)
	}
	_, err := e.deps.Memory.Put(keep, doc, out.chunks)
	return out, cmp.Or(err, keep.Err())
}

// embed fills in the vectors of all chunks, or of none.
func (e *Engine) embed(ctx context.Context, by Embedder, chunks *evidence.Chunks) error {
	if len(chunks.Items) == 0 {
		return nil
	}
	texts := make([]string, len(chunks.Items))
	for i, c := range chunks.Items {
		texts[i] = c.Text
	}
	vectors, err := by.Embed(ctx, texts)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return fmt.Errorf("embedding %d chunks with %s: %w", len(texts), by.Model().Name, err)
	}
	if len(vectors) != len(texts) {
		return fmt.Errorf("embedding with %s: %d vectors for %d chunks", by.Model().Name, len(vectors), len(texts))
	}
	for i := range chunks.Items {
		chunks.Items[i].Vector = vectors[i]
	}
	chunks.Model = by.Model()
	return nil
}
