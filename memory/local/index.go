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

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// maxSpaces is how many spaces are in RAM at once: the one in use, the lexical one
	// beside it, and one that a change of model leads to.
	maxSpaces = 3
	// A recall applies up to this many changes of other processes itself; more
	// are left to the background, and the recall reads from the file.
	inlineChanges = 500
	// The index of a memory with at most so many chunks loads faster than a
	// recall without it.
	smallMemory = 4000
	loaders     = 2
	// The total time that loading an index waits for recalls.
	loadPatience = 300 * time.Millisecond
	// Loading begins this long after the start, if nothing is asked before: it would take
	// processor and caches from a server that is about to answer initialize.
	loadDelay = 10 * time.Millisecond
	// A load that failed is tried again on request after this time.
	reloadAfter = time.Minute
)

// index holds the spaces in RAM and keeps them equal to the file. One goroutine
// loads them in the background; close stops it.
type index struct {
	rdb *sql.DB // not shared: recalls wait for the index while they hold their connections
	log *slog.Logger
	sizes

	wake   chan struct{} // capacity 1
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	spaces map[int64]*spaceSlot

	follow  chan struct{} // a lock that can be waited for with a context: its holder uses pin, version and spaceSlot.seq
	pin     *sql.Conn
	version int64
	bulk    atomic.Bool // many changes are being applied: recalls should not wait

	recalls atomic.Int32  // in progress
	held    atomic.Int64  // bytes of vectors, as weigh has counted them
	tidy    chan struct{} // capacity 1: cells may have to be learned or stored; see followCells
	grams   grams
}

// spaceSlot is a space that was requested, and may not be loaded yet.
type spaceSlot struct {
	row    modelRow
	loaded chan struct{} // closed when space or err is set
	space  *space
	err    error
	seq    int64 // the last change in the space; guarded by index.follow
	used   time.Time
	tried  time.Time // when loading it ended
	rests  time.Time // until then no cells are learned, after that failed; of tidyCells alone
}

func startIndex(path string, log *slog.Logger, prefer evidence.Model, by sizes) (*index, error) {
	rdb, err := openCached(path, true, loadCache)
	if err != nil {
		return nil, fmt.Errorf("opening the file for the index: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	rdb.SetMaxIdleConns(-1) // what loading has read is not kept; see giveBack
	pin, err := rdb.Conn(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("opening a connection for the index: %w", err), rdb.Close())
	}
	ix := &index{rdb: rdb, log: log, sizes: by, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		spaces: map[int64]*spaceSlot{}, follow: make(chan struct{}, 1), tidy: make(chan struct{}, 1), pin: pin, version: -1}
	go ix.run(ctx, prefer)
	return ix, nil
}

// close stops the background goroutine and waits for it.
func (ix *index) close() error {
	ix.cancel()
	<-ix.done
	ix.weigh(true)
	return errors.Join(ix.pin.Close(), ix.rdb.Close())
}

// notify wakes the background goroutine: a space was requested, or something
// was written.
func (ix *index) notify() {
	select {
	case ix.wake <- struct{}{}:
	default: // already awake
	}
}

// run loads requested spaces and applies changes until ctx ends.
func (ix *index) run(ctx context.Context, prefer evidence.Model) {
	defer close(ix.done)
	select {
	case <-ctx.Done():
	case <-ix.wake:
	case <-time.After(loadDelay):
	}
	if row, ok, err := ix.first(ctx, prefer); err != nil {
		ix.warn(ctx, "finding the model to load", err)
	} else if ok {
		ix.request(row)
	}
	for {
		ix.loadWanted(ctx)
		ix.weigh(false)
		if _, err := ix.catchUp(ctx, 0); err != nil {
			ix.warn(ctx, "applying the changes of the memory", err)
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
		ix.log.Warn("the index is not up to date", "doing", doing, "err", err)
	}
}

// first returns the model to load at the start. It reads with the connection that is there:
// each new one parses the layout.
func (ix *index) first(ctx context.Context, prefer evidence.Model) (modelRow, bool, error) {
	ix.follow <- struct{}{} // held for a bounded time
	defer func() { <-ix.follow }()
	if !prefer.IsZero() {
		if row, ok, err := findModel(ctx, ix.pin, prefer); err != nil || ok {
			return row, ok, err
		}
	}
	return activeModel(ctx, ix.pin)
}

// request returns the space of a model, loaded or not, and has it loaded. It
// does not wait.
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

// evict makes room for one more space. A space that is being loaded is not
// evicted.
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

// isReady reports whether loading has ended. Before that, the other fields may
// not be read.
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

// has reports whether a slot is in use.
func (ix *index) has(h *spaceSlot) bool {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.spaces[h.row.id] == h
}

func (ix *index) loadWanted(ctx context.Context) {
	loaded := false
	defer func() {
		if loaded {
			ix.settle(ctx)
		}
	}()
	for _, h := range ix.all() {
		if h.isReady() {
			continue
		}
		space, seq, err := ix.load(ctx, h.row)
		if err != nil {
			ix.warn(ctx, "loading the index", err)
		}
		ix.follow <- struct{}{} // held for a bounded time
		h.space, h.seq, h.err, h.tried = space, seq, err, time.Now()
		ix.version = -1 // changes made while it was loaded are not in it
		close(h.loaded)
		<-ix.follow
		loaded = true
		ix.wakeTidy()
	}
}

func (ix *index) wakeTidy() {
	select {
	case ix.tidy <- struct{}{}:
	default: // already awake
	}
}

// beginRecall tells a loading index to wait, until done is called.
func (ix *index) beginRecall() (done func()) {
	ix.recalls.Add(1)
	return func() { ix.recalls.Add(-1) }
}

// yield waits while recalls are in progress, and returns what is left of
// patience: recalls have priority over loading, for a bounded time.
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
