package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// entry is a document prepared for writing before a lock is taken.
type entry struct {
	doc     evidence.Document // cleaned; Meta without the session
	session string
	pinned  bool
	own     bool // put outside of sessions
	turn    sql.NullInt64
	hash    string
	chunks  []chunkRow
	model   evidence.Model // zero if there are no vectors
	vectors []float32      // len(chunks)*model.Dims; each of unit length or zero
	notes   []string
}

type chunkRow struct {
	start, end int
	simhash    uint64
	terms      string
	n          int // terms
}

// Put stores a document; see contract.Store.
func (l *Local) Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	e, err := l.prepareEntry(doc, chunks)
	if err != nil {
		return evidence.Receipt{}, err
	}
	return l.putGrouped(ctx, e)
}

// prepareEntry checks and cleans a document, and does the work that needs no
// lock.
func (l *Local) prepareEntry(doc evidence.Document, chunks evidence.Chunks) (*entry, error) {
	if err := intake.CheckModel(chunks.Model); err != nil {
		return nil, err
	}
	in, err := intake.Take(doc, chunks.Items, l.voc.Vocabulary, l.cfg.MaxText, l.now())
	if err != nil {
		return nil, err
	}
	e := &entry{doc: in.Document, session: in.Session, pinned: in.Pinned, own: in.Session == "", turn: sql.NullInt64{Int64: in.Seq, Valid: in.Turn}, hash: in.Hash, notes: in.Notes}
	for _, p := range in.Pieces {
		e.chunks = append(e.chunks, chunkRow{start: p.Start, end: p.Stop, simhash: p.Simhash, terms: p.Terms, n: p.Count})
	}
	e.takeVectors(chunks)
	return e, nil
}

// putEntry writes e and fills r.
func putEntry(ctx context.Context, tx *sql.Tx, e *entry, r *evidence.Receipt) error {
	old, err := findDoc(ctx, tx, e.doc.ID)
	if err != nil {
		return err
	}
	it := *e // what it takes over from the stored document is not there if the transaction fails
	e = &it
	if old.id != 0 && old.hash == e.hash {
		same, err := sameChunks(ctx, tx, old.id, e.chunks)
		if err != nil {
			return err
		}
		if same {
			r.Deduplicated, r.Chunks = true, len(e.chunks)
			return refresh(ctx, tx, old, e, r)
		}
		r.Deduplicated = true // the text is the same; its chunks have changed
	}
	if old.id != 0 {
		if err := removeChunks(ctx, tx, jsonIDs([]int64{old.id})); err != nil {
			return err
		}
		err = updateDoc(ctx, tx, old, e)
	} else {
		old.id, err = insertDoc(ctx, tx, e)
		r.Documents = 1
	}
	if err != nil {
		return err
	}
	if !r.Deduplicated {
		r.Documents = 1
	}
	r.Chunks = len(e.chunks)
	first, err := insertChunks(ctx, tx, old.id, e.chunks)
	if err != nil {
		return err
	}
	if err := attach(ctx, tx, old.id, e); err != nil {
		return err
	}
	if err := addVectors(ctx, tx, old.id, first, e, r); err != nil {
		return err
	}
	return logChange(ctx, tx, old.id)
}

// storedDoc is what Put needs to know of a stored document.
type storedDoc struct {
	id        int64
	hash      string
	bytes     int
	retrieved int64
	own       bool
	pinned    bool
	tags      string
}

func findDoc(ctx context.Context, tx *sql.Tx, uid string) (storedDoc, error) {
	var k storedDoc
	err := tx.QueryRowContext(ctx, "SELECT id, hash, bytes, retrieved, own, pinned, tags FROM doc WHERE uid=?", uid).
		Scan(&k.id, &k.hash, &k.bytes, &k.retrieved, &k.own, &k.pinned, &k.tags)
	if errors.Is(err, sql.ErrNoRows) {
		return storedDoc{}, nil
	}
	return k, err
}

func sameChunks(ctx context.Context, tx *sql.Tx, doc int64, cuts []chunkRow) (bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT start, stop FROM chunk WHERE doc=? ORDER BY ord", doc)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	i := 0
	for ; rows.Next(); i++ {
		var start, stop int
		if err := rows.Scan(&start, &stop); err != nil {
			return false, err
		}
		if i >= len(cuts) || cuts[i].start != start || cuts[i].end != stop {
			return false, rows.Close()
		}
	}
	return i == len(cuts), rows.Err()
}

// refresh records that a stored text was retrieved again: it updates the
// retrieval time, and adds tags, a session and vectors of another model.
func refresh(ctx context.Context, tx *sql.Tx, old storedDoc, e *entry, r *evidence.Receipt) error {
	e.doc.Tags = union(old.tags, e.doc.Tags)
	tags, err := json.Marshal(e.doc.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE doc SET retrieved=max(retrieved, ?), revision=CASE WHEN ?='' THEN revision ELSE ? END,
		own=max(own, ?), pinned=max(pinned, ?), tags=? WHERE id=?`,
		micros(e.doc.Retrieved), e.doc.Revision, e.doc.Revision, e.own, e.pinned, string(tags), old.id)
	if err != nil {
		return err
	}
	if err := attach(ctx, tx, old.id, e); err != nil {
		return err
	}
	if e.model.IsZero() {
		return nil
	}
	var first int64
	if err := tx.QueryRowContext(ctx, "SELECT id FROM chunk WHERE doc=? AND ord=0", old.id).Scan(&first); err != nil {
		return err
	}
	return addVectors(ctx, tx, old.id, first, e, r)
}

func union(stored string, tags []string) []string {
	var have []string
	_ = json.Unmarshal([]byte(stored), &have) // unreadable: no tags
	for _, t := range tags {
		if !slices.Contains(have, t) {
			have = append(have, t)
		}
	}
	slices.Sort(have)
	if have == nil {
		have = []string{}
	}
	return have
}

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func fromMicros(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
