package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// Forget removes documents and their traces; see contract.Store. Answers that
// cite or quote them are removed, their turns are replaced by a note, and the
// summaries of their sessions are made again from the remaining turns. The rows are gone
// when it returns. Their bytes are gone when the server has rewritten its tables, which
// the receipt says: nothing that a client can ask for removes them.
func (m *Memory) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	if sel.Empty() {
		return evidence.Receipt{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	var plan *forgetting
	err := m.read(ctx, "looking for what to forget", func(tx pgx.Tx) error {
		plan = newForgetting(m, sel)
		if sel.DryRun {
			return plan.preview(ctx, tx)
		}
		return plan.plan(ctx, tx)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	if sel.DryRun {
		return plan.receipt, nil
	}
	token := mint("w_")
	done := plan
	err = m.alone(ctx, "forgetting", func(tx attempt) error {
		if tx.again {
			var stored bool
			if err := tx.QueryRow(ctx, "select exists(select 1 from wipe where tenant = $1 and token = $2)", m.tenant, token).Scan(&stored); err != nil || stored {
				return err // done has the receipt of the attempt whose answer was lost
			}
		}
		f := plan.clone()
		err := f.run(ctx, tx, token)
		if errors.Is(err, errChanged) { // nothing has been removed yet, and nobody else writes now
			f = newForgetting(m, sel)
			if err = f.plan(ctx, tx); err == nil {
				err = f.run(ctx, tx, token)
			}
		}
		done = f
		return err
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	return done.receipt, nil
}

// errChanged reports that the selected documents are not those of the plan.
var errChanged = errors.New("the selected documents have changed meanwhile")

// selectedDoc is a selected document as it was when the plan was made.
type selectedDoc struct {
	id     int64
	uid    string
	title  string
	hash   string
	chunks int
}

// forgetting is the state of one Forget.
type forgetting struct {
	m           *Memory
	sel         contract.Selector
	total       int // stored documents when the plan was made
	docs        []selectedDoc
	traces      traces.Traces   // of the selected documents in answers
	knowing     map[string]bool // answers that used them without citing them
	scrubbed    int             // of those, the ones that were cleaned
	quotes      *quoteSearch
	runs        int
	removedRuns []string // their ids
	turns       int
	sessions    map[int64]bool // whose summary may contain something
	receipt     evidence.Receipt
}

func newForgetting(m *Memory, sel contract.Selector) *forgetting {
	return &forgetting{m: m, sel: sel, traces: traces.New(), knowing: map[string]bool{}, sessions: map[int64]bool{}, receipt: evidence.Receipt{IDs: []string{}}}
}

// clone returns a copy that can be run while the plan stays as it is.
func (f *forgetting) clone() *forgetting {
	g := *f
	g.knowing, g.sessions, g.quotes = maps.Clone(f.knowing), maps.Clone(f.sessions), f.quotes.clone()
	g.receipt.IDs, g.receipt.Titles, g.receipt.Warnings = slices.Clone(f.receipt.IDs), slices.Clone(f.receipt.Titles), slices.Clone(f.receipt.Warnings)
	return &g
}

// plan reads what is selected and finds what quotes it. It writes nothing.
func (f *forgetting) plan(ctx context.Context, tx pgx.Tx) error {
	var err error
	if f.docs, err = f.selectDocs(ctx, tx); err != nil {
		return err
	}
	t, err := f.m.counted(ctx, tx, 0)
	if err != nil {
		return err
	}
	f.total = int(t.documents)
	if f.receipt.Matched, err = f.matched(ctx, tx); err != nil {
		return err
	}
	var ids []int64
	for _, d := range f.docs {
		ids = append(ids, d.id)
	}
	f.quotes = newQuoteSearch(f.m, ids)
	for _, d := range f.docs {
		if err := f.readDoc(ctx, tx, d); err != nil {
			return err
		}
		if f.quotes.phrases.Len() > traces.MaxPhrases {
			if err := f.quotes.search(ctx, tx); err != nil {
				return err
			}
			again := newQuoteSearch(f.m, ids) // with what was found so far
			again.runs, again.turns, again.sessions = f.quotes.runs, f.quotes.turns, f.quotes.sessions
			f.quotes = again
		}
	}
	if err := f.quotes.search(ctx, tx); err != nil {
		return err
	}
	if err := f.findKnowing(ctx, tx); err != nil {
		return err
	}
	return f.sel.Confirmed(len(f.docs), len(f.quotes.turns), f.total, f.receipt.Matched)
}

// readDoc adds what a document says to the phrases and traces.
func (f *forgetting) readDoc(ctx context.Context, tx pgx.Tx, c selectedDoc) error {
	var body []byte
	d, err := scanDoc(tx.QueryRow(ctx, "select "+docColumns+", b.text from doc d join body b on b.tenant = d.tenant and b.doc = d.id where d.tenant = $1 and d.id = $2", f.m.tenant, c.id), &body)
	if err != nil {
		return fmt.Errorf("reading a document: %w", err)
	}
	f.quotes.phrases.Add(string(body))
	f.traces.Add(c.uid, d, string(body))
	return nil
}

// run removes what was planned.
func (f *forgetting) run(ctx context.Context, tx pgx.Tx, token string) error {
	now, err := f.selectDocs(ctx, tx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, f.docs) {
		return errChanged
	}
	for _, step := range []func(context.Context, pgx.Tx) error{
		f.quotes.search, // turns that were added since the plan
		f.removeClaims, f.removeSession, f.removeCiting, f.removeDocs, f.removeQuotes, f.scrubKnowing, f.resetSummaries,
		func(ctx context.Context, tx pgx.Tx) error { return f.record(ctx, tx, token) },
		f.report,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// record keeps the hashes of what was removed, and that its bytes remain until the tables
// are rewritten.
func (f *forgetting) record(ctx context.Context, tx pgx.Tx, token string) error {
	m, at := f.m, f.m.now()
	var hashes []int64
	if f.sel.WholeSession() {
		hashes = append(hashes, traces.IDHash(f.sel.Session))
	}
	for _, uid := range append(f.uids(), f.removedRuns...) {
		hashes = append(hashes, traces.IDHash(uid))
	}
	b := &pgx.Batch{}
	b.Queue("delete from gone where tenant = $1 and at < $2", m.tenant, at.Add(-traces.KnownFor))
	// Later than all before, whatever the clocks of the processes say: see ForgetMark.
	b.Queue(`insert into gone(tenant, mark, at) select distinct $1, unnest($2::bigint[]),
			greatest($3::timestamptz, (select max(at) + interval '1 microsecond' from gone where tenant = $1))
		on conflict(tenant, mark) do update set at = excluded.at`, m.tenant, hashes, at)
	if f.removes() { // else no bytes of it remain
		b.Queue("insert into wipe(tenant, token, at, documents, files) values($1, $2, $3, $4, ("+tableFiles+"))", m.tenant, token, at, len(f.docs))
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	return m.tidyWipes(ctx, tx)
}

// removes reports whether anything was removed.
func (f *forgetting) removes() bool { return len(f.docs)+f.runs+f.turns > 0 || f.sel.WholeSession() }

func (f *forgetting) report(ctx context.Context, tx pgx.Tx) error {
	t, err := f.m.counted(ctx, tx, 0)
	if err != nil {
		return err
	}
	f.receipt.Remaining = int(t.documents)
	if f.removes() {
		f.receipt.Later = later
	}
	f.warnMissing()
	f.warnSessions(false)
	return nil
}

// addRemoved adds a document to the receipt.
func (f *forgetting) addRemoved(d selectedDoc) {
	f.receipt.Documents++
	f.receipt.Chunks += d.chunks
	f.receipt.IDs, f.receipt.Titles = append(f.receipt.IDs, d.uid), append(f.receipt.Titles, d.title)
}

// ForgetMark tells of removals by any process; see contract.ForgetMarker.
func (m *Memory) ForgetMark(ctx context.Context) (string, error) {
	mark := ""
	err := m.read(ctx, "looking for what was forgotten", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select $2 || '/' || count(*) || '/' || coalesce(max(at)::text, '') from gone where tenant = $1", m.tenant, m.server.feed).Scan(&mark)
	})
	return mark, err
}
