package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// space is a stored vector space.
type space struct {
	id     int
	model  evidence.Model
	active bool
	wanted bool
}

// table is where the vectors are.
func (s space) table() string { return fmt.Sprintf("vec_%d", s.id) }

// mostDims is the most dimensions of a stored vector: those of pgvector's halfvec.
const mostDims = 16_000

const spaceColumns = "id, name, revision, dims, kind, active, wanted"

func scanSpace(row pgx.Row) (space, error) {
	var s space
	err := row.Scan(&s.id, &s.model.Name, &s.model.Revision, &s.model.Dims, &s.model.Kind, &s.active, &s.wanted)
	return s, err
}

// findSpace returns the stored space of a model, if there is one.
func (m *Memory) findSpace(ctx context.Context, q querier, model evidence.Model) (space, bool, error) {
	s, err := scanSpace(q.QueryRow(ctx, "select "+spaceColumns+" from model where tenant = $1 and name = $2 and revision = $3", m.tenant, model.Name, model.Revision))
	if errors.Is(err, pgx.ErrNoRows) {
		return space{}, false, nil
	}
	return s, err == nil, err
}

func (m *Memory) allSpaces(ctx context.Context, q querier) ([]space, error) {
	rows, err := q.Query(ctx, "select "+spaceColumns+" from model where tenant = $1 order by id", m.tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (space, error) { return scanSpace(row) })
}

// ensureSpace returns the space of a model, and adds it if it is new. Its table is made in
// a transaction of its own: nobody waits for the locks of a longer one. The first space of
// a memory becomes the active one, if activate says so.
func (m *Memory) ensureSpace(ctx context.Context, model evidence.Model, activate bool) (space, error) {
	model = storableModel(model)
	key := model.Key()
	if s, ok := m.spaces.Load(key); ok {
		return s.(space), nil
	}
	if err := intake.CheckModel(model); err != nil {
		return space{}, err
	}
	if model.Dims > mostDims {
		return space{}, &evidence.Problem{What: fmt.Sprintf("vectors of %d dimensions cannot be stored in PostgreSQL; the limit is %d", model.Dims, mostDims), Try: "use another embedding model"}
	}
	var s space
	err := m.write(ctx, "adding a model", func(tx attempt) error {
		var ok bool
		var err error
		if s, ok, err = m.findSpace(ctx, tx, model); err != nil || ok {
			return err
		}
		_, err = tx.Exec(ctx, "select memory_space($1, $2, $3, $4, $5, $6)", m.tenant, model.Name, model.Revision, model.Dims, model.Kind, activate)
		if err == nil {
			s, _, err = m.findSpace(ctx, tx, model)
		}
		return err
	})
	if codeOf(err) == limitExceeded {
		return space{}, &evidence.Problem{What: fmt.Sprintf("the model %s cannot be added: %s", contract.ModelText(model), messageOf(err)),
			Try: "export the memory without vectors (`research-mcp memory export FILE`), and import that file into an empty one", Cause: err}
	}
	if err != nil {
		return space{}, err
	}
	m.spaces.Store(key, space{id: s.id, model: s.model}) // whether it is active may change
	return s, nil
}

// vectors are those of the passages of a document, one after the other, each of unit
// length, or zero: it has none.
type vectors []float32

// takeVectors copies the valid vectors at unit length, and notes why others are left out.
func (m *Memory) takeVectors(ctx context.Context, e *entry, chunks evidence.Chunks) error {
	all, model, note := intake.Vectors(chunks, len(e.Pieces))
	if note != "" {
		e.Notes = append(e.Notes, note)
	}
	if all == nil {
		return nil
	}
	s, err := m.ensureSpace(ctx, model, true)
	if err != nil {
		return err
	}
	if s.model.Dims != model.Dims {
		e.Notes = append(e.Notes, intake.OtherDims(s.model, model.Dims)+"; the document is found by words")
		return nil
	}
	e.model, e.vectors = s, all
	return nil
}

// queueVectors stores the vectors of a document that has none in this space.
func (e *entry) queueVectors(b *pgx.Batch, tenant string, doc int64) {
	if e.model.id == 0 {
		return
	}
	queueVectors(b, e.model, tenant, doc, 0, e.vectors)
	b.Queue("insert into embedded(tenant, model, doc, missing) values($1, $2, $3, 0)", tenant, e.model.id, doc)
	queueStored(b, e.model, tenant, doc)
}

// queueStored records how many vectors a document has: what is lost later can be noticed.
func queueStored(b *pgx.Batch, s space, tenant string, doc int64) {
	b.Queue("update embedded set stored = (select count(*) from "+s.table()+" v where v.tenant = $1 and v.doc = $3) where tenant = $1 and model = $2 and doc = $3", tenant, s.id, doc)
}

// vectorsAtOnce bounds the parameters of a statement, in numbers.
const vectorsAtOnce = 1 << 20

// queueVectors stores the vectors of passages from the ordinal first on that have none.
func queueVectors(b *pgx.Batch, s space, tenant string, doc int64, first int, all vectors) {
	dims := s.model.Dims
	for part := range slices.Chunk(all, max(1, vectorsAtOnce/dims)*dims) {
		var ords []int32
		var some []float32
		for at := 0; at < len(part); at += dims {
			if v := part[at : at+dims]; !intake.IsZero(v) {
				ords, some = append(ords, int32(first+at/dims)), append(some, v...) //nolint:gosec // MaxText is smaller
			}
		}
		first += len(part) / dims
		if len(ords) > 0 {
			queueSome(b, s, tenant, doc, ords, some)
		}
	}
}

func queueSome(b *pgx.Batch, s space, tenant string, doc int64, ords []int32, some []float32) {
	b.Queue(fmt.Sprintf(`insert into %s(tenant, doc, ord, v) select $1, $2, ord, ($4::real[])[(n - 1) * %d + 1 : n * %d]::halfvec
		from unnest($3::int[]) with ordinality u(ord, n) on conflict(tenant, doc, ord) do nothing`, s.table(), s.model.Dims, s.model.Dims), tenant, doc, ords, some)
}

// completeVectors adds the vectors of a stored document, unless it has all of this model.
func (m *Memory) completeVectors(ctx context.Context, tx pgx.Tx, doc int64, e *entry) error {
	done, err := m.setEmbedded(ctx, tx, e.model, doc, int64(len(e.Pieces)), 0)
	if err != nil || !done {
		return err
	}
	b := &pgx.Batch{}
	queueVectors(b, e.model, m.tenant, doc, 0, e.vectors)
	queueStored(b, e.model, m.tenant, doc)
	b.Queue("insert into change(tenant, doc) values($1, $2)", m.tenant, doc)
	return tx.SendBatch(ctx, b).Close()
}

// setEmbedded records how many passages of a document are still to be embedded, and
// reports whether it was incomplete.
func (m *Memory) setEmbedded(ctx context.Context, tx pgx.Tx, s space, doc, chunks int64, missing int) (was bool, err error) {
	tag, err := tx.Exec(ctx, `insert into embedded(tenant, model, doc, missing) values($1, $2, $3, $4)
		on conflict(tenant, model, doc) do update set missing = excluded.missing where embedded.missing > 0`, m.tenant, s.id, doc, missing)
	if err != nil || tag.RowsAffected() == 0 || missing > 0 {
		return err == nil && tag.RowsAffected() > 0, err
	}
	return true, m.count(ctx, tx, s.id, tally{documents: 1, chunks: chunks})
}
