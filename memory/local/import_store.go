package local

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

func importModel(ctx context.Context, tx *sql.Tx, m *transfer.ModelLine) error {
	if m.Name == "" || m.Dims <= 0 {
		return fmt.Errorf("the model %q has %d dimensions", m.Name, m.Dims)
	}
	var active bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM vec WHERE model IN (SELECT id FROM model WHERE active=1))").Scan(&active); err != nil {
		return err
	}
	row, err := ensureModel(ctx, tx, evidence.Model{Name: m.Name, Revision: m.Revision, Dims: m.Dims, Kind: m.Kind})
	if err != nil || active || !m.Active {
		return err
	}
	return activate(ctx, tx, row.id)
}

// activate makes a model the active one.
func activate(ctx context.Context, tx *sql.Tx, model int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE model SET active=0 WHERE active=1"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE model SET active=1, wanted=0 WHERE id=?", model); err != nil {
		return err
	}
	return logChange(ctx, tx, 0)
}

// readyLine prepares a document of an export.
func (l *Local) readyLine(d *transfer.DocumentLine, lenient bool) (transfer.Keep[*sql.Tx], error) {
	var chunks evidence.Chunks
	for _, c := range d.Chunks {
		chunks.Items = append(chunks.Items, evidence.Chunk{Start: c[0], End: c[1]})
	}
	e, err := l.prepareEntry(d.Document, chunks)
	if err != nil {
		return nil, err
	}
	e.pinned = d.Pinned
	return func(ctx context.Context, tx *sql.Tx, m *contract.Moved) error {
		return importDocument(ctx, tx, e, d, lenient, m)
	}, nil
}

// mergeOwners adds the reasons for which a document is kept: it was put outside
// of sessions, is pinned, or belongs to sessions. Without them a later Forget
// would remove too much.
func mergeOwners(ctx context.Context, tx *sql.Tx, doc int64, d *transfer.DocumentLine) error {
	if _, err := tx.ExecContext(ctx, "UPDATE doc SET own=max(own, ?), pinned=max(pinned, ?) WHERE id=?", d.Own, d.Pinned, doc); err != nil {
		return err
	}
	for _, k := range d.Sessions {
		if _, err := tx.ExecContext(ctx, "INSERT INTO link(session, doc, put) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET put=max(put, excluded.put)", k.ID, doc, k.Put); err != nil {
			return err
		}
	}
	return nil
}

// importDocument stores a document. If lenient, vectors that do not fit it are left
// out.
func importDocument(ctx context.Context, tx *sql.Tx, e *entry, d *transfer.DocumentLine, lenient bool, m *contract.Moved) error {
	old, err := findDoc(ctx, tx, e.doc.ID)
	if err != nil {
		return err
	}
	if old.id != 0 {
		m.Skipped++
		return mergeOwners(ctx, tx, old.id, d)
	}
	var r evidence.Receipt
	if err := putEntry(ctx, tx, e, &r); err != nil {
		return err
	}
	m.Documents++
	m.Chunks += len(e.chunks)
	m.Warnings = append(m.Warnings, e.notes...)
	var doc, first int64
	if err := tx.QueryRowContext(ctx, "SELECT d.id, c.id FROM doc d JOIN chunk c ON c.doc=d.id AND c.ord=0 WHERE d.uid=?", e.doc.ID).Scan(&doc, &first); err != nil {
		return err
	}
	// Put has marked it as put outside of sessions: restore what the export
	// says.
	if _, err := tx.ExecContext(ctx, "UPDATE doc SET own=? WHERE id=?", d.Own, doc); err != nil {
		return err
	}
	if err := mergeOwners(ctx, tx, doc, d); err != nil {
		return err
	}
	with := 0
	for _, v := range d.Vectors {
		err := importVectors(ctx, tx, doc, first, e, v, &r)
		if err != nil && lenient && passing(err) == nil {
			m.Warnings = append(m.Warnings, fmt.Sprintf("vectors were left out: %v", err))
			continue
		}
		if err != nil {
			return err
		}
		with++
	}
	if with > 0 {
		m.Vectors++
	}
	m.Warnings = append(m.Warnings, r.Warnings...)
	return nil
}

func importVectors(ctx context.Context, tx *sql.Tx, doc, first int64, e *entry, v transfer.VectorLine, r *evidence.Receipt) error {
	row, ok, err := findModel(ctx, tx, evidence.Model{Name: v.Model, Revision: v.Revision})
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("document %q has vectors of the model %q, which no earlier line describes", intake.Name(e.doc), v.Model)
	}
	dims := len(v.Data) / 4 / len(e.chunks)
	if dims != row.model.Dims {
		r.Warnings = append(r.Warnings, intake.OtherDims(row.model, dims)+"; the document is found by words")
		return nil
	}
	all, err := decode(v.Data, len(e.chunks), dims)
	if err != nil {
		return err
	}
	for at := 0; at < len(all); at += dims {
		if err := checkUnit(all[at : at+dims]); err != nil {
			return fmt.Errorf("document %q: %w", intake.Name(e.doc), err)
		}
	}
	with := *e
	with.model, with.vectors = row.model, all
	return addVectors(ctx, tx, doc, first, &with, r)
}

// importSession stores a session with its turns under their original numbers.
func (l *Local) importSession(ctx context.Context, tx *sql.Tx, s *transfer.SessionLine, m *contract.Moved) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO session(uid, title, summary, summary_to, created, updated) VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(uid) DO NOTHING`,
		s.ID, s.Title, s.Summary, s.SummaryTo, s.Created.UnixMicro(), s.Updated.UnixMicro())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		m.Skipped++
		return nil
	}
	row, err := findSession(ctx, tx, s.ID)
	if err != nil {
		return err
	}
	for _, t := range s.Turns {
		if t.Run != nil {
			var there bool
			if err := tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM run WHERE uid=?)", t.Run.RunID).Scan(&there); err != nil {
				return err
			}
			if there {
				m.Warnings = append(m.Warnings, fmt.Sprintf("answer %s already exists in another session", t.Run.RunID))
				t.Run = nil
			}
		}
		if err := l.insertTurn(ctx, tx, row, s.ID, t.Seq, evidence.Turn(t)); err != nil {
			return err
		}
		m.Turns++
	}
	m.Sessions++
	_, err = tx.ExecContext(ctx, "UPDATE session SET title=? WHERE id=?", s.Title, row)
	return err
}
