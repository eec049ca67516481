package local

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
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
}

type endLine struct {
	Documents int `json:"documents"`
	Sessions  int `json:"sessions"`
}

// exporter writes lines and counts them.
type exporter struct {
	tx    *sql.Tx
	enc   *json.Encoder
	opts  contract.ExportOptions
	moved contract.Moved
}

// Export writes the whole memory; see contract.Exporter. Readers and writers
// are not blocked, and one document at a time is held in RAM.
func (l *Local) Export(ctx context.Context, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	buf := bufio.NewWriterSize(w, 1<<16)
	x := &exporter{enc: json.NewEncoder(buf), opts: opts, moved: contract.Moved{Warnings: []string{}}}
	x.enc.SetEscapeHTML(false)
	err := l.read(ctx, "exporting", func(tx *sql.Tx) error {
		x.tx = tx
		if err := x.enc.Encode(line{Header: &headerLine{Format: exportFormat, Written: l.now()}}); err != nil {
			return err
		}
		for _, part := range []func(context.Context) error{x.models, x.documents, x.sessions} {
			if err := part(ctx); err != nil {
				return err
			}
		}
		if err := x.enc.Encode(line{End: &endLine{Documents: x.moved.Documents, Sessions: x.moved.Sessions}}); err != nil {
			return err
		}
		return buf.Flush()
	})
	return x.moved, err
}

func (x *exporter) models(ctx context.Context) error {
	if !x.opts.Vectors {
		return nil
	}
	models, err := allModels(ctx, x.tx)
	if err != nil {
		return err
	}
	for _, m := range models {
		err := x.enc.Encode(line{Model: &modelLine{Name: m.model.Name, Revision: m.model.Revision, Dims: m.model.Dims, Kind: m.model.Kind, Active: m.active}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) documents(ctx context.Context) error {
	ids, err := int64s(ctx, x.tx, "SELECT id FROM doc ORDER BY id")
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, err := x.document(ctx, id)
		if err != nil {
			return err
		}
		if err := x.enc.Encode(line{Document: d}); err != nil {
			return err
		}
		x.moved.Documents++
		x.moved.Chunks += len(d.Chunks)
		if len(d.Vectors) > 0 {
			x.moved.Vectors++
		}
	}
	return nil
}

func (x *exporter) document(ctx context.Context, id int64) (*documentLine, error) {
	d := &documentLine{Chunks: [][2]int{}}
	var body string
	var err error
	d.Document, err = scanDoc(x.tx.QueryRowContext(ctx, "SELECT "+docColumns+", d.hash, d.own, d.pinned, b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", id),
		&d.Hash, &d.Own, &d.Pinned, &body)
	if err != nil {
		return nil, fmt.Errorf("reading a document: %w", err)
	}
	d.Text = body
	err = eachRow(ctx, x.tx, "SELECT start, stop FROM chunk WHERE doc=? ORDER BY ord", []any{id}, func(row scanner) error {
		var c [2]int
		err := row.Scan(&c[0], &c[1])
		d.Chunks = append(d.Chunks, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(ctx, x.tx, "SELECT session, put FROM link WHERE doc=? ORDER BY session", []any{id}, func(row scanner) error {
		var k linkLine
		err := row.Scan(&k.ID, &k.Put)
		d.Sessions = append(d.Sessions, k)
		return err
	})
	if err != nil || !x.opts.Vectors {
		return d, err
	}
	err = eachRow(ctx, x.tx, "SELECT m.name, m.revision, v.v FROM vec v JOIN model m ON m.id=v.model WHERE v.doc=? AND v.missing=0 ORDER BY m.id", []any{id}, func(row scanner) error {
		var v vectorLine
		err := row.Scan(&v.Model, &v.Revision, &v.Data)
		d.Vectors = append(d.Vectors, v)
		return err
	})
	return d, err
}

func (x *exporter) sessions(ctx context.Context) error {
	ids, err := int64s(ctx, x.tx, "SELECT id FROM session ORDER BY id")
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := scanSession(x.tx.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM session s WHERE s.id=?", id))
		if err != nil {
			return err
		}
		turns, err := turnsAfter(ctx, x.tx, id, -1)
		if err != nil {
			return err
		}
		out := &sessionLine{ID: s.ID, Title: s.Title, Summary: s.Summary, SummaryTo: s.SummaryTo, Created: s.Created, Updated: s.Updated, Turns: []turnLine{}}
		for _, t := range turns {
			out.Turns = append(out.Turns, turnLine(t))
		}
		if err := x.enc.Encode(line{Session: out}); err != nil {
			return err
		}
		x.moved.Sessions++
		x.moved.Turns += len(turns)
	}
	return nil
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
