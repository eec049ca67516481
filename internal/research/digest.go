package research

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// digesters work on documents side by side: one more than two cores need, as
// each also waits for the memory's writer.
const digesters = 3

// How long a question waits for its documents to be digested once the last one
// is in. What an embedder has not done by embedGrace is embedded by the
// built-in one; what is not kept when waitShare of the remaining budget is spent
// takes part in the answer all the same, and is kept in the background.
const (
	embedGrace = 5 * time.Second
	embedPart  = 0.3 // of the remaining budget, where that is less
	waitShare  = 0.6
)

// keepWithin bounds a write to the memory, which another process may hold.
const keepWithin = 30 * time.Second

// digested is a document that was chunked, embedded and remembered.
type digested struct {
	doc    evidence.Document
	chunks evidence.Chunks
}

// digestion is the pipeline behind the gathering: documents go in as they
// arrive, and are in the memory when wait returns.
type digestion struct {
	r      *run
	embed  context.Context // of the embedder: ends some time after the gathering
	giveUp context.CancelFunc
	busy   *semaphore.Weighted
	work   sync.WaitGroup

	mu   sync.Mutex
	docs []*digested // replaced, never changed: wait hands them on while work goes on
	open int         // not in the memory yet
}

func (r *run) newDigestion(ctx context.Context) *digestion {
	d := &digestion{r: r, busy: semaphore.NewWeighted(digesters)}
	d.embed, d.giveUp = context.WithCancel(ctx)
	return d
}

// add starts the digestion of docs. It never blocks the gathering.
func (d *digestion) add(docs []evidence.Document) {
	for _, doc := range docs {
		d.mu.Lock()
		i := len(d.docs)
		d.docs = append(d.docs, &digested{doc: doc})
		d.open++
		d.mu.Unlock()
		d.work.Add(1)
		d.r.e.spawn("digestion", func() {
			defer d.work.Done()
			d.digest(i, doc)
		})
	}
}

// digest chunks, embeds and keeps a document. Its writes hang on the engine's
// life: what was read is kept even when the question does not wait for it.
func (d *digestion) digest(i int, doc evidence.Document) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open--
	}()
	e := d.r.e
	if d.busy.Acquire(e.life, 1) != nil {
		return // the engine closes
	}
	defer d.busy.Release(1)
	d.set(i, &digested{}) // so that a text on which we trip is left out
	out := &digested{doc: doc, chunks: evidence.Chunks{Items: e.deps.Chunk(doc.Text)}}
	d.set(i, out)
	out = e.embedded(d.embed, d.r.models.wait(), out)
	if by := d.r.models.wait().Embedder.Model().Name; out.chunks.Model.Name != by && len(out.chunks.Items) > 0 {
		d.r.warn(by + " did not embed every document in time: the rest was embedded without a model")
	}
	d.set(i, out)
	if err := e.keep(out.of(d.r.session.ID)); err != nil {
		d.r.warn(fmt.Sprintf("%q was read but not kept: %v", doc.Title, err))
	}
}

// of is a digested document that the memory links to a session, so that it can
// be recalled and forgotten with it. Empty is none.
func (x *digested) of(session string) *digested {
	if session == "" {
		return x
	}
	linked := *x
	linked.doc.Meta = maps.Clone(x.doc.Meta)
	if linked.doc.Meta == nil {
		linked.doc.Meta = map[string]string{}
	}
	linked.doc.Meta[evidence.MetaSession] = session
	return &linked
}

func (d *digestion) set(i int, out *digested) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.docs[i] = out
}

// wait returns all documents in a stable order: that of their scores at their
// sources, then of their ids. finds are the documents as they were found in the
// end, by id.
func (d *digestion) wait(ctx context.Context, finds map[string]find) []*digested {
	left := keepWithin
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	grace := time.AfterFunc(min(embedGrace, time.Duration(embedPart*float64(left))), d.giveUp)
	enough := time.NewTimer(time.Duration(waitShare * float64(left)))
	done := make(chan struct{})
	d.r.e.tasks.Go(func() {
		d.work.Wait()
		grace.Stop()
		d.giveUp()
		close(done)
	})
	select {
	case <-done:
	case <-enough.C:
	case <-ctx.Done():
	}
	enough.Stop()
	d.mu.Lock()
	docs, open := slices.Clone(d.docs), d.open
	d.mu.Unlock()
	if open > 0 && ctx.Err() == nil {
		d.r.warn(fmt.Sprintf("%d documents are still being put into the memory, which is busy", open))
	}
	docs = slices.DeleteFunc(docs, func(x *digested) bool { return x.doc.Text == "" })
	for i, x := range docs {
		if x.chunks.Items == nil { // its turn had not come yet: it counts by its words
			docs[i] = &digested{doc: x.doc, chunks: evidence.Chunks{Items: d.r.e.deps.Chunk(x.doc.Text)}}
		}
		if f, ok := finds[x.doc.ID]; ok {
			docs[i] = &digested{doc: f.doc, chunks: docs[i].chunks}
		}
	}
	slices.SortFunc(docs, func(a, b *digested) int {
		return cmp.Or(cmp.Compare(b.doc.Score, a.doc.Score), cmp.Compare(a.doc.ID, b.doc.ID))
	})
	return docs
}

// embedded is a document with vectors: the kit's, or where that embedder fails
// or is too slow, the built-in one's, or none.
func (e *Engine) embedded(ctx context.Context, set models.Set, in *digested) *digested {
	out := &digested{doc: in.doc, chunks: evidence.Chunks{Items: slices.Clone(in.chunks.Items)}}
	err := e.embed(ctx, set.Embedder, &out.chunks)
	if err != nil {
		e.deps.Log.Debug("embedding fell back to the built-in one", "source", in.doc.Source, "url", in.doc.URL, "err", err)
		err = e.embed(e.life, e.deps.Models.BuiltIn().Embedder, &out.chunks)
	}
	if err != nil {
		return in
	}
	return out
}

// keep puts a digested document into the memory.
func (e *Engine) keep(d *digested) error {
	ctx, cancel := e.lingering(keepWithin)
	defer cancel()
	_, err := e.deps.Memory.Put(ctx, d.doc, d.chunks)
	return cmp.Or(err, ctx.Err())
}

// embed fills in the vectors of all chunks, or of none.
func (e *Engine) embed(ctx context.Context, by models.Embedder, chunks *evidence.Chunks) error {
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
