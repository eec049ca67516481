package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// exactRows is how many passages may pass a filter so that their vectors are compared one
// by one: some tens of milliseconds. HNSW, asked for a filter, looks at the nearest and
// keeps what passes; of one percent it finds half, and says nothing.
const exactRows = 20_000

// nearDepth is the fewest passages that the vectors contribute. It is also how many HNSW
// looks at (hnsw.ef_search): twice as many cost twice the time and rank no better.
const nearDepth = 100

// fewDocs is how many documents are counted first: most filters let so many passages
// through that they tell.
const fewDocs = 4000

// isSelective reports whether so few passages pass the filter that all are compared.
func (m *Memory) isSelective(ctx context.Context, tx pgx.Tx, q *preparedQuery) (bool, error) {
	for _, most := range []int{min(fewDocs, m.exactRows()), m.exactRows() + 1} {
		p := params{m.tenant, most}
		where := filterOf(q.RecallQuery, m.tenant, &p)
		var docs, chunks int
		err := tx.QueryRow(ctx, "select count(*), coalesce(sum(chunks), 0) from (select d.chunks from doc d where d.tenant = $1 and "+where+" limit $2) top", p...).Scan(&docs, &chunks)
		if err != nil || chunks > m.exactRows() || docs < most {
			return chunks <= m.exactRows(), err
		}
	}
	return false, nil
}

func (m *Memory) exactRows() int {
	if m.mostExact > 0 {
		return m.mostExact
	}
	return exactRows
}

// nearest returns the passages with the nearest vectors. exact compares all that pass the
// filter; otherwise HNSW is asked.
func (m *Memory) nearest(ctx context.Context, tx pgx.Tx, q *preparedQuery, s space, v []float32, exact bool) ([]place, error) {
	p := params{m.tenant, v, max(nearDepth, 2*q.K)}
	distance := "v.v <=> $2::real[]::halfvec"
	query := fmt.Sprintf("select v.doc, v.ord from %s v where v.tenant = $1 order by %s limit $3", s.table(), distance)
	if q.filtered {
		where := filterOf(q.RecallQuery, m.tenant, &p)
		if exact {
			// Both are materialized: the planner must not walk the index of the vectors and
			// ask for the filter on the way.
			query = fmt.Sprintf(`with pass as materialized (select d.id from doc d where d.tenant = $1 and %s),
				dist as materialized (select v.doc, v.ord, %s d from pass join %s v on v.tenant = $1 and v.doc = pass.id)
				select doc, ord from dist order by d limit $3`, where, distance, s.table())
		} else {
			query = fmt.Sprintf(`select v.doc, v.ord from %s v where v.tenant = $1 and exists(select 1 from doc d where d.tenant = $1 and d.id = v.doc and %s)
				order by %s limit $3`, s.table(), where, distance)
		}
	}
	rows, err := tx.Query(ctx, query, p...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[place])
}

// vectorsOf reads the vectors of passages.
func (m *Memory) vectorsOf(ctx context.Context, tx pgx.Tx, s space, places []place) (map[place][]float32, error) {
	docs, ords := columnsOf(places)
	out := map[place][]float32{}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var at place
		var v []float32
		err := row.Scan(&at.Doc, &at.Ord, &v)
		out[at] = v
		return err
	}, fmt.Sprintf(`select v.doc, v.ord, v.v::real[] from unnest($2::bigint[], $3::int[]) k(doc, ord)
		join %s v on v.tenant = $1 and v.doc = k.doc and v.ord = k.ord`, s.table()), m.tenant, docs, ords)
	return out, err
}
