package local

import (
	"context"
	"maps"

	"github.com/research-mcp/research-mcp/memory/cells"
)

// work is what is to be done for the cells of a space.
type work int

const (
	nothingToDo work = iota
	learnCells
	storeCells
)

func (s *space) divided() bool { return s.book != nil && s.book.Probes > 0 }

// tidyWork reports what is to be done for the cells.
func (s *space) tidyWork() work {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.n < s.divideFrom || s.barren > 0 && s.n/grown <= s.barren:
		return nothingToDo
	case s.book == nil || s.void || s.fresh.stale(s.book, s.n):
		return learnCells
	case len(s.unstored) >= storeFrom:
		return storeCells
	}
	return nothingToDo
}

func (s *space) bookVersion() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version
}

// filedAs returns the version of the book, if it is in the file and there is nothing to do
// for it.
func (s *space) filedAs() (version int64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version, s.book != nil && s.filed && !s.void && s.n >= s.divideFrom
}

// mark changes what is known of the book, if it is still that of version.
func (s *space) mark(version int64, change func(*space)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == version {
		change(s)
	}
}

// use sets the book of an empty space.
func (s *space) use(book *cells.Book, version int64) error {
	if book == nil {
		return nil
	}
	s.book, s.version = book, version
	var err error
	if s.divided() {
		s.cells, err = newCollections(book.Cells())
	}
	return err
}

// snapshot returns the documents of this moment. The vectors are read-only.
func (s *space) snapshot() map[int64]slab {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.docs)
}

// catchUps is how often divide makes up for what has changed meanwhile before queries have to
// wait for the rest.
const catchUps = 4

// divide distributes the vectors to the cells of a book. Documents that were replaced since
// have no cells in by; stored tells whether those of the others are in the file. The
// collections are made beside those in use; the last of what changes meanwhile is brought up
// to date at the end, while queries wait.
func (s *space) divide(ctx context.Context, by learned, stored bool, pause func()) error {
	next := &space{model: s.model, sizes: s.sizes, docs: map[int64]slab{}, unstored: map[int64]bool{}}
	var err error
	if next.cells, err = newCollections(1); err != nil {
		return err
	}
	if err := next.use(by.book, by.version); err != nil {
		return err
	}
	before := s.snapshot()
	n := 0
	for doc, sl := range before {
		if n++; n%pauseAfter == 1 {
			pause()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := next.put(doc, sl, by.cellsOf(doc, sl)); err != nil {
			return err
		}
		if !stored && next.divided() {
			next.unstored[doc] = true
		}
	}
	next.fresh = drift{} // these are not new
	for range catchUps {
		now := s.snapshot()
		n, err := next.follow(ctx, before, now, pause)
		if err != nil {
			return err
		}
		if before = now; n < pauseAfter {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := next.follow(ctx, before, s.docs, func() {}); err != nil {
		return err
	}
	s.docs, s.n, s.cells, s.book, s.version, s.fresh, s.unstored = next.docs, next.n, next.cells, next.book, next.version, next.fresh, next.unstored
	s.filed, s.void, s.barren = stored, false, 0
	return nil
}

// follow changes a space from the documents before to those of now, and returns how many
// differ.
func (s *space) follow(ctx context.Context, before, now map[int64]slab, pause func()) (n int, err error) {
	for doc := range before {
		if _, ok := now[doc]; !ok {
			if err := s.drop(doc); err != nil {
				return n, err
			}
			n++
		}
	}
	for doc, sl := range now {
		if old, ok := before[doc]; ok && sameSlab(old, sl) {
			continue
		}
		if n++; n%pauseAfter == 1 {
			pause()
		}
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err := s.drop(doc); err != nil {
			return n, err
		}
		if err := s.put(doc, sl, nil); err != nil {
			return n, err
		}
	}
	return n, nil
}

func sameSlab(a, b slab) bool {
	return a.first == b.first && len(a.v) == len(b.v) && (len(a.v) == 0 || &a.v[0] == &b.v[0])
}

// takeUnstored returns the documents whose cells are not stored, and the version of the
// cells. They count as stored from now on: if storing fails, the next load finds their
// cells again.
func (s *space) takeUnstored() ([]int64, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]int64, 0, len(s.unstored))
	for doc := range s.unstored {
		out = append(out, doc)
	}
	clear(s.unstored)
	return out, s.version
}
