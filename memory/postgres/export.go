package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

// exporter writes lines and counts them.
type exporter struct {
	m      *Memory
	tx     pgx.Tx
	out    io.Writer
	spaces []space // whose vectors are written
	moved  contract.Moved
}

// Export writes the whole memory; see contract.Exporter. Readers and writers are not
// blocked, and one document at a time is held in RAM.
func (m *Memory) Export(ctx context.Context, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	none := contract.Moved{Warnings: []string{}}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	// Not by read: what was written cannot be taken back.
	if err := m.calls.begin(); err != nil {
		return none, fmt.Errorf("exporting: %w", err)
	}
	defer m.calls.done()
	buf := bufio.NewWriterSize(w, 1<<16)
	x := &exporter{m: m, out: buf, moved: none}
	err := m.snapshot(ctx, func(tx pgx.Tx) error {
		x.tx = tx
		// Whoever reads what is written may be slow.
		if _, err := tx.Exec(ctx, "set local idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		return x.all(ctx, opts)
	})
	switch {
	case err == nil:
		return x.moved, buf.Flush()
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return x.moved, m.failed("exporting", err)
}

func (x *exporter) write(l transfer.Line) error { return transfer.Write(x.out, l) }

func (x *exporter) all(ctx context.Context, opts contract.ExportOptions) error {
	if err := x.write(transfer.Line{Header: &transfer.HeaderLine{Format: transfer.Format, Written: x.m.now()}}); err != nil {
		return err
	}
	if opts.Vectors {
		if err := x.models(ctx); err != nil {
			return err
		}
	}
	if err := x.each(ctx, "doc", x.document); err != nil {
		return err
	}
	if err := x.each(ctx, "session", x.session); err != nil {
		return err
	}
	return x.write(transfer.Line{End: &transfer.EndLine{Documents: x.moved.Documents, Sessions: x.moved.Sessions}})
}

func (x *exporter) models(ctx context.Context) error {
	spaces, err := x.m.allSpaces(ctx, x.tx)
	if err != nil {
		return err
	}
	x.spaces = spaces
	for _, s := range spaces {
		err := x.write(transfer.Line{Model: &transfer.ModelLine{Name: s.model.Name, Revision: s.model.Revision, Dims: s.model.Dims, Kind: s.model.Kind, Active: s.active}})
		if err != nil {
			return err
		}
	}
	return nil
}

// idsAtOnce is how many ids are read at once.
const idsAtOnce = 1000

// each calls fn for the rows of a table, in the order of their ids.
func (x *exporter) each(ctx context.Context, table string, fn func(ctx context.Context, id int64) error) error {
	last := int64(-1 << 63)
	for {
		ids, err := column[int64](ctx, x.tx, "select id from "+table+" where tenant = $1 and id > $2 order by id limit $3", x.m.tenant, last, idsAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := fn(ctx, id); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}

// leaveOut counts a record that cannot be written.
func (x *exporter) leaveOut(what string, err error) {
	x.moved.Failed++
	if x.moved.Failed <= maxNamed {
		x.moved.Warnings = append(x.moved.Warnings, fmt.Sprintf("%s was left out: %v", what, err))
	}
}

func (x *exporter) document(ctx context.Context, id int64) error {
	d := &transfer.DocumentLine{Chunks: [][2]int{}}
	var body []byte
	var err error
	d.Document, err = scanDoc(x.tx.QueryRow(ctx, "select "+docColumns+`, d.hash, d.own, d.pinned, b.text from doc d left join body b on b.tenant = d.tenant and b.doc = d.id
		where d.tenant = $1 and d.id = $2`, x.m.tenant, id), &d.Hash, &d.Own, &d.Pinned, &body)
	if err != nil {
		return fmt.Errorf("reading a document: %w", err)
	}
	d.Text = string(body)
	if body == nil {
		x.leaveOut("document "+d.ID, errors.New("its text is lost"))
		return nil
	}
	if d.Hash != evidence.ContentHash(d.Title, d.Text) {
		x.moved.Warnings = append(x.moved.Warnings, fmt.Sprintf("the text of document %s has changed since it was stored: its hash differs", d.ID))
	}
	err = eachRow(ctx, x.tx, func(row pgx.Row) error {
		var c [2]int
		err := row.Scan(&c[0], &c[1])
		d.Chunks = append(d.Chunks, c)
		return err
	}, "select start, stop from passage where tenant = $1 and doc = $2 order by ord", x.m.tenant, id)
	if err != nil {
		return err
	}
	err = eachRow(ctx, x.tx, func(row pgx.Row) error {
		var k transfer.LinkLine
		err := row.Scan(&k.ID, &k.Put)
		d.Sessions = append(d.Sessions, k)
		return err
	}, `select session, put from link where tenant = $1 and doc = $2 order by session collate "C"`, x.m.tenant, id)
	if err != nil {
		return err
	}
	for _, s := range x.spaces {
		if err := x.vectors(ctx, id, s, d); err != nil {
			return err
		}
	}
	if err := x.write(transfer.Line{Document: d}); errors.Is(err, transfer.ErrLine) {
		x.leaveOut("document "+d.ID, err)
		return nil
	} else if err != nil {
		return err
	}
	x.moved.Documents++
	x.moved.Chunks += len(d.Chunks)
	if len(d.Vectors) > 0 {
		x.moved.Vectors++
	}
	return nil
}

// vectors adds those of a document that has all of a space.
func (x *exporter) vectors(ctx context.Context, id int64, s space, d *transfer.DocumentLine) error {
	var whole bool
	err := x.tx.QueryRow(ctx, "select exists(select 1 from embedded where tenant = $1 and model = $2 and doc = $3 and missing = 0)", x.m.tenant, s.id, id).Scan(&whole)
	if err != nil || !whole {
		return err
	}
	all := make([]float32, len(d.Chunks)*s.model.Dims)
	err = eachRow(ctx, x.tx, func(row pgx.Row) error {
		var ord int
		var v []float32
		err := row.Scan(&ord, &v)
		if err == nil && ord < len(d.Chunks) && len(v) == s.model.Dims {
			copy(all[ord*s.model.Dims:], v)
		}
		return err
	}, fmt.Sprintf("select ord, v::real[] from %s where tenant = $1 and doc = $2", s.table()), x.m.tenant, id)
	if err != nil {
		return err
	}
	d.Vectors = append(d.Vectors, transfer.VectorLine{Model: s.model.Name, Revision: s.model.Revision, Data: transfer.Encode(all)})
	return nil
}

func (x *exporter) session(ctx context.Context, id int64) error {
	s, err := scanSession(x.tx.QueryRow(ctx, "select "+sessionColumns+" from session s where s.tenant = $1 and s.id = $2", x.m.tenant, id))
	if err != nil {
		return fmt.Errorf("reading a session: %w", err)
	}
	out := &transfer.SessionLine{ID: s.ID, Title: s.Title, Summary: s.Summary, SummaryTo: s.SummaryTo, Created: s.Created, Updated: s.Updated, Turns: []transfer.TurnLine{}}
	turns, err := x.m.turnsOf(ctx, x.tx, id, 0)
	if err != nil {
		return err
	}
	for _, t := range turns {
		if t.Run != nil {
			all, err := column[string](ctx, x.tx, `select doc from cites where tenant = $1 and run = $2 order by doc collate "C"`, x.m.tenant, storableID(t.Run.RunID))
			if err != nil {
				return err
			}
			t.Used = slices.DeleteFunc(all, func(id string) bool {
				return slices.ContainsFunc(t.Run.Citations, func(c evidence.Citation) bool { return storableID(c.DocumentID) == id })
			})
		}
		out.Turns = append(out.Turns, transfer.TurnLine(t))
	}
	if err := x.write(transfer.Line{Session: out}); errors.Is(err, transfer.ErrLine) {
		x.leaveOut("session "+s.ID, err)
		return nil
	} else if err != nil {
		return err
	}
	x.moved.Sessions++
	x.moved.Turns += len(turns)
	return nil
}
