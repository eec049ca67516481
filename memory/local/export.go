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
	"slices"
	"time"

	"modernc.org/sqlite"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// exportFormat is the version of the format that Export writes.
const exportFormat = 1

// line is one record of an export; exactly one of its fields is set. The order
// is: header, models, documents, sessions, end.
type line struct {
	Header   *headerLine   `json:"memory,omitempty"`
	Model    *modelLine    `json:"model,omitempty"`
	Document *documentLine `json:"document,omitempty"`
	Session  *sessionLine  `json:"session,omitempty"`
	End      *endLine      `json:"end,omitempty"` // without it the export is incomplete
}

type headerLine struct {
	Format  int       `json:"format"`
	Written time.Time `json:"written_at"`
}

type modelLine struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Dims     int    `json:"dims"`
	Kind     string `json:"kind"`
	Active   bool   `json:"active,omitempty"`
}

type documentLine struct {
	evidence.Document
	Hash     string       `json:"content_hash"`
	Own      bool         `json:"own,omitempty"` // put outside of sessions
	Pinned   bool         `json:"pinned,omitempty"`
	Chunks   [][2]int     `json:"chunks"` // byte offsets into the text
	Sessions []linkLine   `json:"sessions,omitempty"`
	Vectors  []vectorLine `json:"vectors,omitempty"`
}

type linkLine struct {
	ID  string `json:"id"`
	Put bool   `json:"put,omitempty"` // the session put the document; false: it cites it
}

type vectorLine struct {
	Model    string `json:"model"`
	Revision string `json:"revision"`
	Data     []byte `json:"data"` // float32, little endian, one vector a chunk; all zeros: none
}

type sessionLine struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Summary   string     `json:"summary,omitempty"`
	SummaryTo int64      `json:"summary_to,omitempty"`
	Created   time.Time  `json:"created_at"`
	Updated   time.Time  `json:"updated_at"`
	Turns     []turnLine `json:"turns"`
}

type turnLine struct {
	Seq  int64            `json:"seq"`
	Role string           `json:"role"`
	Text string           `json:"text"`
	At   time.Time        `json:"at"`
	Run  *evidence.Answer `json:"run,omitempty"`
	Used []string         `json:"used,omitempty"` // documents that the answer was made from and does not cite
}

type endLine struct {
	Documents int `json:"documents"`
	Sessions  int `json:"sessions"`
}

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
	if err := x.write(line{Header: &headerLine{Format: exportFormat, Written: now}}); err != nil {
		return x.moved, err
	}
	for _, part := range []func(context.Context) error{x.models, x.documents, x.sessions} {
		if err := part(ctx); err != nil {
			return x.moved, err
		}
	}
	if err := x.write(line{End: &endLine{Documents: x.moved.Documents, Sessions: x.moved.Sessions}}); err != nil {
		return x.moved, err
	}
	return x.moved, buf.Flush()
}

// errLine is a record that has no JSON form, such as one with a time after the
// year 9999.
var errLine = errors.New("it has a value that cannot be written")

func (x *exporter) write(l line) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return fmt.Errorf("%w: %w", errLine, err)
	}
	_, err := x.out.Write(b.Bytes())
	return err
}

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
		err := x.write(line{Model: &modelLine{Name: m.model.Name, Revision: m.model.Revision, Dims: m.model.Dims, Kind: m.model.Kind, Active: m.active}})
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
			err = x.write(line{Document: d})
		}
		if err != nil && ctx.Err() == nil && !isWriting(err) {
			var rescued error
			if d, rescued = x.rescueDocument(ctx, id); rescued == nil {
				x.warn(fmt.Sprintf("document %s is damaged: only its text and what else can be read was written (%v)", d.ID, err))
				err = x.write(line{Document: d})
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
	return err != nil && !errors.As(err, &se) && !errors.Is(err, errLine) && !errors.Is(err, errUnreadable)
}

// uidOf is the id of a record, or its number in the table if the id cannot be read.
func (x *exporter) uidOf(ctx context.Context, table string, id int64) string {
	var uid string
	if x.tx.QueryRowContext(ctx, "SELECT uid FROM "+table+" WHERE id=?", id).Scan(&uid) != nil {
		return fmt.Sprintf("number %d", id)
	}
	return uid
}

func (x *exporter) document(ctx context.Context, id int64) (*documentLine, error) {
	d := &documentLine{Chunks: [][2]int{}}
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
		var k linkLine
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

func (x *exporter) chunks(ctx context.Context, id int64, d *documentLine) error {
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

func (x *exporter) vectors(ctx context.Context, id int64, d *documentLine) {
	err := eachRow(ctx, x.tx, x.vectorQuery, []any{id}, func(row scanner) error {
		var v vectorLine
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
