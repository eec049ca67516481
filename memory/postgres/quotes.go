package postgres

import (
	"context"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// supporters is how many passages of other documents are checked for a phrase.
const supporters = 20

// turnKey identifies a turn.
type turnKey struct{ session, seq int64 }

// quoteSearch finds the turns, answers, titles and summaries that quote the
// selected documents, cited or not. search is called while others write, and again while
// nobody does, for the few turns that were added since.
type quoteSearch struct {
	m         *Memory
	without   []int64 // the selected documents
	phrases   traces.Phrases
	supported map[string]bool
	known     map[int64]int64 // last turn that was searched, by session
	folded    map[int64]int64 // summary_to of the summaries that were searched
	runs      map[string]bool
	turns     map[turnKey]bool
	sessions  map[int64]bool // whose title or summary quotes
}

func newQuoteSearch(m *Memory, docs []int64) *quoteSearch {
	return &quoteSearch{m: m, without: docs, supported: map[string]bool{}, known: map[int64]int64{}, folded: map[int64]int64{},
		runs: map[string]bool{}, turns: map[turnKey]bool{}, sessions: map[int64]bool{}}
}

func (q *quoteSearch) clone() *quoteSearch {
	c := *q
	c.supported, c.known, c.folded = maps.Clone(q.supported), maps.Clone(q.known), maps.Clone(q.folded)
	c.runs, c.turns, c.sessions = maps.Clone(q.runs), maps.Clone(q.turns), maps.Clone(q.sessions)
	return &c
}

// said is a text of a conversation.
type said struct {
	turnKey
	text, run, answer string
}

// search searches what was added since the last call.
func (q *quoteSearch) search(ctx context.Context, tx pgx.Tx) error {
	q.phrases.Seal()
	if q.phrases.Len() == 0 {
		return nil
	}
	var grown []turnKey // each with its last known turn
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var k turnKey
		if err := row.Scan(&k.session, &k.seq); err != nil {
			return err
		}
		if last := q.known[k.session]; k.seq > last {
			grown = append(grown, turnKey{k.session, last})
			q.known[k.session] = k.seq
		}
		return nil
	}, "select session, max(seq) from turn where tenant = $1 group by session", q.m.tenant)
	if err != nil {
		return err
	}
	for _, g := range grown {
		if err := q.searchTurns(ctx, tx, g); err != nil {
			return err
		}
	}
	return q.searchSummaries(ctx, tx)
}

func (q *quoteSearch) searchTurns(ctx context.Context, tx pgx.Tx, after turnKey) error {
	var all []said // a connection has one open query: the phrases are looked up afterwards
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		s := said{turnKey: turnKey{session: after.session}}
		err := row.Scan(&s.seq, &s.text, &s.run, &s.answer)
		all = append(all, s)
		return err
	}, `select t.seq, t.text, coalesce(t.run, ''), coalesce(r.body, '') from turn t left join run r on r.tenant = t.tenant and r.uid = t.run
		where t.tenant = $1 and t.session = $2 and t.seq > $3`, q.m.tenant, after.session, after.seq)
	if err != nil {
		return err
	}
	for _, s := range all {
		quoted, err := q.isQuote(ctx, tx, s.text)
		if err != nil {
			return err
		}
		if quoted {
			q.turns[s.turnKey] = true
		}
		if s.run == "" {
			continue
		}
		if !quoted {
			if quoted, err = q.isQuote(ctx, tx, traces.PlainAnswer(s.answer)); err != nil {
				return err
			}
		}
		if quoted {
			q.runs[s.run] = true
		}
	}
	return nil
}

func (q *quoteSearch) searchSummaries(ctx context.Context, tx pgx.Tx) error {
	var all []said
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var s said
		err := row.Scan(&s.session, &s.seq, &s.text)
		if last, ok := q.folded[s.session]; !ok || last != s.seq {
			q.folded[s.session] = s.seq
			all = append(all, s)
		}
		return err
	}, "select id, summary_to, title || chr(10) || summary from session where tenant = $1", q.m.tenant)
	if err != nil {
		return err
	}
	for _, s := range all {
		quoted, err := q.isQuote(ctx, tx, s.text)
		if err != nil {
			return err
		}
		if quoted {
			q.sessions[s.session] = true
		}
	}
	return nil
}

// isQuote reports whether s contains a phrase that only the selected documents
// contain. A phrase that occurs in other documents too, such as "It was
// released in 2009.", is not a trace of them.
func (q *quoteSearch) isQuote(ctx context.Context, tx pgx.Tx, s string) (bool, error) {
	for _, p := range q.phrases.In(s) {
		also, ok := q.supported[p]
		if !ok {
			var err error
			if also, err = q.inOtherDocument(ctx, tx, p); err != nil {
				return false, err
			}
			q.supported[p] = also
		}
		if !also {
			return true, nil
		}
	}
	return false, nil
}

// inOtherDocument reports whether a document that is not selected contains the
// words of phrase in this order.
func (q *quoteSearch) inOtherDocument(ctx context.Context, tx pgx.Tx, phrase string) (bool, error) {
	terms := q.m.voc.Stems(traces.Joined(strings.Fields(phrase)))
	if len(terms) == 0 {
		return false, nil
	}
	for i, t := range terms {
		terms[i] = coded(t)
	}
	found, want := false, " "+phrase+" "
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var b []byte
		err := row.Scan(&b)
		found = found || strings.Contains(" "+strings.Join(traces.Words(string(b)), " ")+" ", want)
		return err
	}, `select substring(b.text from p.start + 1 for p.stop - p.start) from `+having+` join passage p on p.tenant = $9 and p.doc = at_doc and p.ord = at_ord
		join body b on b.tenant = $9 and b.doc = at_doc`, append(havingArgs(terms, supporters, q.without, evidence.RecallQuery{}), q.m.tenant)...)
	return found, err
}
