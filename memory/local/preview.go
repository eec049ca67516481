package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// preview plans, and reports what would be removed.
func (f *forgetting) preview(ctx context.Context, tx *sql.Tx) error {
	if err := f.plan(ctx, tx); err != nil {
		return err
	}
	for _, d := range f.docs {
		f.addRemoved(d)
	}
	f.receipt.Remaining = f.total - len(f.docs)
	f.warnMissing()
	whole := int64(-1) // the session that is removed with all it has; no session has this number
	if f.sel.WholeSession() {
		var turns int
		err := tx.QueryRowContext(ctx, "SELECT count(t.seq), coalesce(max(s.id), -1) FROM session s LEFT JOIN turn t ON t.session=s.id WHERE s.uid=?", f.sel.Session).Scan(&turns, &whole)
		if err != nil {
			return err
		}
		f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("the session %s with %s would be removed too", f.sel.Session, text.Count(turns, "message")))
	}
	if err := f.countChanges(ctx, tx, whole); err != nil {
		return err
	}
	f.warnSessions(true)
	return nil
}

// countChanges counts the answers and turns of sessions other than whole that run would
// remove, and the answers that it would clean.
func (f *forgetting) countChanges(ctx context.Context, tx *sql.Tx, whole int64) error {
	citing, err := f.findCiting(ctx, tx)
	if err != nil {
		return err
	}
	removed := maps.Clone(f.quotes.runs)
	for _, run := range citing {
		removed[run] = true
	}
	for run := range removed {
		n, err := number(ctx, tx, "SELECT count(*) FROM run WHERE uid=? AND session<>?", run, whole)
		if err != nil {
			return err
		}
		f.runs += n
	}
	for run := range f.knowing {
		if removed[run] {
			continue
		}
		n, err := number(ctx, tx, "SELECT count(*) FROM run WHERE uid=? AND session<>?", run, whole)
		if err != nil {
			return err
		}
		f.scrubbed += n
	}
	for k := range f.quotes.turns {
		var said, run string
		err := tx.QueryRowContext(ctx, "SELECT text, coalesce(run, '') FROM turn WHERE session=? AND seq=? AND session<>?", k.session, k.seq, whole).Scan(&said, &run)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && said != traces.Forgotten && !removed[run] {
			f.turns++
		}
	}
	return nil
}

// number returns the number that a query selects.
func number(ctx context.Context, tx *sql.Tx, query string, args ...any) (n int, err error) {
	err = tx.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// warnSessions says what was changed in sessions, or would be.
func (f *forgetting) warnSessions(would bool) {
	f.receipt.Warnings = append(f.receipt.Warnings, traces.Changed{Runs: f.runs, Turns: f.turns, Cleaned: f.scrubbed}.Warnings(would)...)
}
