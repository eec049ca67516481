package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/philippgille/chromem-go"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// space is the index in RAM of the vectors of one model: a chromem-go
// collection, and the vectors by document. It checks what chromem does not: a
// vector of another length or with a NaN would spoil every later query, asking
// for too many results is an error, deleting an empty selection deletes
// everything, and a cancelled query returns no results without an error.
type space struct {
	model evidence.Model
	col   *chromem.Collection

	mu   sync.RWMutex // read-locked while a query runs, so that n does not change
	docs map[int64]slab
	n    int // vectors
}

// slab holds the vectors of one document; the collection shares its memory.
type slab struct {
	first int64 // id of the first chunk
	v     []float32
}

// near is a chunk and its cosine similarity to the query.
type near struct {
	chunk, doc int64
	cos        float64
}

var errNoText = errors.New("the index accepts vectors only")

func newSpace(m evidence.Model) (*space, error) {
	if m.Dims <= 0 {
		return nil, fmt.Errorf("the model %s has %d dimensions", m.Name, m.Dims)
	}
	refuse := func(context.Context, string) ([]float32, error) { return nil, errNoText }
	col, err := chromem.NewDB().CreateCollection("chunks", nil, refuse)
	if err != nil {
		return nil, fmt.Errorf("creating the index: %w", err)
	}
	return &space{model: m, col: col, docs: map[int64]slab{}}, nil
}

// key returns the id of a chunk in chromem: the whole ids, so that there are no
// collisions.
func key(doc, chunk int64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(doc))   //nolint:gosec // bits, not a number
	binary.BigEndian.PutUint64(b[8:], uint64(chunk)) //nolint:gosec // bits, not a number
	return string(b[:])
}

func unkey(id string) (doc, chunk int64) {
	b := []byte(id)
	return int64(binary.BigEndian.Uint64(b[:8])), int64(binary.BigEndian.Uint64(b[8:])) //nolint:gosec // bits, not a number
}

// add adds or replaces the vectors of a document, and takes ownership of v. A
// zero vector stands for a chunk without one; any other vector that is not of
// unit length is an error.
func (s *space) add(ctx context.Context, doc, first int64, v []float32) error {
	dims := s.model.Dims
	if len(v)%dims != 0 {
		return fmt.Errorf("%d numbers cannot be vectors of %d dimensions", len(v), dims)
	}
	for at := 0; at < len(v); at += dims {
		if err := checkUnit(v[at : at+dims]); err != nil {
			return fmt.Errorf("chunk %d: %w", first+int64(at/dims), err)
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
	s.docs[doc] = slab{first: first, v: v}
	for at := 0; at < len(v); at += dims {
		if isZero(v[at : at+dims]) {
			continue
		}
		// The context was checked above: a document is added as a whole.
		d := chromem.Document{ID: key(doc, first+int64(at/dims)), Embedding: v[at : at+dims : at+dims]}
		if err := s.col.AddDocument(context.WithoutCancel(ctx), d); err != nil {
			return fmt.Errorf("indexing chunk %d: %w", first+int64(at/dims), err)
		}
		s.n++
	}
	return nil
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
	dims := s.model.Dims
	ids := make([]string, 0, len(old.v)/dims)
	for at := 0; at < len(old.v); at += dims {
		if !isZero(old.v[at : at+dims]) {
			ids = append(ids, key(doc, old.first+int64(at/dims)))
		}
	}
	if len(ids) == 0 { // chromem would delete all documents
		return nil
	}
	if err := s.col.Delete(context.Background(), nil, nil, ids...); err != nil {
		return fmt.Errorf("removing a document from the index: %w", err)
	}
	s.n -= len(ids)
	return nil
}

// size returns how many vectors and documents are indexed.
func (s *space) size() (vectors, docs int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.n, len(s.docs)
}

// query returns the k chunks nearest to the unit vector q, nearest first.
func (s *space) query(ctx context.Context, q []float32, k int) ([]near, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k = min(k, s.n); k <= 0 {
		return nil, ctx.Err()
	}
	found, err := s.col.QueryEmbedding(ctx, q, k, nil, nil)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("searching the index: %w", err)
	}
	out := make([]near, 0, len(found))
	for _, f := range found {
		doc, chunk := unkey(f.ID)
		out = append(out, near{chunk: chunk, doc: doc, cos: float64(f.Similarity)})
	}
	return out, nil
}

// scan is query over the documents in allowed only. The filters of chromem
// support equality of metadata only, at almost the cost of no filter.
func (s *space) scan(ctx context.Context, q []float32, k int, allowed map[int64]bool) ([]near, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []near
	for doc := range allowed {
		sl, ok := s.docs[doc]
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = appendNear(out, doc, sl, q)
	}
	return nearest(out, k), ctx.Err()
}

func appendNear(out []near, doc int64, sl slab, q []float32) []near {
	for at := 0; at+len(q) <= len(sl.v); at += len(q) {
		v := sl.v[at : at+len(q)]
		if !isZero(v) {
			out = append(out, near{chunk: sl.first + int64(at/len(q)), doc: doc, cos: float64(dot(q, v))})
		}
	}
	return out
}

// nearest sorts, and returns the first k; equal ones are ordered by age.
func nearest(all []near, k int) []near {
	slices.SortFunc(all, func(a, b near) int {
		switch {
		case a.cos > b.cos:
			return -1
		case a.cos < b.cos:
			return 1
		}
		return int(a.chunk - b.chunk)
	})
	return all[:min(k, len(all))]
}

// slabs returns the vectors of documents; they are read-only.
func (s *space) slabs(docs map[int64]bool) map[int64]slab {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[int64]slab, len(docs))
	for doc := range docs {
		if sl, ok := s.docs[doc]; ok {
			out[doc] = sl
		}
	}
	return out
}
