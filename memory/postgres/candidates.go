package postgres

import (
	"cmp"
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

// gather reads passages, each with the terms of the adjacent ones, its similarity to the
// query, and, if n-grams are compared, its text, which grams scores as it comes. Those that
// were removed meanwhile are left out.
func (m *Memory) gather(ctx context.Context, tx pgx.Tx, q *preparedQuery, found []place, grams *rank.Scorer) ([]rank.Candidate, error) {
	slices.SortFunc(found, func(a, b place) int { return cmp.Or(cmp.Compare(a.Doc, b.Doc), cmp.Compare(a.Ord, b.Ord)) })
	found = slices.Compact(found)
	docs, ords := columnsOf(found)
	p := params{m.tenant, docs, ords}
	cos, text, join := "null::float8 cos", "null::bytea text", ""
	if q.vector != nil {
		cos = "1 - (v.v <=> " + p.add(q.vector) + "::real[]::halfvec) cos"
		join = fmt.Sprintf(" left join %s v on v.tenant = $1 and v.doc = k.doc and v.ord = k.ord", q.space.table())
		if q.Mode == evidence.ModeHybrid {
			text = "substring(b.text from p.start + 1 for p.stop - p.start) text"
			join += " left join body b on b.tenant = $1 and b.doc = k.doc"
		}
	}
	out, context := make([]rank.Candidate, len(found)), make([][2]string, len(found)) // the terms before and after
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		n, off, c, err := scanCandidate(row)
		switch {
		case err != nil:
			return err
		case off == 0:
			if grams != nil { // while the server reads the next ones
				c.Grams = grams.Score(c.Surface)
			}
			out[n] = c
		case off < 0:
			context[n][0] = c.Terms
		default:
			context[n][1] = c.Terms
		}
		return nil
		// Of the adjacent passages nothing but the terms is read. The planner must not read
		// whole tables for a few rows, as it does where it does not know yet how large they
		// are: hence the lateral joins.
	}, `select k.n - 1, p.ord - k.ord, p.doc, p.ord, p.start, p.stop, p.simhash, p.stems, coalesce(own.turn, false), coalesce(own.title, ''), own.cos, own.text
		from unnest($2::bigint[], $3::int[]) with ordinality k(doc, ord, n)
		cross join lateral (select * from passage p where p.tenant = $1 and p.doc = k.doc and p.ord between k.ord - 1 and k.ord + 1 offset 0) p
		left join lateral (select d.turn is not null turn, d.title, `+cos+`, `+text+` from doc d`+join+`
			where p.ord = k.ord and d.tenant = $1 and d.id = k.doc offset 0) own on true`, p...)
	if err != nil {
		return nil, fmt.Errorf("reading the candidates: %w", err)
	}
	kept := out[:0]
	for i, c := range out {
		if c.Doc == 0 { // it was removed
			continue
		}
		if terms := context[i][0]; terms != "" {
			c.Context = rank.WithoutTitle(terms, c.Terms)
		}
		if terms := context[i][1]; terms != "" {
			c.Context += " " + rank.WithoutTitle(terms, c.Terms)
		}
		kept = append(kept, c)
	}
	return kept, nil
}

// scanCandidate reads a passage: n is the index of the one that was asked for, and off is
// 0 for it, or says on which side of it this one is. Its terms are coded.
func scanCandidate(row pgx.Row) (n, off int, c rank.Candidate, err error) {
	var hash int64
	var title string
	var cos *float64
	var text []byte
	if err = row.Scan(&n, &off, &c.Doc, &c.Ord, &c.Start, &c.Stop, &hash, &c.Terms, &c.Turn, &title, &cos, &text); err != nil {
		return n, off, c, err
	}
	c.Simhash = uint64(hash) //nolint:gosec // bits, not a number
	if cos != nil {
		c.Cos, c.Vector = *cos, hasVector
	}
	if text != nil && len(text) == c.Stop-c.Start { // else it is damaged, which is said of hits
		c.Surface = intake.TitleHead(title) + " " + string(text)
	}
	return n, off, c, nil
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
	places := make([]place, len(pass))
	for i, doc := range pass {
		places[i] = place{doc, 0}
	}
	return m.gather(ctx, tx, q, places, nil)
}
