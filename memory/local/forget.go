package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// Forget removes documents and their traces; see contract.Store. Answers that
// cite or quote them are removed, their turns are replaced by a note, and the
// summaries of their sessions are made again from the remaining turns. Then the
// bytes are erased from the file and from the backups beside it; copies and
// exports elsewhere are not reached. An interrupted removal is recorded in the
// file and completed by the next Forget or Retain.
func (l *Local) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	if sel.Empty() {
		return evidence.Receipt{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	f, err := l.forgetRows(ctx, sel)
	if isFull(err) && l.releaseReserve() {
		f, err = l.forgetRows(ctx, sel)
	}
	if err != nil || sel.DryRun {
		return f.result(), err
	}
	// The rows are removed: the bytes are erased even if the caller no longer
	// waits.
	f.receipt.Warnings = append(f.receipt.Warnings, l.finishErasure(context.WithoutCancel(ctx), f)...)
	l.returnSpace(context.WithoutCancel(ctx))
	return f.receipt, nil
}

// result is the receipt; f may be nil.
func (f *forgetting) result() evidence.Receipt {
	if f == nil {
		return evidence.Receipt{}
	}
	return f.receipt
}

// errChanged reports that the selected documents are not those of the plan.
var errChanged = errors.New("the selected documents have changed meanwhile")

// planTries is how often the plan is made without the write lock, before it is
// made under it.
const planTries = 2

// forgetRows plans without the write lock and holds it only to remove.
func (l *Local) forgetRows(ctx context.Context, sel contract.Selector) (*forgetting, error) {
	if sel.DryRun {
		f := newForgetting(sel, l.voc)
		return f, l.read(ctx, "looking for what to forget", func(tx *sql.Tx) error { return f.preview(ctx, tx) })
	}
	for try := 0; ; try++ {
		f := newForgetting(sel, l.voc)
		if try < planTries {
			if err := l.read(ctx, "forgetting", func(tx *sql.Tx) error { return f.plan(ctx, tx) }); err != nil {
				return nil, err
			}
		}
		err := l.write(ctx, "forgetting", func(tx *sql.Tx) error {
			if try == planTries {
				if err := f.plan(ctx, tx); err != nil {
					return err
				}
			}
			if err := l.forgetClaims(ctx, tx, f); err != nil {
				return err
			}
			// The backups are always included: one may be in progress.
			return f.run(ctx, tx, l.now().UnixMicro(), true)
		})
		if !errors.Is(err, errChanged) {
			return f, err
		}
	}
}

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
	sel         contract.Selector
	also        []string // ids that are selected besides
	total       int      // stored documents when the plan was made
	voc         *vocabulary
	docs        []selectedDoc
	keep        func(context.Context, []string) (map[string]bool, error) // in a backup: the documents that the memory still stores; nil: none
	traces      traces.Traces                                            // of the selected documents in answers
	knowing     map[string]bool                                          // answers that used them without citing them
	scrubbed    int                                                      // of those, the ones that were cleaned
	needles     *needles                                                 // pieces of what was removed, to be searched for in the file
	quotes      *quoteSearch
	runs        int
	removedRuns []string // their ids
	turns       int
	sessions    map[int64]bool // whose summary may contain something
	due         int64          // id of the record that bytes may remain
	receipt     evidence.Receipt
}

func newForgetting(sel contract.Selector, voc *vocabulary) *forgetting {
	return &forgetting{sel: sel, voc: voc, needles: newNeedles(), traces: traces.New(), knowing: map[string]bool{}, sessions: map[int64]bool{}, receipt: evidence.Receipt{IDs: []string{}}}
}

// plan reads what is selected and finds what quotes it. It writes nothing.
func (f *forgetting) plan(ctx context.Context, tx *sql.Tx) error {
	var err error
	if f.docs, err = f.selectDocs(ctx, tx); err != nil {
		return err
	}
	t, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	f.total = int(t["documents"])
	if f.receipt.Matched, err = f.matched(ctx, tx); err != nil {
		return err
	}
	var ids []int64
	for _, d := range f.docs {
		ids = append(ids, d.id)
	}
	f.quotes = newQuoteSearch(f.voc, ids)
	for _, id := range f.sel.IDs { // also of one whose rows were removed earlier
		f.needles.add(id)
	}
	for _, d := range f.docs {
		if err := f.readDoc(ctx, tx, d); err != nil {
			return err
		}
		if f.quotes.phrases.Len() > traces.MaxPhrases {
			if err := f.quotes.search(ctx, tx); err != nil {
				return err
			}
			again := newQuoteSearch(f.voc, ids) // with what was found so far
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

// run removes what was planned; at is the present time in microseconds.
func (f *forgetting) run(ctx context.Context, tx *sql.Tx, at int64, backups bool) error {
	now, err := f.selectDocs(ctx, tx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, f.docs) {
		return errChanged
	}
	if err := f.quotes.search(ctx, tx); err != nil { // turns that were added since the plan
		return err
	}
	if err := f.removeSession(ctx, tx); err != nil {
		return err
	}
	if err := f.removeCiting(ctx, tx); err != nil {
		return err
	}
	if err := f.removeDocs(ctx, tx); err != nil {
		return err
	}
	if err := f.removeQuotes(ctx, tx); err != nil {
		return err
	}
	if err := f.scrubKnowing(ctx, tx); err != nil {
		return err
	}
	if err := f.resetSummaries(ctx, tx); err != nil {
		return err
	}
	if err := f.recordPending(ctx, tx, at, backups); err != nil {
		return err
	}
	return f.report(ctx, tx)
}

func jsonStrings(s []string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}

// readDoc adds what a document says to the needles and the phrases.
func (f *forgetting) readDoc(ctx context.Context, tx *sql.Tx, c selectedDoc) error {
	var body string
	d, err := scanDoc(tx.QueryRowContext(ctx, "SELECT "+docColumns+", b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", c.id), &body)
	if err != nil {
		return fmt.Errorf("reading a document: %w", err)
	}
	terms, err := stringsOf(ctx, tx, "SELECT terms FROM chunk WHERE doc=?", c.id)
	if err != nil {
		return err
	}
	for _, s := range append(terms, body, c.uid, d.Title, d.URL[max(0, len(d.URL)-needleLen):]) {
		f.needles.add(s)
	}
	for _, s := range d.Meta {
		f.needles.add(s)
	}
	f.quotes.phrases.Add(body)
	f.traces.Add(c.uid, d, body)
	return nil
}

func (f *forgetting) report(ctx context.Context, tx *sql.Tx) error {
	t, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	f.receipt.Remaining = int(t["documents"])
	f.warnMissing()
	f.warnSessions(false)
	return nil
}

func stringsOf(ctx context.Context, q rowsQuerier, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
