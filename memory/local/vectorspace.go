package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/philippgille/chromem-go"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// space is the index in RAM of the vectors of one model: chromem-go collections, and
// the vectors by document. A small space is one collection. A large one is divided into
// cells, each a collection, of which a query reads the nearest ones: see memory/cells. It
// checks what chromem does not: a vector of another length or with a NaN would spoil every
// later query, asking for too many results is an error, deleting an empty selection deletes
// everything, and a cancelled query returns no results without an error.
type space struct {
	model evidence.Model
	sizes

	mu    sync.RWMutex // read-locked while a query runs, so that nothing below changes
	docs  map[int64]slab
	n     int         // vectors
	cells collection  // by cell; a space without a book has one
	book  *cells.Book // nil: not learned
	fresh drift       // what came since the book was learned

	version  int64          // of the book
	filed    bool           // the book is in the file
	void     bool           // the file has another book, or none: it has to be exchanged
	barren   int            // with so many vectors nothing was learned
	unstored map[int64]bool // documents whose cells are not in the file
	gone     int            // numbers of packed documents that were removed
}

type collection []*chromem.Collection

// slab holds the vectors of one document; the collections share its memory.
type slab struct {
	first int64 // id of the first chunk
	v     []float32
	cells []uint16 // of each vector; nil: the space is not divided

	packed bool // v is a part of a block; see packer
}

func (sl slab) cell(i int) int {
	if sl.cells == nil {
		return 0
	}
	return int(sl.cells[i])
}

// near is a chunk and its cosine similarity to the query.
type near struct {
	chunk, doc int64
	cos        float64
}

var errNoText = errors.New("the index accepts vectors only")

func newSpace(m evidence.Model, by sizes) (*space, error) {
	if m.Dims <= 0 {
		return nil, fmt.Errorf("the model %s has %d dimensions", m.Name, m.Dims)
	}
	cols, err := newCollections(1)
	return &space{model: m, sizes: by, cells: cols, docs: map[int64]slab{}, unstored: map[int64]bool{}}, err
}

func newCollections(n int) (collection, error) {
	refuse := func(context.Context, string) ([]float32, error) { return nil, errNoText }
	out := make(collection, n)
	for i := range out {
		col, err := chromem.NewDB().CreateCollection("chunks", nil, refuse)
		if err != nil {
			return nil, fmt.Errorf("creating the index: %w", err)
		}
		out[i] = col
	}
	return out, nil
}

// keys returns the ids of the chunks of a document in chromem: the whole ids, so that there
// are no collisions. They share their memory, so that the collector has less to look at.
func keys(doc, first int64, n int) []string {
	b := make([]byte, 0, 16*n)
	for i := range n {
		b = binary.BigEndian.AppendUint64(b, uint64(doc))             //nolint:gosec // bits, not a number
		b = binary.BigEndian.AppendUint64(b, uint64(first)+uint64(i)) //nolint:gosec // bits, not a number
	}
	all, out := string(b), make([]string, n)
	for i := range out {
		out[i] = all[16*i : 16*i+16]
	}
	return out
}

func unkey(id string) (doc, chunk int64) {
	b := []byte(id)
	return int64(binary.BigEndian.Uint64(b[:8])), int64(binary.BigEndian.Uint64(b[8:])) //nolint:gosec // bits, not a number
}

// add adds or replaces the vectors of a document, and takes ownership of them. A
// zero vector stands for a chunk without one; any other vector that is not of
// unit length is an error. known is the cell of each, if the space is divided and they
// are known.
func (s *space) add(ctx context.Context, doc int64, sl slab, known []uint16) error {
	dims, v := s.model.Dims, sl.v
	if len(v)%dims != 0 {
		return fmt.Errorf("%d numbers cannot be vectors of %d dimensions", len(v), dims)
	}
	for at := 0; at < len(v); at += dims {
		if err := checkUnit(v[at : at+dims]); err != nil {
			return fmt.Errorf("chunk %d: %w", sl.first+int64(at/dims), err)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.drop(doc); err != nil {
		return err
	}
	return s.put(doc, sl, known)
}

// put adds a document that is not in the space. known is as of add.
func (s *space) put(doc int64, sl slab, known []uint16) error {
	if sl.cells = nil; s.divided() {
		if sl.cells = known; !fits(known, sl, s.book) {
			sl.cells = s.fresh.assign(s.book, sl.v)
			s.unstored[doc] = true
		}
	}
	s.docs[doc] = sl
	n, err := s.cells.add(doc, sl, s.model.Dims)
	s.n += n
	return err
}

// fits reports whether cells are those of the vectors of a slab.
func fits(known []uint16, sl slab, book *cells.Book) bool {
	if known == nil || len(known) != len(sl.v)/book.Dims {
		return false
	}
	for i, c := range known {
		if none := intake.IsZero(sl.v[i*book.Dims : (i+1)*book.Dims]); none != (c == cells.None) || !none && int(c) >= book.Cells() {
			return false
		}
	}
	return true
}

// add adds the vectors of a document, and returns how many there were. The caller checked
// whether to go on: a document is added as a whole.
func (cols collection) add(doc int64, sl slab, dims int) (n int, err error) {
	ids := keys(doc, sl.first, len(sl.v)/dims)
	for i := range len(sl.v) / dims {
		v := sl.v[i*dims : (i+1)*dims : (i+1)*dims]
		if intake.IsZero(v) {
			continue
		}
		d := chromem.Document{ID: ids[i], Embedding: v}
		if err := cols[sl.cell(i)].AddDocument(context.Background(), d); err != nil {
			return n, fmt.Errorf("indexing chunk %d: %w", sl.first+int64(i), err)
		}
		n++
	}
	return n, nil
}

// drop removes the vectors of a document, and returns how many there were.
func (cols collection) drop(doc int64, sl slab, dims int) (n int, err error) {
	ids := map[int][]string{}
	for i, id := range keys(doc, sl.first, len(sl.v)/dims) {
		if !intake.IsZero(sl.v[i*dims : (i+1)*dims]) {
			ids[sl.cell(i)] = append(ids[sl.cell(i)], id)
			n++
		}
	}
	for cell, some := range ids { // never an empty one: chromem would delete all documents
		if err := cols[cell].Delete(context.Background(), nil, nil, some...); err != nil {
			return n, fmt.Errorf("removing a document from the index: %w", err)
		}
	}
	return n, nil
}

func checkUnit(v []float32) error {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum != 0 && !(math.Abs(sum-1) < 1e-3) { // false for NaN
		return fmt.Errorf("a vector has length %v, want 1", math.Sqrt(sum))
	}
	return nil
}

// remove removes a document, if it is in the space.
func (s *space) remove(doc int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(doc)
}

func (s *space) drop(doc int64) error {
	old, ok := s.docs[doc]
	if !ok {
		return nil
	}
	delete(s.docs, doc)
	delete(s.unstored, doc)
	if old.packed {
		s.gone += len(old.v)
	}
	n, err := s.cells.drop(doc, old, s.model.Dims)
	s.n -= n
	return err
}

// size returns how many vectors and documents are indexed.
func (s *space) size() (vectors, docs int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.n, len(s.docs)
}

// slabs returns the vectors of documents; they are read-only.
func (s *space) slabs(docs []int64) map[int64]slab {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[int64]slab, len(docs))
	for _, doc := range docs {
		if sl, ok := s.docs[doc]; ok {
			out[doc] = sl
		}
	}
	return out
}
