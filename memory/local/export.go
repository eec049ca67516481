package local

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"modernc.org/sqlite"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

// exporter writes lines and counts them.
type exporter struct {
	tx    *sql.Tx
	out   io.Writer
	opts  contract.ExportOptions
	now   time.Time
	moved contract.Moved

	vectorQuery string // of the vectors of a document, in the layout of the file
}

// errUnreadable is the cause of a record that is left out for no error of SQLite.
var errUnreadable = errors.New("it is damaged")

// Export writes the whole memory; see contract.Exporter. Readers and writers
// are not blocked, and one document at a time is held in RAM.
func (l *Local) Export(ctx context.Context, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	var moved contract.Moved
	err := l.read(ctx, "exporting", func(tx *sql.Tx) (err error) {
		moved, err = exportFrom(ctx, tx, w, opts, l.now())
		return err
	})
	return moved, err
}

// exportFrom writes what can be read in tx.
func exportFrom(ctx context.Context, tx *sql.Tx, w io.Writer, opts contract.ExportOptions, now time.Time) (contract.Moved, error) {
	buf := bufio.NewWriterSize(w, 1<<16)
	x := &exporter{tx: tx, out: buf, opts: opts, now: now, moved: contract.Moved{Warnings: []string{}}}
	if err := x.write(transfer.Line{Header: &transfer.HeaderLine{Format: transfer.Format, Written: now}}); err != nil {
		return x.moved, err
	}
	for _, part := range []func(context.Context) error{x.models, x.documents, x.sessions} {
		if err := part(ctx); err != nil {
			return x.moved, err
		}
	}
	if err := x.write(transfer.Line{End: &transfer.EndLine{Documents: x.moved.Documents, Sessions: x.moved.Sessions}}); err != nil {
		return x.moved, err
	}
	return x.moved, buf.Flush()
}

func (x *exporter) write(l transfer.Line) error { return transfer.Write(x.out, l) }

func (x *exporter) models(ctx context.Context) error {
	if !x.opts.Vectors {
		return nil
	}
	x.vectorQuery = vectorQuery(ctx, x.tx)
	models, err := allModels(ctx, x.tx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		x.opts.Vectors = false
		x.leaveOut("the list of models, and with it all vectors,", err)
		return nil
	}
	for _, m := range models {
		err := x.write(transfer.Line{Model: &transfer.ModelLine{Name: m.model.Name, Revision: m.model.Revision, Dims: m.model.Dims, Kind: m.model.Kind, Active: m.active}})
		if err != nil {
			return err
		}
	}
	return nil
}

// vectorQuery leaves out the columns that an older layout does not have.
func vectorQuery(ctx context.Context, tx *sql.Tx) string {
	sum, where := "v.sum", " AND v.missing=0"
	columns, err := stringsOf(ctx, tx, "SELECT name FROM pragma_table_info('vec')")
	if err == nil && !slices.Contains(columns, "sum") {
		sum = "NULL"
	}
	if err == nil && !slices.Contains(columns, "missing") {
		where = ""
	}
	return "SELECT m.name, m.revision, v.v, " + sum + " FROM vec v JOIN model m ON m.id=v.model WHERE v.doc=?" + where + " ORDER BY m.id"
}

func (x *exporter) documents(ctx context.Context) error {
	ids, whole, err := rowIDs(ctx, x.tx, "doc")
	if err != nil {
		return err
	}
	if !whole {
		x.warn("the table of documents is damaged: they were looked for one by one")
	}
	ids = x.withTexts(ctx, ids)
	for _, id := range ids {
		d, err := x.document(ctx, id)
		if err == nil {
			err = x.write(transfer.Line{Document: d})
		}
		if err != nil && ctx.Err() == nil && !isWriting(err) {
			var rescued error
			if d, rescued = x.rescueDocument(ctx, id); rescued == nil {
				x.warn(fmt.Sprintf("document %s is damaged: only its text and what else can be read was written (%v)", d.ID, err))
				err = x.write(transfer.Line{Document: d})
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isWriting(err):
			return err
		case err != nil:
			x.leaveOut(fmt.Sprintf("document %s", x.uidOf(ctx, "doc", id)), err)
			continue
		}
		x.moved.Documents++
		x.moved.Chunks += len(d.Chunks)
		if len(d.Vectors) > 0 {
			x.moved.Vectors++
		}
	}
	return nil
}

// isWriting reports whether err is of the writer, and not of the memory.
func isWriting(err error) bool {
	var se *sqlite.Error
	return err != nil && !errors.As(err, &se) && !errors.Is(err, transfer.ErrLine) && !errors.Is(err, errUnreadable)
}

// uidOf is the id of a record, or its number in the table if the id cannot be read.
func (x *exporter) uidOf(ctx context.Context, table string, id int64) string {
	var uid string
	if x.tx.QueryRowContext(ctx, "SELECT uid FROM "+table+" WHERE id=?", id).Scan(&uid) != nil {
		return fmt.Sprintf("number %d", id)
	}
	return uid
}

func (x *exporter) document(ctx context.Context, id int64) (*transfer.DocumentLine, error) {
	d := &transfer.DocumentLine{Chunks: [][2]int{}}
	var body string
	var err error
	d.Document, err = scanDoc(x.tx.QueryRowContext(ctx, "SELECT "+docColumns+", d.hash, d.own, d.pinned, b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", id),
		&d.Hash, &d.Own, &d.Pinned, &body)
	if err != nil {
		return nil, unreadable("reading a document", err)
	}
	d.Text = intake.SameLength(body) // a damaged byte would move what is after it, and the chunks with it
	if d.Hash != evidence.ContentHash(d.Title, d.Text) {
		x.warn(fmt.Sprintf("the text of document %s has changed since it was stored: its hash differs", d.ID))
	}
	if err := x.chunks(ctx, id, d); err != nil {
		return nil, unreadable("reading chunks", err)
	}
	err = eachRow(ctx, x.tx, "SELECT session, put FROM link WHERE doc=? ORDER BY session", []any{id}, func(row scanner) error {
		var k transfer.LinkLine
		err := row.Scan(&k.ID, &k.Put)
		d.Sessions = append(d.Sessions, k)
		return err
	})
	if err != nil {
		d.Sessions = nil
		x.leaveOut("the sessions of document "+d.ID, err)
	}
	if x.opts.Vectors {
		x.vectors(ctx, id, d)
	}
	return d, ctx.Err()
}

// unreadable marks an error of reading, such as one of the JSON in a column.
func unreadable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", errUnreadable, doing, err)
}

func (x *exporter) chunks(ctx context.Context, id int64, d *transfer.DocumentLine) error {
	err := eachRow(ctx, x.tx, "SELECT start, stop FROM chunk WHERE doc=? ORDER BY ord", []any{id}, func(row scanner) error {
		var c [2]int
		err := row.Scan(&c[0], &c[1])
		if err == nil && (!intake.IsPiece(d.Text, c[0], c[1])) {
			err = errUnreadable
		}
		d.Chunks = append(d.Chunks, c)
		return err
	})
	if err != nil {
		d.Chunks = [][2]int{}
	}
	return err
}

func (x *exporter) vectors(ctx context.Context, id int64, d *transfer.DocumentLine) {
	err := eachRow(ctx, x.tx, x.vectorQuery, []any{id}, func(row scanner) error {
		var v transfer.VectorLine
		var sum sql.NullInt64
		if err := row.Scan(&v.Model, &v.Revision, &v.Data, &sum); err != nil {
			return err
		}
		if sum.Valid && sum.Int64 != checksum(v.Data) {
			x.warn(fmt.Sprintf("the vectors of %s of document %s were left out: their checksum differs", v.Model, d.ID))
			return nil
		}
		d.Vectors = append(d.Vectors, v)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		d.Vectors = nil
		x.warn(fmt.Sprintf("the vectors of document %s were left out: %v", d.ID, err))
	}
}

// used returns the documents that an answer used and does not cite.
func (x *exporter) used(ctx context.Context, a *evidence.Answer) []string {
	if a == nil {
		return nil
	}
	all, err := stringsOf(ctx, x.tx, "SELECT doc FROM cites WHERE run=? ORDER BY doc", a.RunID)
	if err != nil {
		x.leaveOut("what answer "+a.RunID+" used", err)
		return nil
	}
	return slices.DeleteFunc(all, func(id string) bool {
		return slices.ContainsFunc(a.Citations, func(c evidence.Citation) bool { return c.DocumentID == id })
	})
}

func eachRow(ctx context.Context, q rowsQuerier, query string, args []any, fn func(scanner) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
