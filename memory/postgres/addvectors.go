package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// AddVectors stores vectors of single passages; see contract.VectorFiller.
func (m *Memory) AddVectors(ctx context.Context, model evidence.Model, vs []contract.ChunkVector) (int, error) {
	if len(vs) == 0 {
		return 0, ctx.Err()
	}
	s, err := m.spaceFor(ctx, model, false)
	if err != nil {
		return 0, err
	}
	uids := make([]string, 0, len(vs))
	for _, v := range vs {
		uids = append(uids, storableID(v.Passage.DocumentID))
	}
	added := 0
	err = m.write(ctx, "storing vectors", func(tx attempt) error {
		added = 0
		if err := m.lockDocs(ctx, tx, "uid", uids); err != nil {
			return err
		}
		for _, v := range vs {
			n, err := m.addVector(ctx, tx, s, v)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

// addVector stores a vector whose passage is stored as it has it and has none. The
// document is locked.
func (m *Memory) addVector(ctx context.Context, tx pgx.Tx, s space, v contract.ChunkVector) (int, error) {
	g := gap{found: make(vectors, s.model.Dims)}
	if intake.Unit(g.found, v.Vector) != nil {
		return 0, nil //nolint:nilerr // such a vector is left out
	}
	var ord int32
	var body []byte
	var left int
	err := tx.QueryRow(ctx, fmt.Sprintf(`select d.id, d.chunks, p.ord, substring(b.text from p.start + 1 for p.stop - p.start),
			coalesce((select missing from embedded e where e.tenant = $1 and e.model = $5 and e.doc = d.id), d.chunks)
		from doc d join passage p on p.tenant = $1 and p.doc = d.id join body b on b.tenant = $1 and b.doc = d.id
		where d.tenant = $1 and d.uid = $2 and p.start = $3 and p.stop = $4
			and not exists(select 1 from %s v where v.tenant = $1 and v.doc = d.id and v.ord = p.ord)`, s.table()),
		m.tenant, storableID(v.Passage.DocumentID), v.Passage.Start, v.Passage.End, s.id).Scan(&g.doc, &g.chunks, &ord, &body, &left)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && string(body) != v.Passage.Text {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	g.ords = []int32{ord}
	return m.keepVectors(ctx, tx, s, g, max(0, left-1))
}
