package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// removeSession removes the selected session with its turns and runs.
func (f *forgetting) removeSession(ctx context.Context, tx pgx.Tx) error {
	if !f.sel.WholeSession() {
		return nil
	}
	id := storableID(f.sel.Session)
	tag, err := tx.Exec(ctx, "delete from session where tenant = $1 and uid = $2", f.m.tenant, id)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 && len(f.docs) == 0 {
		f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("there is no session %q", f.sel.Session))
	}
	_, err = tx.Exec(ctx, "delete from link where tenant = $1 and session = $2", f.m.tenant, id)
	return err
}

// findCiting returns the runs that cite a selected document, or one that was removed
// earlier without them. Those that used one without citing it are noted.
func (f *forgetting) findCiting(ctx context.Context, tx pgx.Tx) ([]string, error) {
	for _, id := range f.uids() {
		f.traces.AddID(id)
	}
	var citing []string
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var run string
		var body *string
		if err := row.Scan(&run, &body); err != nil {
			return err
		}
		var a evidence.Answer
		if body != nil && json.Unmarshal([]byte(*body), &a) == nil && !f.traces.Cited(a) {
			f.knowing[run] = true
			return nil
		}
		citing = append(citing, run)
		return nil
	}, `select c.run, r.body from (select distinct run from cites where tenant = $1 and doc = any($2)) c
		left join run r on r.tenant = $1 and r.uid = c.run order by c.run`, f.m.tenant, f.uids())
	return citing, err
}

// removeCiting removes the runs that findCiting returns.
func (f *forgetting) removeCiting(ctx context.Context, tx pgx.Tx) error {
	runs, err := f.findCiting(ctx, tx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "delete from cites where tenant = $1 and doc = any($2)", f.m.tenant, f.uids())
	return err
}

// removeDocs removes the selected documents from all tables.
func (f *forgetting) removeDocs(ctx context.Context, tx pgx.Tx) error {
	ids := make([]int64, 0, len(f.docs))
	for _, d := range f.docs {
		ids = append(ids, d.id)
		f.addRemoved(d)
	}
	return f.m.removeDocs(ctx, tx, ids)
}

// removeQuotes removes what the conversations quote from the documents.
func (f *forgetting) removeQuotes(ctx context.Context, tx pgx.Tx) error {
	for run := range f.quotes.runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	for k := range f.quotes.turns {
		tag, err := tx.Exec(ctx, "update turn set text = $4 where tenant = $1 and session = $2 and seq = $3 and text <> $4", f.m.tenant, k.session, k.seq, traces.Forgotten)
		if err != nil {
			return err
		}
		if tag.RowsAffected() > 0 {
			f.turns++
			f.sessions[k.session] = true
		}
	}
	for id := range f.quotes.sessions {
		f.sessions[id] = true
	}
	return nil
}

// removeRun removes an answer from its session.
func (f *forgetting) removeRun(ctx context.Context, tx pgx.Tx, run string) error {
	var session int64
	err := tx.QueryRow(ctx, "delete from run where tenant = $1 and uid = $2 returning session", f.m.tenant, run).Scan(&session)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing run %s: %w", run, err)
	}
	f.removedRuns = append(f.removedRuns, run)
	f.runs++
	f.sessions[session] = true
	_, err = tx.Exec(ctx, "update turn set text = $3, run = null where tenant = $1 and run = $2", f.m.tenant, run, traces.Forgotten)
	return err
}

// resetSummaries unfolds the sessions that contained something. A summary_to of
// zero or less means that nothing is folded; a new number each time makes a
// Fold in progress fail.
func (f *forgetting) resetSummaries(ctx context.Context, tx pgx.Tx) error {
	for id := range f.sessions {
		var title string
		err := tx.QueryRow(ctx, "select title from session where tenant = $1 and id = $2", f.m.tenant, id).Scan(&title)
		if errors.Is(err, pgx.ErrNoRows) { // the whole session was removed
			continue
		}
		if err != nil {
			return err
		}
		if len(f.quotes.phrases.In(title)) > 0 {
			title = ""
		}
		_, err = tx.Exec(ctx, "update session set summary = '', summary_to = least(0, summary_to) - 1, title = $3 where tenant = $1 and id = $2", f.m.tenant, id, title)
		if err != nil {
			return err
		}
	}
	return nil
}

// findKnowing adds the answers that name the selected documents without citing them.
func (f *forgetting) findKnowing(ctx context.Context, tx pgx.Tx) error {
	if len(f.docs) == 0 {
		return nil
	}
	return eachRow(ctx, tx, func(row pgx.Row) error {
		var uid, body string
		if err := row.Scan(&uid, &body); err != nil {
			return err
		}
		var a evidence.Answer
		if json.Unmarshal([]byte(body), &a) == nil && f.traces.Knows(a) {
			f.knowing[uid] = true
		}
		return nil
	}, "select uid, body from run where tenant = $1", f.m.tenant)
}

// scrubKnowing removes the traces of the documents from the answers that are left.
func (f *forgetting) scrubKnowing(ctx context.Context, tx pgx.Tx) error {
	for uid := range f.knowing {
		var body string
		err := tx.QueryRow(ctx, "select body from run where tenant = $1 and uid = $2", f.m.tenant, uid).Scan(&body)
		if errors.Is(err, pgx.ErrNoRows) { // it was removed as a whole
			continue
		}
		if err != nil {
			return err
		}
		var a evidence.Answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return fmt.Errorf("reading run %s: %w", uid, err)
		}
		f.traces.Scrub(&a)
		clean, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("writing run %s as JSON: %w", uid, err)
		}
		if _, err := tx.Exec(ctx, "update run set body = $3 where tenant = $1 and uid = $2", f.m.tenant, uid, string(clean)); err != nil {
			return err
		}
		f.scrubbed++
	}
	return nil
}
