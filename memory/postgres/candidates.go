package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// hasVector stands for the vector of a candidate, of which only the similarity is read.
var hasVector = []float32{}

// gather reads the passages that were found, each with the terms of the adjacent ones,
// its similarity to the query, and, if n-grams are compared, its text.
func (m *Memory) gather(ctx context.Context, tx pgx.Tx, q *preparedQuery, found []place) ([]rank.Candidate, error) {
	named := make(map[place]bool, len(found))
	for _, at := range found {
		named[at] = true
	}
	var all []place
	seen := make(map[place]bool, 3*len(named))
	for at := range named {
		for _, near := range []place{{at.Doc, at.Ord - 1}, at, {at.Doc, at.Ord + 1}} {
			if !seen[near] && near.Ord >= 0 {
				seen[near], all = true, append(all, near)
			}
		}
	}
	own := make([]bool, len(all))
	for i, at := range all {
		own[i] = named[at]
	}
	rows, err := m.readCandidates(ctx, tx, q, all, own)
	if err != nil {
		return nil, err
	}
	out := make([]rank.Candidate, 0, len(named))
	for i, c := range rows {
		if !named[place{c.Doc, c.Ord}] {
			continue
		}
		if i > 0 && rows[i-1].Doc == c.Doc && rows[i-1].Ord == c.Ord-1 {
			c.Context = rank.WithoutTitle(rows[i-1].Terms, c.Terms)
		}
		if i+1 < len(rows) && rows[i+1].Doc == c.Doc && rows[i+1].Ord == c.Ord+1 {
			c.Context += " " + rank.WithoutTitle(rows[i+1].Terms, c.Terms)
		}
		out = append(out, c)
	}
	return out, nil
}

// readCandidates reads passages, sorted. own are those whose similarity and text are read.
func (m *Memory) readCandidates(ctx context.Context, tx pgx.Tx, q *preparedQuery, places []place, own []bool) ([]rank.Candidate, error) {
	docs, ords := columnsOf(places)
	p := params{m.tenant, docs, ords, own}
	cos, join, surface, body := "null::float8", "", "null::bytea", ""
	if q.vector != nil {
		cos = "1 - (v.v <=> " + p.add(q.vector) + "::real[]::halfvec)"
		join = fmt.Sprintf(" left join %s v on k.own and v.tenant = $1 and v.doc = p.doc and v.ord = p.ord", q.space.table())
		if q.Mode == evidence.ModeHybrid {
			surface, body = "substring(b.text from p.start + 1 for p.stop - p.start)", " left join body b on k.own and b.tenant = $1 and b.doc = p.doc"
		}
	}
	var out []rank.Candidate
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		c, err := scanCandidate(row)
		out = append(out, c)
		return err
	}, `select p.doc, p.ord, p.start, p.stop, p.simhash, p.stems, d.turn is not null, d.title, `+cos+`, `+surface+`
		from unnest($2::bigint[], $3::int[], $4::boolean[]) k(doc, ord, own)
		join passage p on p.tenant = $1 and p.doc = k.doc and p.ord = k.ord
		join doc d on d.tenant = $1 and d.id = p.doc`+join+body, p...)
	if err != nil {
		return nil, fmt.Errorf("reading the candidates: %w", err)
	}
	slices.SortFunc(out, func(a, b rank.Candidate) int {
		if a.Doc != b.Doc {
			return int(a.Doc - b.Doc)
		}
		return a.Ord - b.Ord
	})
	return out, nil
}

func scanCandidate(row pgx.Row) (rank.Candidate, error) {
	var c rank.Candidate
	var hash int64
	var title string
	var cos *float64
	var text []byte
	if err := row.Scan(&c.Doc, &c.Ord, &c.Start, &c.Stop, &hash, &c.Terms, &c.Turn, &title, &cos, &text); err != nil {
		return c, err
	}
	c.Simhash, c.Terms = uint64(hash), decodedAll(c.Terms) //nolint:gosec // bits, not a number
	if cos != nil {
		c.Cos, c.Vector = *cos, hasVector
	}
	if text != nil {
		c.Surface = intake.TitleHead(title) + " " + string(text)
	}
	return c, nil
}

// texts reads the texts of passages.
func (m *Memory) texts(ctx context.Context, tx pgx.Tx, places []place) (map[place]string, error) {
	docs, ords := columnsOf(places)
	out := make(map[place]string, len(places))
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var at place
		var b []byte
		err := row.Scan(&at.Doc, &at.Ord, &b)
		out[at] = string(b)
		return err
	}, `select p.doc, p.ord, substring(b.text from p.start + 1 for p.stop - p.start) from unnest($2::bigint[], $3::int[]) k(doc, ord)
		join passage p on p.tenant = $1 and p.doc = k.doc and p.ord = k.ord join body b on b.tenant = $1 and b.doc = p.doc`, m.tenant, docs, ords)
	if err != nil {
		return nil, fmt.Errorf("reading texts: %w", err)
	}
	return out, nil
}

// maxThread limits the turns among which one recall looks for neighbours.
const maxThread = 50_000

// addNeighbours adds to each turn a share of the scores of the adjacent turns of its
// conversation. A turn that was no candidate becomes one.
func (m *Memory) addNeighbours(ctx context.Context, tx pgx.Tx, q *preparedQuery, cands []rank.Candidate) ([]rank.Candidate, error) {
	turns := rank.TurnsOf(cands)
	if len(turns.Docs) == 0 {
		return cands, nil
	}
	p := params{m.tenant, turns.Docs, maxThread}
	only := ""
	if q.Session != "" {
		only = " and l.session = " + p.add(storableID(q.Session))
	}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var session string
		var doc int64
		err := row.Scan(&session, &doc)
		turns.Next(session, doc)
		return err
	}, `select l.session, d.id from link l join doc d on d.tenant = l.tenant and d.id = l.doc where l.tenant = $1 and d.turn is not null
		and l.session in (select session from link where tenant = $1 and doc = any($2))`+only+` order by l.session, d.turn, d.id limit $3`, p...)
	if err != nil {
		return nil, err
	}
	silent, err := m.silentTurns(ctx, tx, q, turns.Silent())
	if err != nil {
		return nil, err
	}
	cands = append(cands, silent...)
	turns.Add(cands)
	return cands, nil
}

// silentTurns reads turns that have no score of their own, as far as they pass the filter.
func (m *Memory) silentTurns(ctx context.Context, tx pgx.Tx, q *preparedQuery, docs []int64) ([]rank.Candidate, error) {
	if len(docs) == 0 {
		return nil, nil
	}
	p := params{m.tenant, docs}
	where := ""
	if q.filtered {
		where = " and " + filterOf(q.RecallQuery, m.tenant, &p)
	}
	pass, err := column[int64](ctx, tx, "select d.id from doc d where d.tenant = $1 and d.id = any($2)"+where+" order by d.id", p...)
	if err != nil {
		return nil, err
	}
	places, own := make([]place, len(pass)), make([]bool, len(pass))
	for i, doc := range pass {
		places[i], own[i] = place{doc, 0}, true
	}
	return m.readCandidates(ctx, tx, q, places, own)
}
