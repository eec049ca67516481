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

// fewNear is how many vectors may as well be compared one by one, as the planner likes.
const fewNear = 2000

// fewDocs is how many documents are counted first: most filters let so many passages
// through that they tell.
const fewDocs = 4000

// countPassing counts the passages that pass the filter, as far as it has to be known
// whether all of them are compared.
func (m *Memory) countPassing(ctx context.Context, tx pgx.Tx, q *preparedQuery) error {
	for _, most := range []int{min(fewDocs, m.exactRows()), m.exactRows() + 1} {
		p := params{m.tenant, most}
		where := filterOf(q.RecallQuery, m.tenant, &p)
		var docs int
		err := tx.QueryRow(ctx, "select count(*), coalesce(sum(chunks), 0) from (select d.chunks from doc d where d.tenant = $1 and "+where+" limit $2) top", p...).Scan(&docs, &q.passing)
		q.exact = q.passing <= m.exactRows()
		if err != nil || !q.exact || docs < most {
			return err
		}
	}
	q.exact = false
	return nil
}

func (m *Memory) exactRows() int {
	if m.mostExact > 0 {
		return m.mostExact
	}
	return exactRows
}

// mostNear bounds how many vectors HNSW looks at for a filter before it asks for more.
const mostNear = 400

// nearestQuery are the passages with the $3 vectors that are nearest to $2, by HNSW.
func nearestQuery(s space) string {
	return fmt.Sprintf("select v.doc, v.ord from %s v where v.tenant = $1 order by %s limit $3", s.table(), distance)
}

const distance = "v.v <=> $2::real[]::halfvec"

// nearest returns the passages with the nearest vectors: of those that pass a filter, if
// they are few enough, all are compared; otherwise HNSW is asked.
func (m *Memory) nearest(ctx context.Context, tx pgx.Tx, q *preparedQuery, s space, v []float32, chunks int64) (out []place, err error) {
	p := params{m.tenant, v, max(nearDepth, 2*q.K)}
	b, query := &pgx.Batch{}, nearestQuery(s)
	if q.filtered {
		where := filterOf(q.RecallQuery, m.tenant, &p)
		if q.exact {
			// The planner must neither walk the index of the vectors and ask for the filter on
			// the way, nor read all vectors.
			query = fmt.Sprintf(`with pass as materialized (select d.id from doc d where d.tenant = $1 and %s),
				dist as materialized (select v.doc, v.ord, %s d from pass cross join lateral (select * from %s v where v.tenant = $1 and v.doc = pass.id offset 0) v)
				select doc, ord from dist order by d limit $3`, where, distance, s.table())
		} else {
			near := min(mostNear, int64(1.2*nearDepth*float64(chunks)/float64(max(1, q.passing))))
			b.Queue("select set_config('hnsw.ef_search', $1, true)", fmt.Sprint(max(nearDepth, near)))
			query = fmt.Sprintf(`select v.doc, v.ord from %s v where v.tenant = $1 and exists(select 1 from doc d where d.tenant = $1 and d.id = v.doc and %s)
				order by %s limit $3`, s.table(), where, distance)
		}
	}
	byIndex := chunks > fewNear && !q.exact
	if byIndex { // the planner does not know yet how many new ones there are
		b.Queue("set local enable_sort to off")
	}
	b.Queue(query, p...).Query(func(rows pgx.Rows) error {
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		return err
	})
	if byIndex {
		b.Queue("set local enable_sort to default")
	}
	return out, tx.SendBatch(ctx, b).Close()
}
