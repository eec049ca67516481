package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// maxSpaces are held in RAM at once: the one in use, and the one that a
	// change of model leads to.
	maxSpaces = 2
	// A recall follows this many changes of other processes by itself; more are
	// left to the background while the truth answers.
	inlineChanges = 500
	// A memory of so few chunks is loaded sooner than asked without its index.
	smallMemory = 4000
	loaders     = 2
	// In all so long a loading index gives way to recalls.
	loadPatience = 300 * time.Millisecond
	// What could not be loaded is tried again when somebody asks after this long.
	reloadAfter = time.Minute
)

// index holds the spaces in RAM and keeps them true to the file. One goroutine,
// its keeper, loads; close ends it.
type index struct {
	rdb *sql.DB // its own: it must not wait for connections of recalls that wait for it
	log *slog.Logger

	wake   chan struct{} // capacity 1
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	spaces map[int64]*spaceSlot

	follow  chan struct{} // holds one token: who has it reads the change log, on the pinned connection
	pin     *sql.Conn
	version int64
	bulk    atomic.Bool // so many changes are being followed that nobody should wait

	recalls atomic.Int32 // recalls under way
	grams   grams
}

// spaceSlot is a space on its way from wanted to ready.
type spaceSlot struct {
	row    modelRow
	loaded chan struct{} // closed when space or err stands
	space  *space
	err    error
	seq    int64 // the last change that is in the space; for who has index.follow
	used   time.Time
	tried  time.Time // when it was loaded, or failed to be
}

func startIndex(path string, log *slog.Logger, prefer evidence.Model) (*index, error) {
	rdb, err := openDB(path, true)
	if err != nil {
		return nil, fmt.Errorf("opening the file for the index: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	pin, err := rdb.Conn(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("opening a connection for the index: %w", err), rdb.Close())
	}
	ix := &index{rdb: rdb, log: log, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		spaces: map[int64]*spaceSlot{}, follow: make(chan struct{}, 1), pin: pin, version: -1}
	go ix.run(ctx, prefer)
	return ix, nil
}

// close ends the keeper and waits for it.
func (ix *index) close() error {
	ix.cancel()
	<-ix.done
	return errors.Join(ix.pin.Close(), ix.rdb.Close())
}

// wrote tells the keeper that there is something to follow.
func (ix *index) notify() {
	select {
	case ix.wake <- struct{}{}:
	default: // it is awake already
	}
}

// keep loads what is wanted and follows what was written, until ctx ends.
func (ix *index) run(ctx context.Context, prefer evidence.Model) {
	defer close(ix.done)
	if row, ok, err := ix.first(ctx, prefer); err != nil {
		ix.warn(ctx, "finding the model whose vectors are to be loaded", err)
	} else if ok {
		ix.request(row)
	}
	for {
		ix.loadWanted(ctx)
		if _, err := ix.catchUp(ctx, 0); err != nil {
			ix.warn(ctx, "following the changes of the memory", err)
		}
		if err := ix.grams.refresh(ctx, ix.rdb); err != nil {
			ix.warn(ctx, "counting character n-grams", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ix.wake:
		}
	}
}

func (ix *index) warn(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		ix.log.Warn("the index stays behind", "doing", doing, "err", err)
	}
}

func (ix *index) first(ctx context.Context, prefer evidence.Model) (modelRow, bool, error) {
	if !prefer.IsZero() {
		if row, ok, err := findModel(ctx, ix.rdb, prefer); err != nil || ok {
			return row, ok, err
		}
	}
	return activeModel(ctx, ix.rdb)
}

// want asks for a space and gives what there is of it. It does not wait.
func (ix *index) request(row modelRow) *spaceSlot {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	h, ok := ix.spaces[row.id]
	if ok && h.isReady() && h.err != nil && time.Since(h.tried) >= reloadAfter {
		delete(ix.spaces, row.id)
		ok = false
	}
	if !ok {
		h = &spaceSlot{row: row, loaded: make(chan struct{})}
		ix.evict()
		ix.spaces[row.id] = h
		ix.notify()
	}
	h.used = time.Now()
	return h
}

// evict makes room for one more space. One that somebody waits for stays.
func (ix *index) evict() {
	for len(ix.spaces) >= maxSpaces {
		var oldest *spaceSlot
		for _, h := range ix.spaces {
			if h.isReady() && (oldest == nil || h.used.Before(oldest.used)) {
				oldest = h
			}
		}
		if oldest == nil {
			return
		}
		delete(ix.spaces, oldest.row.id)
	}
}

// isReady reports whether h was loaded; only then its fields may be read.
func (h *spaceSlot) isReady() bool {
	select {
	case <-h.loaded:
		return true
	default:
		return false
	}
}

func (ix *index) all() []*spaceSlot {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	out := make([]*spaceSlot, 0, len(ix.spaces))
	for _, h := range ix.spaces {
		out = append(out, h)
	}
	return out
}

func (ix *index) loadWanted(ctx context.Context) {
	for _, h := range ix.all() {
		if h.isReady() {
			continue
		}
		space, seq, err := ix.load(ctx, h.row)
		if err != nil {
			ix.warn(ctx, "loading the index", err)
		}
		ix.follow <- struct{}{} // whoever has it ends by itself
		h.space, h.seq, h.err, h.tried = space, seq, err, time.Now()
		ix.version = -1 // what changed while it was loaded is not in it
		close(h.loaded)
		<-ix.follow
	}
}

// ask tells a loading index that somebody is asking, until the result is called.
func (ix *index) beginRecall() (done func()) {
	ix.recalls.Add(1)
	return func() { ix.recalls.Add(-1) }
}

// yield waits while somebody is asking, and takes it off patience: the first
// answer matters more than a loaded index, but not for ever.
func (ix *index) yield(ctx context.Context, patience time.Duration) time.Duration {
	const step = time.Millisecond
	for patience > 0 && ix.recalls.Load() > 0 {
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(step):
			patience -= step
		}
	}
	return patience
}

// load reads a whole space as of one moment; seq is the last change in it.
func (ix *index) load(ctx context.Context, row modelRow) (s *space, seq int64, err error) {
	if s, err = newSpace(row.model); err != nil {
		return nil, 0, err
	}
	tx, err := ix.rdb.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if seq, err = lastChange(ctx, tx); err != nil {
		return nil, 0, err
	}
	type job struct {
		doc, first int64
		v          []float32
	}
	jobs := make(chan job, loaders)
	patience := loadPatience
	if small, err := isSmall(ctx, tx); err != nil || small { // whoever asks waits for it
		patience = 0
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		return eachVec(gctx, tx, "SELECT doc, first, n, v FROM vec WHERE model=?", []any{row.id}, func(doc, first int64, n int, blob []byte) error {
			patience = ix.yield(gctx, patience)
			v, err := decode(blob, n, row.model.Dims)
			if err != nil {
				ix.log.Warn("vectors of a document cannot be read", "doc", doc, "err", err)
				return nil // it is found by its words
			}
			select {
			case jobs <- job{doc, first, v}:
				return nil
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	})
	for range loaders {
		g.Go(func() error {
			for j := range jobs {
				if err := s.add(gctx, j.doc, j.first, j.v); err != nil && gctx.Err() == nil {
					ix.log.Warn("vectors of a document cannot be indexed", "doc", j.doc, "err", err)
				}
			}
			return nil
		})
	}
	return s, seq, errors.Join(g.Wait(), ctx.Err())
}

func (s *space) addBlob(ctx context.Context, doc, first int64, n int, blob []byte) error {
	v, err := decode(blob, n, s.model.Dims)
	if err != nil {
		return err
	}
	return s.add(ctx, doc, first, v)
}

// eachVec calls fn for each row of doc, first, n and v. The blob is fn's only
// until it returns: copies of them all would double what a loading index takes.
func eachVec(ctx context.Context, q rowsQuerier, query string, args []any, fn func(doc, first int64, n int, blob []byte) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var doc, first int64
		var n int
		var blob sql.RawBytes
		if err := rows.Scan(&doc, &first, &n, &blob); err != nil {
			return err
		}
		if err := fn(doc, first, n, blob); err != nil {
			return err
		}
	}
	return rows.Err()
}
