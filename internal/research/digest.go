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
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/internal/text"
)

// digesters is the number of documents that are digested concurrently: one more
// than two cores need, because each also waits for the memory's writer.
const digesters = 3

// waitShare is the part of the remaining budget that a question waits for its documents
// to be digested after the last one has arrived. A document that is not stored by then
// takes part in the answer nevertheless, and is stored in the background.
const waitShare = 0.6

// keepWithin bounds a write to the memory, which another process may have locked.
const keepWithin = 30 * time.Second

// storePatience is how long an answer waits for the memory to store what it has read, or
// its turn, once all else is done. Then the memory is stuck, locked or not reachable, and
// the rest is stored in the background.
const storePatience = 3 * time.Second

// digested is a document with its chunks.
type digested struct {
	doc    evidence.Document
	chunks evidence.Chunks
}

// digestion is the pipeline after the gathering: documents are added as they
// arrive, and are stored when wait returns.
type digestion struct {
	r    *run
	like context.Context // of the question: work that outlives it has its clock
	busy *semaphore.Weighted
	step span.Span
	work sync.WaitGroup

	mu   sync.Mutex
	docs []*digested         // elements are replaced, never changed: wait returns them while work continues
	open int                 // not stored yet
	lost map[string][]string // titles of what could not be stored, by the cause
	told bool                // the caller was told of those
}

func (r *run) newDigestion(ctx context.Context) *digestion {
	_, step := span.Start(ctx, "digest")
	return &digestion{r: r, like: ctx, step: step, busy: semaphore.NewWeighted(digesters)}
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
			done := sync.OnceFunc(d.work.Done)
			defer done()
			d.digest(i, doc, done)
		})
	}
}

// digest chunks, embeds and stores a document. The write may outlive the question:
// what was read is stored even if the question does not wait for it. done is called when
// it should not wait any longer, at the latest at the end.
func (d *digestion) digest(i int, doc evidence.Document, done func()) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open--
	}()
	e := d.r.e
	if d.busy.Acquire(e.life, 1) != nil {
		return // the engine is closing
	}
	release := sync.OnceFunc(func() { d.busy.Release(1) })
	defer release()
	d.set(i, &digested{}) // a text whose processing panics is left out
	out := &digested{doc: doc, chunks: e.deps.Library.Chunk(doc)}
	d.set(i, out)
	chunks, err := e.deps.Library.Embed(e.life, out.chunks)
	if err != nil {
		chunks = out.chunks // the engine is closing: the document is stored without vectors
	}
	ctx, cancel := e.lingering(d.like, keepWithin)
	defer cancel()
	defer d.impatient(ctx, func() { release(); done() })()
	if _, err := e.deps.Library.Store(ctx, doc, chunks, d.r.session.ID); err != nil {
		d.lose(ctx, doc, err)
	}
}

// impatient calls left if storing takes longer than an answer waits for it: at once, if
// the memory was found to be stuck before. ended is to be called when it is stored.
func (d *digestion) impatient(ctx context.Context, left func()) (ended func()) {
	if d.r.stuck.Load() {
		left()
		return func() {}
	}
	enough, stop := limit.Timer(ctx, storePatience)
	stored := make(chan struct{})
	d.r.e.tasks.Go(func() {
		defer stop()
		select {
		case <-enough:
			d.r.stuck.Store(true)
			left()
		case <-stored:
		case <-ctx.Done():
		}
	})
	return func() { close(stored) }
}

// lose notes that a document was not stored.
func (d *digestion) lose(ctx context.Context, doc evidence.Document, err error) {
	cause := err.Error()
	d.r.unkept.add(ctx, d.r.e, doc.ID)
	d.mu.Lock()
	_, known := d.lost[cause]
	if d.lost == nil {
		d.lost = map[string][]string{}
	}
	d.lost[cause] = append(d.lost[cause], doc.Title)
	late := d.told && !known
	d.mu.Unlock()
	if late {
		d.r.warn(fmt.Sprintf("%q was read but not kept: %s", doc.Title, cause))
	}
}

// tell warns of what was not stored, once for each cause.
func (d *digestion) tell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = true
	for cause, titles := range d.lost {
		what := fmt.Sprintf("%q was", titles[0])
		if len(titles) > 1 {
			what = text.Count(len(titles), "document") + " were"
		}
		d.r.warn(fmt.Sprintf("%s read but not kept: %s", what, cause))
	}
}

func (d *digestion) set(i int, out *digested) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.docs[i] = out
}

// wait returns all documents, ordered by the scores of their sources, then by
// id. documents are their final versions, by id.
func (d *digestion) wait(ctx context.Context, documents map[string]foundDocument) (out []*digested) {
	defer func() { endDigest(d.step, out) }()
	left := keepWithin
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	enough, stopEnough := limit.Timer(ctx, time.Duration(waitShare*float64(left)))
	defer stopEnough()
	done := make(chan struct{})
	d.r.e.tasks.Go(func() {
		d.work.Wait()
		close(done)
	})
	select {
	case <-done:
	case <-enough:
	case <-ctx.Done():
	}
	d.tell()
	d.mu.Lock()
	docs, open := slices.Clone(d.docs), d.open
	d.mu.Unlock()
	if open > 0 && ctx.Err() == nil {
		d.r.warn(fmt.Sprintf("still being stored: %s; the memory is busy or cannot be reached", text.Count(open, "document")))
	}
	docs = slices.DeleteFunc(docs, func(x *digested) bool { return x.doc.Text == "" })
	for i, x := range docs {
		if x.chunks.Items == nil { // it was not embedded in time: it is ranked by its words
			docs[i] = &digested{doc: x.doc, chunks: d.r.e.deps.Library.Chunk(x.doc)}
		}
		if f, ok := documents[x.doc.ID]; ok {
			docs[i] = &digested{doc: f.doc, chunks: docs[i].chunks}
		}
	}
	slices.SortFunc(docs, func(a, b *digested) int {
		return cmp.Or(cmp.Compare(b.doc.Score, a.doc.Score), cmp.Compare(a.doc.ID, b.doc.ID))
	})
	return docs
}
