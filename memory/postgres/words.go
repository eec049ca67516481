package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/rank"
)

const (
	// manyChunks is how many passages a memory has in which the frequency of a common
	// term is taken from the sample of the n-grams: counting would read much of it.
	manyChunks = 20_000
	// fewCounted bounds counting then: above it, the sample is good enough.
	fewCounted = 300
	// mostCounted bounds counting where there is no sample yet.
	mostCounted = 20_000
	// foundByTerm is how many passages are compared by BM25 that have the rarest terms:
	// those of which the sum of the weights is highest.
	foundByTerm = 500
)

// stemsArray is the expression that passage_stems indexes.
const stemsArray = "string_to_array(p.stems, ' ')"

// termStats looks up what BM25 needs of the terms.
func (m *Memory) termStats(ctx context.Context, tx pgx.Tx, terms []string, total tally) (*rank.TermStats, error) {
	counted, err := m.countTerms(ctx, tx, terms, total.chunks)
	if err != nil {
		return nil, err
	}
	return rank.NewTermStats(terms, total.chunks, total.terms, func(term string) (int64, error) { return counted[term], nil })
}

// isLarge reports whether the frequencies of common terms are taken from the sample.
func (m *Memory) isLarge(chunks int64) bool { return chunks > cmp.Or(m.many, manyChunks) }

// countTerms returns in how many passages each term is: of rare ones as counted now or not
// long ago, of common ones in a large memory as the sample has them.
func (m *Memory) countTerms(ctx context.Context, tx pgx.Tx, terms []string, chunks int64) (map[string]int64, error) {
	out := make(map[string]int64, len(terms))
	b := &pgx.Batch{}
	most := mostCounted
	if m.isLarge(chunks) && m.grams.sampled() {
		most = fewCounted
	}
	for _, term := range terms {
		if _, ok := out[term]; ok {
			continue
		}
		df, ok := m.df.Get(term, chunks)
		if !ok && most == fewCounted {
			df, ok = m.grams.frequency(term, chunks, surely)
		}
		if out[term] = df; ok {
			continue
		}
		b.Queue("select count(*) from "+having, havingArgs([]string{term}, most, nil, evidence.RecallQuery{})...).QueryRow(func(row pgx.Row) error {
			var df int64
			if err := row.Scan(&df); err != nil {
				return err
			}
			if df == int64(most) { // or more
				estimate, _ := m.grams.frequency(term, chunks, 1)
				df = max(df, estimate)
			}
			if out[term] = df; df < mostCounted {
				m.df.Set(term, df)
			}
			return nil
		})
	}
	if b.Len() == 0 {
		return out, nil
	}
	return out, tx.SendBatch(ctx, b).Close()
}

// having are the passages that have all of some terms, as far as a row for each is wanted;
// see migrations/0005_search.sql.
const having = "memory_having($1, $2, $3, $4, $5, $6, $7, $8)"

// havingArgs are the arguments of having: at most so many passages, none of some documents,
// those that pass the filters of q.
func havingArgs(terms []string, most int, without []int64, q evidence.RecallQuery) []any {
	return append([]any{terms, most, without}, filterArgs(q)...)
}

// matching returns the passages with the best BM25.
func (m *Memory) matching(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats) ([]place, error) {
	switch {
	case len(s.Terms) == 0:
		return nil, nil
	case q.filtered && q.few(s.Chunks):
		return m.matchingAmong(ctx, tx, q, s)
	case m.server.bm25:
		return m.matchingIndexed(ctx, tx, q, s)
	}
	return m.matchingTerms(ctx, tx, q, s)
}

// few reports whether it is cheaper to read the words of all passages that pass the filter
// than to look for them among the best of the memory: of those it takes more, the fewer
// pass. Reading one takes about twice the time of ranking one.
func (q *preparedQuery) few(chunks int64) bool {
	n := int64(q.passing)
	return q.exact && n*n <= int64(q.depth)*chunks
}

// matchingAmong compares all passages that pass the filter.
func (m *Memory) matchingAmong(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats) ([]place, error) {
	p := params{m.tenant}
	where := filterOf(q.RecallQuery, m.tenant, &p)
	return m.bestOf(ctx, tx, q, s, `with pass as materialized (select d.id from doc d where d.tenant = $1 and `+where+`)
		select p.doc, p.ord, p.stems from pass cross join lateral (select * from passage p where p.tenant = $1 and p.doc = pass.id offset 0) p`, p)
}

const (
	// firstRanked bounds how many passages are ranked before the filter is asked: of a
	// large memory it is not known which part passes.
	firstRanked = 5000
	// mostRanked is how many pg_textsearch ranks at most.
	mostRanked = 100_000
)

// rankedQuery asks pg_textsearch for the best $3 passages. Their scores are not asked for:
// it would divide each text into words again to answer.
const rankedQuery = "select p.doc, p.ord from passage p where p.tenant = $1 order by p.stems <@> to_bm25query($2, $4) limit $3"

// matchingIndexed asks pg_textsearch. Repeated terms count repeatedly, as in the score.
func (m *Memory) matchingIndexed(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats) ([]place, error) {
	var words []string
	for _, t := range q.terms {
		if s.Weight[t] > 0 {
			words = append(words, t)
		}
	}
	p := params{m.tenant, strings.Join(words, " "), q.depth, m.server.bmIndex()}
	if !q.filtered {
		return m.ranked(ctx, tx, p, s.Chunks)
	}
	most := p.add(q.depth)
	// No common table expression: in one, pg_textsearch divides each text into words again. The
	// planner has no choice of order: where it takes the documents that pass for few, it would
	// rank anew for each of them.
	query := `select b.doc, b.ord, b.ranked from (select doc, ord, row_number() over () n, count(*) over () ranked from (` + rankedQuery + `) b) b
		cross join lateral (select * from doc d where d.tenant = $1 and d.id = b.doc offset 0) d
		cross join lateral (select 1 where ` + filterOf(q.RecallQuery, m.tenant, &p) + ` offset 0) passes order by b.n limit ` + most
	for n := min(firstRanked, max(q.depth, int(1.5*float64(q.depth)*float64(s.Chunks)/float64(max(1, q.passing))))); ; n = min(4*n, mostRanked) {
		p[2] = n
		var out []place
		ranked := n
		b := &pgx.Batch{}
		m.rankedBy(b, s.Chunks, query, p).Query(func(rows pgx.Rows) error {
			var at place
			_, err := pgx.ForEachRow(rows, []any{&at.Doc, &at.Ord, &ranked}, func() error {
				out = append(out, at)
				return nil
			})
			return err
		})
		err := tx.SendBatch(ctx, b).Close()
		if err != nil || len(out) >= q.depth || ranked < n || n >= mostRanked || int64(n) >= s.Chunks {
			return out, err
		}
	}
}

// rankedByIndex is how many passages the index ranks in the time that one takes which is ranked
// by itself.
const rankedByIndex = 5

// rankedBy adds a query with rankedQuery to a batch. The planner must read the index in its
// order: it would rather rank all passages of the tenant one by one and sort them where it
// takes them for few, as it does until new ones have been analyzed. That is right only where
// the index, which ranks those of all tenants, would rank many more for as many of this one.
func (m *Memory) rankedBy(b *pgx.Batch, chunks int64, query string, p params) *pgx.QueuedQuery {
	b.Queue("select set_config('enable_sort', case when reltuples * $1::int8 > $2::float8 then 'on' else 'off' end, true) from pg_class where oid = $3::text::regclass",
		p[2], rankedByIndex*float64(chunks)*float64(chunks), pgx.Identifier{m.server.schema, "passage"}.Sanitize())
	q := b.Queue(query, p...)
	b.Queue("set local enable_sort to default")
	return q
}

// ranked returns the best passages, as far as p asks for them.
func (m *Memory) ranked(ctx context.Context, tx pgx.Tx, p params, chunks int64) (out []place, err error) {
	b := &pgx.Batch{}
	m.rankedBy(b, chunks, rankedQuery, p).Query(func(rows pgx.Rows) error {
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		return err
	})
	return out, tx.SendBatch(ctx, b).Close()
}

// matchingTerms finds the passages that have the rarest terms, and of those the ones with
// the best BM25, as far as it is known without their other terms. If they are too few for
// the hits, common terms are looked for too: they may be all that passes the filter.
func (m *Memory) matchingTerms(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats) ([]place, error) {
	weights := map[place]float64{}
	sought := s.Sought()
	if err := weigh(ctx, tx, q, s, sought, weights); err != nil {
		return nil, err
	}
	for _, t := range s.Terms[len(sought):] {
		if len(weights) >= 2*q.K { // some are folded as near-duplicates
			break
		}
		if err := weigh(ctx, tx, q, s, []string{t}, weights); err != nil {
			return nil, err
		}
	}
	found := make([]place, 0, len(weights))
	for at := range weights {
		found = append(found, at)
	}
	slices.SortFunc(found, func(a, b place) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a.Doc, b.Doc), cmp.Compare(a.Ord, b.Ord))
	})
	if len(found) <= q.depth {
		return found, nil
	}
	docs, ords := columnsOf(found[:min(len(found), max(foundByTerm, q.depth))])
	return m.bestOf(ctx, tx, q, s, `select p.doc, p.ord, p.stems from unnest($2::bigint[], $3::int[]) k(doc, ord)
		join passage p on p.tenant = $1 and p.doc = k.doc and p.ord = k.ord`, params{m.tenant, docs, ords})
}

// weigh adds the weights of terms to the passages that have them and pass the filter.
func weigh(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats, terms []string, weights map[place]float64) error {
	b := &pgx.Batch{}
	for _, t := range terms {
		b.Queue("select at_doc, at_ord from "+having, havingArgs([]string{t}, 2*rank.MatchBudget, nil, q.RecallQuery)...).Query(func(rows pgx.Rows) error {
			var at place
			_, err := pgx.ForEachRow(rows, []any{&at.Doc, &at.Ord}, func() error {
				weights[at] += s.Weight[t]
				return nil
			})
			return err
		})
	}
	return tx.SendBatch(ctx, b).Close()
}

// bestOf returns those of the passages of a query that have the best BM25.
func (m *Memory) bestOf(ctx context.Context, tx pgx.Tx, q *preparedQuery, s *rank.TermStats, query string, p params) ([]place, error) {
	var cands []rank.Candidate
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var c rank.Candidate
		err := row.Scan(&c.Doc, &c.Ord, &c.Terms)
		cands = append(cands, c)
		return err
	}, query, p...)
	if err != nil {
		return nil, fmt.Errorf("reading the words of passages: %w", err)
	}
	rank.ScoreWords(cands, s)
	out := make([]place, 0, q.depth)
	for _, c := range rank.BestWords(cands, q.depth) {
		if c.Words > 0 {
			out = append(out, place{c.Doc, c.Ord})
		}
	}
	return out, nil
}

func columnsOf(places []place) (docs []int64, ords []int32) {
	docs, ords = make([]int64, len(places)), make([]int32, len(places))
	for i, at := range places {
		docs[i], ords[i] = at.Doc, int32(at.Ord) //nolint:gosec // MaxText is smaller
	}
	return docs, ords
}
