package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// findKnowing adds the answers that name the selected documents without citing
// them: those of an older program are not recorded in cites.
func (f *forgetting) findKnowing(ctx context.Context, tx *sql.Tx) error {
	return eachRow(ctx, tx, "SELECT uid, body FROM run", nil, func(row scanner) error {
		var uid, body string
		if err := row.Scan(&uid, &body); err != nil {
			return err
		}
		var a evidence.Answer
		if json.Unmarshal([]byte(body), &a) == nil && f.traces.Knows(a) {
			f.knowing[uid] = true
		}
		return nil
	})
}

// scrubKnowing removes the traces of the documents from the answers that are left.
func (f *forgetting) scrubKnowing(ctx context.Context, tx *sql.Tx) error {
	for uid := range f.knowing {
		var body string
		var session int64
		err := tx.QueryRowContext(ctx, "SELECT session, body FROM run WHERE uid=?", uid).Scan(&session, &body)
		if errors.Is(err, sql.ErrNoRows) { // it was removed as a whole
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
		if _, err := tx.ExecContext(ctx, "UPDATE run SET body=? WHERE uid=?", string(clean), uid); err != nil {
			return err
		}
		f.needles.add(body)
		f.scrubbed++
	}
	return nil
}

// withoutForgotten removes from an answer that is about to be stored what it knows
// of documents that were forgotten while it was made.
func withoutForgotten(ctx context.Context, tx *sql.Tx, t *evidence.Turn) error {
	run, used, err := traces.ScrubUnder(t.Run, t.Used, func(id string) (bool, error) { return wasForgotten(ctx, tx, id) })
	if err != nil {
		return err
	}
	t.Run, t.Used = run, used
	return nil
}
