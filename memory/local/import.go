package local

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// Lines are stored in batches, so that no lock is held while the next one
	// is read.
	batchLines = 200
	batchBytes = 8 << 20
	// maxLine fits the largest document with the vectors of several models.
	maxLine = 512 << 20
)

// importer reads lines and stores them in batches.
type importer struct {
	l       *Local
	moved   contract.Moved
	batch   []item
	size    int
	end     bool
	cleaned int // documents from which invisible characters were removed
}

// item is a line that waits to be stored.
type item struct {
	line int
	keep func(ctx context.Context, tx *sql.Tx, m *contract.Moved) error
}

// Import reads what Export wrote; see contract.Exporter.
func (l *Local) Import(ctx context.Context, r io.Reader) (contract.Moved, error) {
	im := &importer{l: l, moved: contract.Moved{Warnings: []string{}}}
	if err := ctx.Err(); err != nil {
		return im.moved, err
	}
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		b, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = im.take(b, n)
		}
		if err != nil {
			kept := im.flush(ctx) // the lines before the bad one
			if kept != nil || ctx.Err() != nil {
				return im.moved, errors.Join(ctx.Err(), kept)
			}
			return im.moved, badLine(n, err)
		}
		if len(im.batch) >= batchLines || im.size >= batchBytes {
			if err := im.flush(ctx); err != nil {
				return im.moved, err
			}
		}
	}
	if err := im.flush(ctx); err != nil {
		return im.moved, err
	}
	if im.cleaned > 0 {
		im.moved.Warnings = append(im.moved.Warnings, "invisible characters were removed from "+text.Count(im.cleaned, "document"))
	}
	if !im.end {
		im.moved.Warnings = append(im.moved.Warnings, "the export has no end: it was cut short, or is still being written")
	}
	return im.moved, nil
}

// badLine returns the error for line n. An error of the disk, of a lock or of
// reading is not blamed on the line.
func badLine(n int, err error) error {
	if ours := passing(err); ours != nil {
		return &evidence.Problem{What: fmt.Sprintf("the import ended at line %d: %s", n, ours.What),
			Try: ours.Try + "; then import again: existing records are skipped", Cause: err}
	}
	p := evidence.BadInput(fmt.Sprintf("line %d of the export cannot be imported: %v", n, err),
		"the lines before it are stored; fix or remove the line and import again: existing records are skipped")
	p.Cause = err
	return p
}

// errReading is an error of the reader that was given to Import.
var errReading = errors.New("reading the export")

// passing returns the error that a later attempt may not meet, or nil.
func passing(err error) *evidence.Problem {
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
			return nil
		}
	} else if !errors.Is(err, errReading) {
		return nil
	}
	var p *evidence.Problem
	if errors.As(err, &p) {
		return p
	}
	return &evidence.Problem{What: err.Error(), Try: "check that the export is readable and the data folder is writable"}
}

// readLine returns the next line without its end, or io.EOF after the last one.
func readLine(in *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := in.ReadSlice('\n')
		out = append(out, part...)
		switch {
		case len(out) > maxLine:
			return nil, fmt.Errorf("it is longer than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(out) > 0, err == nil:
			return bytes.TrimSpace(out), nil
		case errors.Is(err, io.EOF):
			return nil, err
		default:
			return nil, fmt.Errorf("%w: %w", errReading, err)
		}
	}
}

// take checks a line, and does the work that needs no lock.
func (im *importer) take(b []byte, n int) error {
	if len(b) == 0 {
		return nil
	}
	var ln line
	if err := json.Unmarshal(b, &ln); err != nil {
		return err
	}
	if n == 1 && ln.Header == nil {
		return errors.New("it does not begin an export of a memory")
	}
	im.size += len(b)
	switch {
	case ln.Header != nil:
		if ln.Header.Format != exportFormat {
			return fmt.Errorf("it has format %d, this program reads %d", ln.Header.Format, exportFormat)
		}
	case ln.Model != nil:
		im.later(n, func(ctx context.Context, tx *sql.Tx, _ *contract.Moved) error { return importModel(ctx, tx, ln.Model) })
	case ln.Document != nil:
		if err := checkHash(ln.Document); err != nil {
			return err
		}
		if ln.Document.clean() {
			im.cleaned++
		}
		e, err := im.l.readyLine(ln.Document)
		if err != nil {
			return err
		}
		im.later(n, func(ctx context.Context, tx *sql.Tx, m *contract.Moved) error {
			return importDocument(ctx, tx, e, ln.Document, m)
		})
	case ln.Session != nil:
		if ln.Session.ID == "" {
			return errors.New("a session has no id")
		}
		ln.Session.clean()
		im.later(n, func(ctx context.Context, tx *sql.Tx, m *contract.Moved) error {
			return im.l.importSession(ctx, tx, ln.Session, m)
		})
	case ln.End != nil:
		im.end = true
	default:
		return errors.New("it is no record of an export")
	}
	return nil
}

func (im *importer) later(n int, fn func(context.Context, *sql.Tx, *contract.Moved) error) {
	im.batch = append(im.batch, item{n, fn})
}

// flush stores the batch in one transaction. If a line fails, it stores those
// before it in another, and the error names the line.
func (im *importer) flush(ctx context.Context) error {
	batch := im.batch
	im.batch, im.size = nil, 0
	failed, err := im.storeAll(ctx, batch)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if failed < 0 { // no line is to blame
		return badLine(batch[0].line, err)
	}
	if _, again := im.storeAll(ctx, batch[:failed]); again != nil {
		return badLine(batch[0].line, again)
	}
	return badLine(batch[failed].line, err)
}

// storeAll writes items in one transaction, and returns the index of the item
// that failed, or -1.
func (im *importer) storeAll(ctx context.Context, batch []item) (failed int, err error) {
	if len(batch) == 0 {
		return -1, ctx.Err()
	}
	var sum contract.Moved
	failed = -1
	err = im.l.write(ctx, "importing", func(tx *sql.Tx) error {
		sum = contract.Moved{}
		for i, it := range batch {
			if err := it.keep(ctx, tx, &sum); err != nil {
				failed = i
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failed, err
	}
	m := &im.moved
	m.Documents, m.Chunks, m.Sessions = m.Documents+sum.Documents, m.Chunks+sum.Chunks, m.Sessions+sum.Sessions
	m.Turns, m.Vectors, m.Skipped = m.Turns+sum.Turns, m.Vectors+sum.Vectors, m.Skipped+sum.Skipped
	m.Warnings = append(m.Warnings, sum.Warnings...)
	return -1, nil
}

func importModel(ctx context.Context, tx *sql.Tx, m *modelLine) error {
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

// checkHash refuses a document whose text was changed by hand, which chunks and
// vectors do not follow.
func checkHash(d *documentLine) error {
	// A long title was cut, and invalid bytes were replaced; the hash may be that of either.
	if kept := cleaned(d.Document); d.Hash != "" && d.Hash != evidence.ContentHash(kept.Title, kept.Text) && d.Hash != evidence.ContentHash(d.Title, d.Text) {
		return fmt.Errorf("the text of %q has changed since the export: its hash differs", name(d.Document))
	}
	return nil
}

func (l *Local) readyLine(d *documentLine) (*entry, error) {
	var chunks evidence.Chunks
	for _, c := range d.Chunks {
		chunks.Items = append(chunks.Items, evidence.Chunk{Start: c[0], End: c[1]})
	}
	e, err := l.prepareEntry(d.Document, chunks)
	if err != nil {
		return nil, err
	}
	e.pinned = d.Pinned
	return e, nil
}

// mergeOwners adds the reasons for which a document is kept: it was put outside
// of sessions, is pinned, or belongs to sessions. Without them a later Forget
// would remove too much.
func mergeOwners(ctx context.Context, tx *sql.Tx, doc int64, d *documentLine) error {
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

func importDocument(ctx context.Context, tx *sql.Tx, e *entry, d *documentLine, m *contract.Moved) error {
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
	for _, v := range d.Vectors {
		if err := importVectors(ctx, tx, doc, first, e, v, &r); err != nil {
			return err
		}
	}
	if len(d.Vectors) > 0 {
		m.Vectors++
	}
	m.Warnings = append(m.Warnings, r.Warnings...)
	return nil
}

func importVectors(ctx context.Context, tx *sql.Tx, doc, first int64, e *entry, v vectorLine, r *evidence.Receipt) error {
	row, ok, err := findModel(ctx, tx, evidence.Model{Name: v.Model, Revision: v.Revision})
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("document %q has vectors of the model %q, which no earlier line describes", name(e.doc), v.Model)
	}
	dims := len(v.Data) / 4 / len(e.chunks)
	if dims != row.model.Dims {
		r.Warnings = append(r.Warnings, otherDims(row.model, dims)+"; the document is found by words")
		return nil
	}
	all, err := decode(v.Data, len(e.chunks), dims)
	if err != nil {
		return err
	}
	for at := 0; at < len(all); at += dims {
		if err := checkUnit(all[at : at+dims]); err != nil {
			return fmt.Errorf("document %q: %w", name(e.doc), err)
		}
	}
	with := *e
	with.model, with.vectors = row.model, all
	return addVectors(ctx, tx, doc, first, &with, r)
}

// importSession stores a session with its turns under their original numbers.
func (l *Local) importSession(ctx context.Context, tx *sql.Tx, s *sessionLine, m *contract.Moved) error {
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
