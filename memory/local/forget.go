package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// forgotten stands where a turn was that quoted what had to go. The turn keeps
// its place: the numbers of the others must stay true.
const forgotten = "[forgotten: it rested on a document that was removed from the memory]"

// Forget removes documents and every trace of them; see contract.Store. Answers
// that cite or quote them go too, their turns become a note, and the summaries
// of their sessions are made anew from the turns that are left. The file is
// searched for leftovers afterwards, and written anew if there are any. The
// copies in the folder of backups forget the same; copies and exports elsewhere
// are out of reach.
func (l *Local) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	if sel.Empty() {
		return evidence.Receipt{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	var f *forgetting
	err := l.write(ctx, "forgetting", func(tx *sql.Tx) error {
		f = newForgetting(sel)
		return f.run(ctx, tx)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	// It is done: what is left is to leave no bytes behind, whoever waits.
	ctx = context.WithoutCancel(ctx)
	f.receipt.Warnings = append(f.receipt.Warnings, l.wipe(ctx, f)...)
	f.receipt.Warnings = append(f.receipt.Warnings, l.forgetInBackups(ctx, f)...)
	return f.receipt, nil
}

// forgetting is one Forget on its way.
type forgetting struct {
	sel      contract.Selector
	docs     []int64
	uids     []string
	left     *needles // of what was removed, to be looked for in the file
	phrases  phrases
	runs     int
	turns    int
	sessions map[int64]bool // whose summary may hold something
	receipt  evidence.Receipt
}

func newForgetting(sel contract.Selector) *forgetting {
	return &forgetting{sel: sel, left: newNeedles(), phrases: phrases{}, sessions: map[int64]bool{}, receipt: evidence.Receipt{IDs: []string{}}}
}

func (f *forgetting) run(ctx context.Context, tx *sql.Tx) error {
	if err := f.choose(ctx, tx); err != nil {
		return err
	}
	if n := len(f.docs); n > contract.ConfirmAbove && !f.sel.Confirm {
		return evidence.BadInput(fmt.Sprintf("that would forget %d documents, more than %d", n, contract.ConfirmAbove),
			"confirm it (`confirm`, on the command line --yes), or select fewer")
	}
	for _, id := range f.sel.IDs { // also of one that went without its bytes
		f.left.add(id)
	}
	if err := f.removeSession(ctx, tx); err != nil {
		return err
	}
	if err := f.removeCiting(ctx, tx); err != nil {
		return err
	}
	for i, doc := range f.docs {
		if err := f.removeDoc(ctx, tx, doc, f.uids[i]); err != nil {
			return err
		}
		if len(f.phrases) > maxPhrases {
			if err := f.removeQuotes(ctx, tx); err != nil {
				return err
			}
			f.phrases = phrases{}
		}
	}
	if err := f.removeQuotes(ctx, tx); err != nil {
		return err
	}
	if err := f.resetSummaries(ctx, tx); err != nil {
		return err
	}
	return f.conclude(ctx, tx)
}

// choose finds the documents that are selected.
func (f *forgetting) choose(ctx context.Context, tx *sql.Tx) error {
	var parts []string
	var args []any
	add := func(part string, a ...any) { parts, args = append(parts, part), append(args, a...) }
	if len(f.sel.IDs) > 0 {
		add("d.uid IN (SELECT value FROM json_each(?))", jsonStrings(f.sel.IDs))
	}
	if f.sel.URL != "" {
		add("d.url = ?", f.sel.URL)
	}
	if f.sel.Source != "" {
		add("d.source = ?", f.sel.Source)
	}
	if !f.sel.Before.IsZero() {
		add("d.retrieved < ?", f.sel.Before.UnixMicro())
	}
	if f.sel.Session != "" {
		add(`(d.own = 0 AND EXISTS(SELECT 1 FROM link WHERE session=? AND doc=d.id AND put=1)
			AND NOT EXISTS(SELECT 1 FROM link WHERE session<>? AND doc=d.id AND put=1))`, f.sel.Session, f.sel.Session)
	}
	rows, err := tx.QueryContext(ctx, "SELECT d.id, d.uid FROM doc d WHERE "+strings.Join(parts, " OR ")+" ORDER BY d.id", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var uid string
		if err := rows.Scan(&id, &uid); err != nil {
			return err
		}
		f.docs, f.uids = append(f.docs, id), append(f.uids, uid)
	}
	return rows.Err()
}

func jsonStrings(s []string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}

// removeSession takes the selected session with its turns and runs.
func (f *forgetting) removeSession(ctx context.Context, tx *sql.Tx) error {
	if f.sel.Session == "" {
		return nil
	}
	texts, err := stringsOf(ctx, tx, `SELECT t.text FROM turn t JOIN session s ON s.id=t.session WHERE s.uid=?1
		UNION ALL SELECT r.body FROM run r JOIN session s ON s.id=r.session WHERE s.uid=?1
		UNION ALL SELECT s.summary FROM session s WHERE s.uid=?1 UNION ALL SELECT s.title FROM session s WHERE s.uid=?1`, f.sel.Session)
	if err != nil {
		return err
	}
	for _, t := range texts {
		f.left.add(t)
	}
	f.left.add(f.sel.Session)
	res, err := tx.ExecContext(ctx, "DELETE FROM session WHERE uid=?", f.sel.Session)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 && len(f.docs) == 0 {
		f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("there is no session %q", f.sel.Session))
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM link WHERE session=?", f.sel.Session)
	return err
}

// removeCiting takes the runs that cite a selected document, also one that was
// removed earlier without its traces.
func (f *forgetting) removeCiting(ctx context.Context, tx *sql.Tx) error {
	uids := jsonStrings(append(slices.Clone(f.uids), f.sel.IDs...))
	runs, err := stringsOf(ctx, tx, "SELECT DISTINCT run FROM cites WHERE doc IN (SELECT value FROM json_each(?))", uids)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM cites WHERE doc IN (SELECT value FROM json_each(?))", uids)
	return err
}

// removeDoc takes one document out of all tables, and remembers what it said.
func (f *forgetting) removeDoc(ctx context.Context, tx *sql.Tx, doc int64, uid string) error {
	var body string
	d, err := scanDoc(tx.QueryRowContext(ctx, "SELECT "+docColumns+", b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", doc), &body)
	if err != nil {
		return fmt.Errorf("reading a document: %w", err)
	}
	terms, err := stringsOf(ctx, tx, "SELECT terms FROM chunk WHERE doc=?", doc)
	if err != nil {
		return err
	}
	for _, s := range append(terms, body, uid, d.Title, d.URL[max(0, len(d.URL)-needleLen):]) {
		f.left.add(s)
	}
	for _, s := range d.Meta {
		f.left.add(s)
	}
	f.phrases.add(body)
	f.receipt.Chunks += len(terms)
	f.receipt.IDs = append(f.receipt.IDs, uid)
	f.receipt.Documents++
	return removeDocRow(ctx, tx, doc)
}

// removeDocRow takes a document out of all tables but the conversations, and
// tells the other processes.
func removeDocRow(ctx context.Context, tx *sql.Tx, doc int64) error {
	if err := removeChunks(ctx, tx, doc); err != nil {
		return err
	}
	var size int
	if err := tx.QueryRowContext(ctx, "DELETE FROM doc WHERE id=? RETURNING bytes", doc).Scan(&size); err != nil {
		return err
	}
	if err := count(ctx, tx, tally{documents: -1, bytes: -size}); err != nil {
		return err
	}
	return logChange(ctx, tx, doc)
}

func (f *forgetting) conclude(ctx context.Context, tx *sql.Tx) error {
	t, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	f.receipt.Remaining = int(t["documents"])
	for _, id := range f.sel.IDs {
		if !slices.Contains(f.uids, id) {
			f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("there is no document %q", id))
		}
	}
	if f.runs+f.turns > 0 {
		f.receipt.Warnings = append(f.receipt.Warnings,
			fmt.Sprintf("%d answers and %d turns that quoted it were removed from the sessions, whose summaries are made anew", f.runs, f.turns))
	}
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
