package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// measureWith is how many questions measure the recall of cells.
	measureWith = 128
	// storeFrom is how many documents with cells that are not stored are stored at once,
	// storeBatch how many in one transaction.
	storeFrom  = 256
	storeBatch = 500
	// cellsLock is the file whose lock the process holds that learns cells; it stays empty.
	cellsLock = fileName + "-cells.lock"
	// divideAgain is when a process tries again that found the lock taken, or could not store
	// the cells: learning takes seconds of two processors.
	divideAgain = 20 * time.Second
	// pauseAfter is how many documents are dealt with between two pauses for recalls.
	pauseAfter = 64
)

// followCells packs vectors, and learns and stores cells, in the background until stop is called.
func (l *Local) followCells() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		again := time.NewTimer(0)
		if !again.Stop() {
			<-again.C
		}
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.index.tidy:
			case <-again.C:
			}
			later, err := l.tidyCells(ctx)
			if err != nil && ctx.Err() == nil {
				l.log.Warn("the vectors are not divided into cells; recalls are slower", "err", err)
			}
			if later {
				again.Reset(divideAgain)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// tidyCells divides the loaded spaces that need it. later reports that it has to be tried
// again: another process does so, or it failed.
func (l *Local) tidyCells(ctx context.Context) (later bool, err error) {
	for _, h := range l.index.all() {
		if !h.isReady() || h.err != nil {
			continue
		}
		if err = errors.Join(err, h.space.pack(l.pause(ctx)), l.noticeBook(ctx, h)); h.space.tidyWork() == nothingToDo {
			continue
		}
		if l.readOnly {
			if h.space.tidyWork() == learnCells {
				err = errors.Join(err, l.learn(ctx, h, false))
			}
			continue
		}
		if wait := h.rests.Sub(l.now()); wait > 0 && wait <= divideAgain { // more if the clock was set back
			later = true
			continue
		}
		lock := flock.New(filepath.Join(filepath.Dir(l.path), cellsLock), flock.SetPermissions(0o600))
		got, failed := lock.TryLock()
		if failed != nil {
			return later, fmt.Errorf("locking %s: %w", lock.Path(), failed)
		}
		if !got {
			return true, err
		}
		if failed = l.tidySpace(ctx, h); failed != nil {
			h.rests, later = l.now().Add(divideAgain), true
		}
		err = errors.Join(err, failed, lock.Unlock())
	}
	return later, err
}

// noticeBook has the cells of a space exchanged that were removed from the file, or learned
// anew by another process, and has a search read more of them if a check has found that it
// should.
func (l *Local) noticeBook(ctx context.Context, h *spaceSlot) error {
	version, ok := h.space.filedAs()
	if !ok || l.readOnly {
		return nil
	}
	var probes int
	var recall float64
	err := l.rdb.QueryRowContext(ctx, "SELECT probes, recall FROM codebook WHERE model=? AND version=?", h.row.id, version).Scan(&probes, &recall)
	if errors.Is(err, sql.ErrNoRows) {
		h.space.mark(version, func(s *space) { s.void = true })
		return nil
	}
	if err == nil {
		h.space.readMore(version, probes, recall)
	}
	return err
}

func (l *Local) tidySpace(ctx context.Context, h *spaceSlot) error {
	book, version, err := readBook(ctx, l.rdb, h.row)
	if err != nil {
		l.log.Warn("the cells of the vectors cannot be read and are learned anew", "err", err)
	}
	if book != nil && version > h.space.bookVersion() { // another process was first
		if _, err := l.index.catchUp(ctx, 0); err != nil {
			return err
		}
		docs := h.space.snapshot() // before the cells are read: those of what changes later are of other vectors
		known, err := l.storedCells(ctx, h.row, version)
		if err != nil {
			return err
		}
		n := learned{book: book, version: version, docs: docs, assigned: known}
		if err := h.space.divide(ctx, n, true, l.pause(ctx)); err != nil {
			return err
		}
	}
	switch h.space.tidyWork() {
	case learnCells:
		return l.learn(ctx, h, true)
	case storeCells:
		return l.storeCells(ctx, h)
	}
	return nil
}

// pause returns a function that waits while recalls are in progress, for a bounded time.
func (l *Local) pause(ctx context.Context) func() {
	return func() { l.index.yield(ctx, 5*time.Millisecond) }
}

// learn divides a space into new cells, and stores them.
func (l *Local) learn(ctx context.Context, h *spaceSlot, store bool) error {
	s := h.space
	seq, err := lastChange(ctx, l.rdb)
	if err != nil {
		return err
	}
	if _, err := l.index.catchUp(ctx, 0); err != nil {
		return err
	}
	if !l.index.has(h) { // loaded anew meanwhile, or removed to make room
		l.index.wakeTidy()
		return nil
	}
	n, err := l.learnFrom(ctx, s, s.snapshot()) // without what was removed up to seq
	if err != nil || n.book == nil {
		return err
	}
	n.seq, n.version = seq, max(l.now().UnixMicro(), s.bookVersion()+1)
	return l.take(ctx, h, n, store)
}

// take exchanges the cells of a space for those learned, and stores them.
func (l *Local) take(ctx context.Context, h *spaceSlot, n learned, store bool) error {
	if err := h.space.divide(ctx, n, false, l.pause(ctx)); err != nil || !store {
		return err
	}
	l.log.Debug("vectors divided into cells", "vectors", n.book.Learned, "cells", n.book.Cells(), "probes", n.book.Probes, "recall", n.book.Recall)
	kept, err := l.file(ctx, h, n)
	h.space.mark(n.version, func(s *space) { s.filed, s.void = kept, !kept })
	if err == nil && !kept {
		l.index.wakeTidy()
	}
	return err
}

// learnFrom learns cells from documents of a space. There is no book if they have too few
// vectors for it, or those tell nothing.
func (l *Local) learnFrom(ctx context.Context, s *space, docs map[int64]slab) (n learned, err error) {
	dims, pause := s.model.Dims, l.pause(ctx)
	var all [][]float32
	for _, doc := range slices.Sorted(maps.Keys(docs)) { // in one order: the result depends on it
		sl := docs[doc]
		for at := 0; at < len(sl.v); at += dims {
			if v := sl.v[at : at+dims]; !intake.IsZero(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) < s.divideFrom {
		return n, nil
	}
	k := cells.Count(len(all))
	book, err := cells.Learn(ctx, every(all, k*cells.SampleOf), dims, k, pause)
	if err != nil {
		return n, err
	}
	if book == nil { // as of equal vectors: not again with each one more
		s.mark(s.bookVersion(), func(s *space) { s.barren = len(all) })
		return n, nil
	}
	book.Learned = len(all)
	assigned := make(map[int64][]uint16, len(docs))
	var none drift
	for doc, sl := range docs {
		if len(assigned)%pauseAfter == 0 {
			pause()
		}
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		assigned[doc] = none.assign(book, sl.v)
	}
	found, err := book.Measure(ctx, cells.Questions(all, measureWith), vectorsIn(docs, assigned, dims), pause)
	if err != nil {
		return n, err
	}
	return learned{book: book.WithProbes(found), docs: docs, assigned: assigned}, nil
}

// learned is a book, the documents that it was learned from, as they were then, with their
// cells, and the change up to which they were known.
type learned struct {
	book     *cells.Book
	version  int64
	seq      int64
	docs     map[int64]slab
	assigned map[int64][]uint16
}

// cellsOf returns the cells of a document, or none if it is another than it was.
func (n learned) cellsOf(doc int64, now slab) []uint16 {
	if was, ok := n.docs[doc]; !ok || !sameSlab(was, now) {
		return nil
	}
	return n.assigned[doc]
}

// file stores what was learned, and reports whether the book was stored: see fileBook. The
// book comes last: without the cells of a document nobody would know, when it is forgotten,
// that a centre in the file may tell of it.
func (l *Local) file(ctx context.Context, h *spaceSlot, n learned) (kept bool, err error) {
	if err := l.removeBook(ctx, h.row.id); err != nil {
		return false, err
	}
	if err := l.storeCells(ctx, h); err != nil {
		return false, err
	}
	return l.fileBook(ctx, h.row.id, n)
}

// removeBook removes the stored book of a model, which other cells take the place of.
func (l *Local) removeBook(ctx context.Context, model int64) error {
	return l.write(ctx, "storing the cells of vectors", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM codebook WHERE model=?", model)
		return err
	})
}

// fileBook stores a book, unless it tells of documents that were removed or replaced while
// it was learned.
func (l *Local) fileBook(ctx context.Context, model int64, n learned) (kept bool, err error) {
	err = l.write(ctx, "storing the cells of vectors", func(tx *sql.Tx) error {
		var gone []int64
		if n.book.Probes > 0 {
			if gone, err = goneSince(ctx, tx, model, n); err != nil {
				return err
			}
		}
		if kept = !telling(n.assigned, gone); !kept {
			return nil
		}
		return storeBook(ctx, tx, model, n.version, n.book)
	})
	return kept && err == nil, err
}

// every returns about n of all, evenly.
func every(all [][]float32, n int) [][]float32 {
	if len(all) <= n {
		return all
	}
	out := make([][]float32, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

func vectorsIn(docs map[int64]slab, assigned map[int64][]uint16, dims int) cells.Vectors {
	return func(yield func([]float32, uint16) bool) {
		for doc, sl := range docs {
			for i, c := range assigned[doc] {
				if c != cells.None && !yield(sl.v[i*dims:(i+1)*dims], c) {
					return
				}
			}
		}
	}
}

// storeBook stores a book. If it says that all vectors should be read, its centres are left
// out: no document has cells then, so that they would outlive what they tell of.
func storeBook(ctx context.Context, tx *sql.Tx, model, version int64, b *cells.Book) error {
	centres := []byte{}
	if b.Probes > 0 {
		centres = b.Encode()
	}
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO codebook(model, version, vectors, probes, spread, recall, centres) VALUES(?, ?, ?, ?, ?, ?, ?)",
		model, version, b.Learned, b.Probes, b.Spread, b.Recall, centres)
	return err
}

// storedCells returns the cells of documents by the stored codebook of that version.
func (l *Local) storedCells(ctx context.Context, row modelRow, version int64) (map[int64][]uint16, error) {
	out := map[int64][]uint16{}
	err := l.read(ctx, "reading the cells of vectors", func(tx *sql.Tx) error {
		return eachRow(ctx, tx, "SELECT c.doc, c.cells FROM cell c JOIN vec v ON v.doc=c.doc AND v.model=c.model AND ifnull(v.sum, c.sum)=c.sum WHERE c.model=? AND c.version=?",
			[]any{row.id, version}, func(r scanner) error {
				var doc int64
				var blob []byte
				err := r.Scan(&doc, &blob)
				out[doc] = decodeCells(blob)
				return err
			})
	})
	return out, err
}

// storeCells stores the cells of the documents that have none in the file, unless the file
// has another book. Rows of documents whose vectors were replaced or removed meanwhile are
// left out. Vectors of layouts before 5 have no checksum; those that take their place do.
func (l *Local) storeCells(ctx context.Context, h *spaceSlot) error {
	docs, version := h.space.takeUnstored()
	for batch := range slices.Chunk(docs, storeBatch) {
		slabs := h.space.slabs(batch)
		err := l.write(ctx, "storing the cells of vectors", func(tx *sql.Tx) error {
			for doc, sl := range slabs {
				if sl.cells == nil {
					continue
				}
				_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO cell(model, doc, version, sum, cells)
					SELECT v.model, v.doc, ?1, ?5, ?2 FROM vec v LEFT JOIN codebook b ON b.model=v.model
					WHERE v.doc=?3 AND v.model=?4 AND ifnull(v.sum, ?5)=?5 AND ifnull(b.version, ?1)=?1`,
					version, encodeCells(sl.cells), doc, h.row.id, checksum(encode(sl.v)))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
