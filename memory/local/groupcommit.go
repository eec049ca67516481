package local

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// One transaction stores at most this many documents, and chunks: others can write
	// after it.
	groupDocs   = 64
	groupChunks = 2000
)

// group stores the documents of concurrent calls of Put in one transaction. Each costs two
// writes that wait for the disk, whatever it holds.
type group struct {
	mu      sync.Mutex
	waiting []*grouped
	leading bool // a caller is storing
}

// grouped is a document on its way into the memory.
type grouped struct {
	ctx  context.Context
	e    *entry
	r    evidence.Receipt
	err  error
	lead chan struct{} // closed when its caller is to store the next documents
	done chan struct{} // closed when r and err are set
}

// putGrouped stores e together with what other callers store at the same time.
func (l *Local) putGrouped(ctx context.Context, e *entry) (evidence.Receipt, error) {
	g := &grouped{ctx: ctx, e: e, lead: make(chan struct{}), done: make(chan struct{})}
	l.puts.mu.Lock()
	l.puts.waiting = append(l.puts.waiting, g)
	if !l.puts.leading {
		l.puts.leading = true
		close(g.lead)
	}
	l.puts.mu.Unlock()
	select {
	case <-g.lead:
	case <-g.done:
		return g.r, g.err
	case <-ctx.Done():
		if l.puts.leave(g) {
			return evidence.Receipt{}, l.failed(ctx, "storing a document", ctx.Err())
		}
		select { // it is being stored, or to lead
		case <-g.done:
			return g.r, g.err
		case <-g.lead:
		}
	}
	defer l.puts.next() // also after a panic, which must not stop all others
	l.storeGroup(l.puts.take(g))
	return g.r, g.err
}

// leave takes back a document that nobody has begun to store.
func (q *group) leave(g *grouped) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, g)
	select {
	case <-g.lead:
		return false
	default:
	}
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	return true
}

// take returns g and what is waiting beside it, within the bounds of a transaction.
func (q *group) take(g *grouped) []*grouped {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *grouped) bool { return w == g })
	n, chunks := 0, len(g.e.chunks)
	for n < len(q.waiting) && n+1 < groupDocs {
		if chunks += len(q.waiting[n].e.chunks); chunks > groupChunks {
			break
		}
		n++
	}
	some := append([]*grouped{g}, q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	return some
}

// next has the caller that waits longest store the next documents.
func (q *group) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leading = len(q.waiting) > 0; q.leading {
		close(q.waiting[0].lead)
	}
}

// storeGroup stores documents in one transaction. If that fails, each is stored in one of
// its own, so that one does not fail the others.
func (l *Local) storeGroup(some []*grouped) {
	defer func() { // after a panic
		for _, g := range some {
			g.end(evidence.Receipt{}, errPanicked)
		}
	}()
	if len(some) > 1 {
		ctx, stop := whileAny(some)
		defer stop()
		receipts := make([]evidence.Receipt, len(some))
		err := l.write(ctx, "storing documents", func(tx *sql.Tx) error {
			for i, g := range some {
				receipts[i] = evidence.Receipt{DocumentID: g.e.doc.ID, Warnings: slices.Clone(g.e.notes)}
				if err := putEntry(ctx, tx, g.e, &receipts[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			for i, g := range some {
				g.end(receipts[i], nil)
			}
			return
		}
		if isBusy(err) { // each alone would wait as long
			for _, g := range some {
				g.end(evidence.Receipt{}, err)
			}
			return
		}
	}
	for _, g := range some {
		g.end(l.putAlone(g.ctx, g.e))
	}
}

var errPanicked = errors.New("the document was not stored: storing another one beside it ended in a panic")

// end tells the caller what became of its document, once.
func (g *grouped) end(r evidence.Receipt, err error) {
	select {
	case <-g.done:
	default:
		g.r, g.err = r, err
		close(g.done)
	}
}

// whileAny returns a context that ends when those of all callers have: the transaction goes
// on when one of them gives up.
func whileAny(some []*grouped) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(some[0].ctx))
	var left atomic.Int32
	left.Store(int32(len(some))) //nolint:gosec // at most groupDocs
	stops := []func() bool{}
	for _, g := range some {
		stops = append(stops, context.AfterFunc(g.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

func (l *Local) putAlone(ctx context.Context, e *entry) (evidence.Receipt, error) {
	r := evidence.Receipt{DocumentID: e.doc.ID}
	err := l.write(ctx, "storing a document", func(tx *sql.Tx) error {
		r.Documents, r.Chunks, r.Deduplicated, r.Warnings = 0, 0, false, slices.Clone(e.notes)
		return putEntry(ctx, tx, e, &r)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	return r, nil
}
