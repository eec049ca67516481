package postgres

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

// Import reads what Export wrote; see contract.Exporter. Records that exist are skipped,
// so that an import that was broken off is done again.
func (m *Memory) Import(ctx context.Context, r io.Reader, opts contract.ImportOptions) (contract.Moved, error) {
	return transfer.Import(ctx, r, opts, transfer.Target[attempt]{
		Batch:    func(ctx context.Context, fn func(attempt) error) error { return m.write(ctx, "importing", fn) },
		Alone:    alone,
		Model:    m.importModel,
		Document: m.readyLine,
		Session:  m.importSession,
		Passing:  m.passing,
		IsFull:   func(err error) bool { return codeOf(err) == diskFull },
		Place:    m.server.name,
	})
}

// alone runs fn in a savepoint.
func alone(ctx context.Context, tx attempt, fn func() error) error {
	if _, err := tx.Exec(ctx, "savepoint line"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		if _, back := tx.Exec(ctx, "rollback to line"); back != nil {
			return back
		}
		return err
	}
	_, err := tx.Exec(ctx, "release line")
	return err
}

// passing returns what is to be said of an error of the server, or nil where the line is
// at fault.
func (m *Memory) passing(err error) *evidence.Problem {
	code := codeOf(err)
	if code == "" && !isLost(err) && !isConnect(err) || strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "54") {
		return nil // data, constraint or limit
	}
	return evidence.AsProblem(m.server.explain(err))
}

// importModel adds the space of an export's model, before the transaction that activates it.
func (m *Memory) importModel(ctx context.Context, line *transfer.ModelLine) (func(context.Context, attempt) error, error) {
	if line.Name == "" || line.Dims <= 0 || line.Dims > mostDims {
		return nil, fmt.Errorf("the model %q has %d dimensions", line.Name, line.Dims)
	}
	var used bool
	err := m.read(ctx, "importing", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select exists(select 1 from tally t join model m on m.tenant = t.tenant and m.id = t.model and m.active where t.tenant = $1 group by t.model having sum(t.documents) > 0)",
			m.tenant).Scan(&used)
	})
	if err != nil {
		return nil, err
	}
	model := storableModel(evidence.Model{Name: line.Name, Revision: line.Revision, Dims: line.Dims, Kind: line.Kind})
	if err := intake.CheckModel(model); err != nil {
		return nil, err
	}
	s, err := m.ensureSpace(ctx, model, true)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx attempt) error {
		if used || !line.Active {
			return nil
		}
		return m.activate(ctx, tx, s)
	}, nil
}

// readyLine prepares a document of an export.
func (m *Memory) readyLine(d *transfer.DocumentLine, _ bool) (transfer.Keep[attempt], error) {
	var chunks []evidence.Chunk
	for _, c := range d.Chunks {
		chunks = append(chunks, evidence.Chunk{Start: c[0], End: c[1]})
	}
	in, err := intake.Take(m.storable(d.Document), chunks, m.voc, m.cfg.MaxText, m.now())
	if err != nil {
		return nil, err
	}
	in.Pinned = d.Pinned
	return func(ctx context.Context, tx attempt, moved *contract.Moved) error {
		return m.importDocument(ctx, tx, &entry{Entry: in}, d, moved)
	}, nil
}

func (m *Memory) importDocument(ctx context.Context, tx attempt, e *entry, d *transfer.DocumentLine, moved *contract.Moved) error {
	old, err := m.lockDoc(ctx, tx, e.Document.ID)
	if err != nil {
		return err
	}
	if old.id != 0 {
		moved.Skipped++
		return m.mergeOwners(ctx, tx, old.id, d)
	}
	var r evidence.Receipt
	if err := m.putOver(ctx, tx, old, e, &r); err != nil {
		return err
	}
	moved.Documents++
	moved.Chunks += len(e.Pieces)
	moved.Warnings = append(moved.Warnings, e.Notes...)
	if old, err = m.findDoc(ctx, tx, e.Document.ID); err != nil {
		return err
	}
	// Put has marked it as put outside of sessions: restore what the export says.
	if _, err := tx.Exec(ctx, "update doc set own = $3 where tenant = $1 and id = $2", m.tenant, old.id, d.Own); err != nil {
		return err
	}
	if err := m.mergeOwners(ctx, tx, old.id, d); err != nil {
		return err
	}
	some := false
	for _, v := range d.Vectors {
		note, err := m.importVectors(ctx, tx, old.id, e, v)
		if err != nil {
			return err
		}
		if some = true; note != "" {
			moved.Warnings = append(moved.Warnings, note)
		}
	}
	if some {
		moved.Vectors++
	}
	return nil
}

// mergeOwners adds the reasons for which a document is kept: it was put outside
// of sessions, is pinned, or belongs to sessions. Without them a later Forget
// would remove too much.
func (m *Memory) mergeOwners(ctx context.Context, tx attempt, doc int64, d *transfer.DocumentLine) error {
	b := &pgx.Batch{}
	b.Queue("update doc set own = own or $3, pinned = pinned or $4 where tenant = $1 and id = $2", m.tenant, doc, d.Own, d.Pinned)
	for _, k := range d.Sessions {
		b.Queue("insert into link(tenant, session, doc, put) values($1, $2, $3, $4) on conflict(tenant, session, doc) do update set put = link.put or excluded.put",
			m.tenant, storableID(k.ID), doc, k.Put)
	}
	return tx.SendBatch(ctx, b).Close()
}

func (m *Memory) importVectors(ctx context.Context, tx attempt, doc int64, e *entry, v transfer.VectorLine) (note string, err error) {
	s, ok, err := m.findSpace(ctx, tx, storableModel(evidence.Model{Name: v.Model, Revision: v.Revision}))
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("document %q has vectors of the model %q, which no earlier line describes", intake.Name(e.Document), v.Model)
	}
	all, err := transfer.Decode(v.Data, len(e.Pieces))
	if err != nil {
		return "", fmt.Errorf("document %q: %w", intake.Name(e.Document), err)
	}
	if dims := len(all) / len(e.Pieces); dims != s.model.Dims {
		return intake.OtherDims(s.model, dims) + "; the document is found by words", nil
	}
	with := *e
	with.model, with.vectors = s, all
	return "", m.completeVectors(ctx, tx, doc, &with)
}

// importSession stores a session with its turns under their original numbers.
func (m *Memory) importSession(ctx context.Context, tx attempt, s *transfer.SessionLine, moved *contract.Moved) error {
	var row int64
	err := tx.QueryRow(ctx, `with added as (insert into session(tenant, uid, title, summary, summary_to, created, updated) values($1, $2, $3, $4, $5, $6, $7)
		on conflict(tenant, uid) do nothing returning id) select coalesce((select id from added), 0)`,
		m.tenant, storableID(s.ID), intake.SameLength(s.Title), intake.SameLength(s.Summary), s.SummaryTo, within(s.Created), within(s.Updated)).Scan(&row)
	if err != nil {
		return err
	}
	if row == 0 {
		moved.Skipped++
		return nil
	}
	for _, t := range s.Turns {
		if t.Run != nil {
			var there bool
			if err := tx.QueryRow(ctx, "select exists(select 1 from run where tenant = $1 and uid = $2)", m.tenant, storableID(t.Run.RunID)).Scan(&there); err != nil {
				return err
			}
			if there {
				moved.Warnings = append(moved.Warnings, fmt.Sprintf("answer %s already exists in another session", t.Run.RunID))
				t.Run = nil
			}
		}
		if err := m.insertTurn(ctx, tx, row, s.ID, t.Seq, "", evidence.Turn(t)); err != nil {
			return err
		}
		moved.Turns++
	}
	moved.Sessions++
	_, err = tx.Exec(ctx, "update session set title = $3 where tenant = $1 and id = $2", m.tenant, row, intake.SameLength(s.Title))
	return err
}
