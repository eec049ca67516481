package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// preview plans, and reports what would be removed.
func (f *forgetting) preview(ctx context.Context, tx pgx.Tx) error {
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
		err := tx.QueryRow(ctx, `select count(t.seq), coalesce(max(s.id), -1) from session s left join turn t on t.tenant = s.tenant and t.session = s.id
			where s.tenant = $1 and s.uid = $2`, f.m.tenant, storableID(f.sel.Session)).Scan(&turns, &whole)
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
func (f *forgetting) countChanges(ctx context.Context, tx pgx.Tx, whole int64) error {
	citing, err := f.findCiting(ctx, tx)
	if err != nil {
		return err
	}
	removed, cleaned := maps.Clone(f.quotes.runs), map[string]bool{}
	for _, run := range citing {
		removed[run] = true
	}
	for run := range f.knowing {
		if !removed[run] {
			cleaned[run] = true
		}
	}
	for _, c := range []struct {
		runs map[string]bool
		n    *int
	}{{removed, &f.runs}, {cleaned, &f.scrubbed}} {
		var uids []string
		for run := range c.runs {
			uids = append(uids, run)
		}
		if err := tx.QueryRow(ctx, "select count(*) from run where tenant = $1 and uid = any($2) and session <> $3", f.m.tenant, uids, whole).Scan(c.n); err != nil {
			return err
		}
	}
	for k := range f.quotes.turns {
		var said, run string
		err := tx.QueryRow(ctx, "select text, coalesce(run, '') from turn where tenant = $1 and session = $2 and seq = $3 and session <> $4", f.m.tenant, k.session, k.seq, whole).Scan(&said, &run)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err == nil && said != traces.Forgotten && !removed[run] {
			f.turns++
		}
	}
	return nil
}

// warnSessions says what was changed in sessions, or would be.
func (f *forgetting) warnSessions(would bool) {
	f.receipt.Warnings = append(f.receipt.Warnings, traces.Changed{Runs: f.runs, Turns: f.turns, Cleaned: f.scrubbed}.Warnings(would)...)
}
