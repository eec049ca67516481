package local

import (
	"context"
	"database/sql"
	"strings"

	"github.com/research-mcp/research-mcp/memory/traces"
)

// supporters is how many passages of other documents are checked for a phrase.
const supporters = 20

// turnKey identifies a turn.
type turnKey struct{ session, seq int64 }

// quoteSearch finds the turns, answers, titles and summaries that quote the
// selected documents, cited or not. search is called on a snapshot without a
// lock, and again under the write lock for the few turns that were added since.
type quoteSearch struct {
	voc       *vocabulary
	without   string // JSON of the row ids of the selected documents
	phrases   traces.Phrases
	supported map[string]bool
	known     map[int64]int64 // last turn that was searched, by session
	folded    map[int64]int64 // summary_to of the summaries that were searched
	runs      map[string]bool
	turns     map[turnKey]bool
	sessions  map[int64]bool // whose title or summary quotes
}

func newQuoteSearch(voc *vocabulary, docs []int64) *quoteSearch {
	return &quoteSearch{voc: voc, without: jsonIDs(docs), supported: map[string]bool{}, known: map[int64]int64{}, folded: map[int64]int64{},
		runs: map[string]bool{}, turns: map[turnKey]bool{}, sessions: map[int64]bool{}}
}

// search searches what was added since the last call.
func (q *quoteSearch) search(ctx context.Context, tx *sql.Tx) error {
	q.phrases.Seal()
	if q.phrases.Len() == 0 {
		return nil
	}
	var grown []turnKey // each with its last known turn
	err := eachRow(ctx, tx, "SELECT session, max(seq) FROM turn GROUP BY session", nil, func(row scanner) error {
		var k turnKey
		if err := row.Scan(&k.session, &k.seq); err != nil {
			return err
		}
		if last := q.known[k.session]; k.seq > last {
			grown = append(grown, turnKey{k.session, last})
			q.known[k.session] = k.seq
		}
		return nil
	})
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

func (q *quoteSearch) searchTurns(ctx context.Context, tx *sql.Tx, after turnKey) error {
	return eachRow(ctx, tx, `SELECT t.seq, t.text, coalesce(t.run, ''), coalesce(r.body, '') FROM turn t LEFT JOIN run r ON r.uid=t.run
		WHERE t.session=? AND t.seq>?`, []any{after.session, after.seq}, func(row scanner) error {
		var seq int64
		var said, run, body string
		if err := row.Scan(&seq, &said, &run, &body); err != nil {
			return err
		}
		quoted, err := q.isQuote(ctx, tx, said)
		if err != nil {
			return err
		}
		if quoted {
			q.turns[turnKey{after.session, seq}] = true
		}
		if run == "" {
			return nil
		}
		if !quoted {
			quoted, err = q.isQuote(ctx, tx, traces.PlainAnswer(body))
		}
		if quoted {
			q.runs[run] = true
		}
		return err
	})
}

func (q *quoteSearch) searchSummaries(ctx context.Context, tx *sql.Tx) error {
	return eachRow(ctx, tx, "SELECT id, summary_to, title || char(10) || summary FROM session", nil, func(row scanner) error {
		var id, to int64
		var s string
		if err := row.Scan(&id, &to, &s); err != nil {
			return err
		}
		if last, ok := q.folded[id]; ok && last == to {
			return nil
		}
		q.folded[id] = to
		quoted, err := q.isQuote(ctx, tx, s)
		if quoted {
			q.sessions[id] = true
		}
		return err
	})
}

// isQuote reports whether s contains a phrase that only the selected documents
// contain. A phrase that occurs in other documents too, such as "It was
// released in 2009.", is not a trace of them.
func (q *quoteSearch) isQuote(ctx context.Context, tx *sql.Tx, s string) (bool, error) {
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
func (q *quoteSearch) inOtherDocument(ctx context.Context, tx *sql.Tx, phrase string) (bool, error) {
	terms := q.voc.Stems(traces.Joined(strings.Fields(phrase)))
	if len(terms) == 0 {
		return false, nil
	}
	for i, t := range terms {
		terms[i] = `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
	}
	found, want := false, " "+phrase+" "
	err := eachRow(ctx, tx, `SELECT substr(CAST(b.text AS BLOB), c.start+1, c.stop-c.start) FROM
		(SELECT k.doc, k.start, k.stop FROM fts JOIN chunk k ON k.id=fts.rowid WHERE fts MATCH ?
			AND k.doc NOT IN (SELECT value FROM json_each(?)) LIMIT ?) c JOIN body b ON b.doc=c.doc`,
		[]any{strings.Join(terms, " AND "), q.without, supporters}, func(row scanner) error {
			var b []byte
			err := row.Scan(&b)
			found = found || strings.Contains(" "+strings.Join(traces.Words(string(b)), " ")+" ", want)
			return err
		})
	return found, err
}
