package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// errNoChunks and errNotStored are damage that SQLite does not see.
var (
	errNoChunks  = errors.New("its text or its chunks are missing")
	errNotStored = errors.New("its vectors cannot be stored")
)

// errNotAPiece is a chunk whose offsets are not those of its text.
type errNotAPiece int64

func (e errNotAPiece) Error() string {
	return fmt.Sprintf("chunk %d is not a piece of its text", int64(e))
}

// ofOneDocument reports whether an error is damage that costs one document its
// vectors, and no reason to leave out the others.
func ofOneDocument(err error) bool {
	var piece errNotAPiece
	return isDamaged(err) || errors.As(err, &piece) || errors.Is(err, errNoChunks) || errors.Is(err, errNotStored)
}

// embedding is what one FillVectors or Reindex knows of the documents: those that are
// damaged are left out and named, and the others get their vectors.
type embedding struct {
	p       *contract.Progress
	left    map[int64]bool   // row ids of those that are left out
	tried   map[int64]uint64 // what again has seen of a document, as a hash
	seed    maphash.Seed
	from    int64   // Reindex has looked at the documents up to this one, FillVectors at those from here on
	newest  int64   // but not at those that came after this one
	scanned bool    // the table cannot be scanned as a whole
	listed  []int64 // then: the ids, found one by one
	at      int     // of them, how many were looked at
	seq     int64   // the last change before they were listed
	counting
}

func newEmbedding(p *contract.Progress) *embedding {
	return &embedding{p: p, left: map[int64]bool{}, tried: map[int64]uint64{}, seed: maphash.MakeSeed()}
}

// leaveOut names a document that gets no vectors.
func (e *embedding) leaveOut(ctx context.Context, tx querier, doc int64) {
	if e.left[doc] {
		return
	}
	e.left[doc] = true
	e.p.Skipped++
	if len(e.p.Unreadable) < maxNamed {
		var uid string
		if tx.QueryRowContext(ctx, "SELECT uid FROM doc WHERE id=?", doc).Scan(&uid) != nil || uid == "" {
			uid = fmt.Sprintf("row %d", doc)
		}
		e.p.Unreadable = append(e.p.Unreadable, uid)
	}
}

// again is an error if the document was given vectors before, as it is now: they were
// not stored, and will not be.
func (e *embedding) again(j job) error {
	as := maphash.Comparable(e.seed, struct {
		hash   string
		first  int64
		chunks int
	}{j.hash, j.first, len(j.texts)})
	if before, ok := e.tried[j.doc]; ok && before == as {
		return errNotStored
	}
	e.tried[j.doc] = as
	return nil
}

// look selects documents that lack vectors of the model ?1, without those in ?2, or the one
// whose id is ?3 (0: any), up to ?4 of them, on one side of the document ?5.
type look struct {
	query string
	side  int64
}

// next returns up to most ids of documents that lack vectors of a model: of the first of looks
// that finds any. The last one looks at all documents: those that were looked at before may
// have changed.
func (e *embedding) next(ctx context.Context, tx *sql.Tx, model int64, most int, looks ...look) ([]int64, error) {
	all := looks[len(looks)-1]
	if !e.scanned {
		docs, err := e.scan(ctx, tx, model, most, looks)
		if !isDamaged(err) {
			return docs, err
		}
		e.scanned, e.seq = true, -1
	}
	var docs []int64
	for len(docs) < most {
		if e.at == len(e.listed) {
			if len(docs) > 0 {
				break // those still lack vectors, and would be found again
			}
			if some, err := e.list(ctx, tx); err != nil || !some {
				return nil, err
			}
		}
		doc := e.listed[e.at]
		e.at++
		if e.left[doc] {
			continue
		}
		one, err := int64s(ctx, tx, all.query, model, "[]", doc, 1, all.side)
		if isDamaged(err) {
			e.leaveOut(ctx, tx, doc)
			continue
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, one...)
	}
	return docs, nil
}

func (e *embedding) scan(ctx context.Context, tx *sql.Tx, model int64, most int, looks []look) (docs []int64, err error) {
	left := jsonIDs(slices.Collect(maps.Keys(e.left)))
	for _, at := range looks {
		if docs, err = int64s(ctx, tx, at.query, model, left, 0, most, at.side); err != nil || len(docs) > 0 {
			break
		}
	}
	return docs, err
}

// list finds the ids one by one, the newest first: at first, and when all were looked at, if
// anything was stored or changed since, because what lacks vectors then has changed or come
// meanwhile. It reports whether there are any.
func (e *embedding) list(ctx context.Context, tx *sql.Tx) (some bool, err error) {
	seq, err := lastChange(ctx, tx)
	if isDamaged(err) {
		seq, err = 0, nil // whether anything was changed is not known
	}
	if err != nil || seq == e.seq {
		return false, err
	}
	ids, _, err := rowIDs(ctx, tx, "doc")
	if err != nil {
		return false, err
	}
	slices.Reverse(ids)
	e.listed, e.at, e.seq = ids, 0, seq
	return len(ids) > 0, nil
}

// putBack returns ids of next that were not looked at.
func (e *embedding) putBack(docs []int64) {
	if e.scanned {
		e.at -= len(docs) // there were as many before it, if not the same
		copy(e.listed[e.at:], docs)
	}
}

// eachAlone calls store with all jobs, and if that meets damage, with each alone: those that
// fail alone are left out.
func eachAlone[J any](ctx context.Context, l *Local, e *embedding, jobs []J, doc func(J) int64, store func([]J) error) error {
	err := store(jobs)
	if err == nil || !ofOneDocument(err) {
		return err
	}
	for _, j := range jobs {
		if err := store([]J{j}); err != nil {
			if !ofOneDocument(err) {
				return err
			}
			e.leaveOut(ctx, l.rdb, doc(j))
			e.handed--
		}
	}
	return nil
}
