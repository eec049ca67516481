package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
// are out of reach. What is broken off on the way is noted in the file, and
// finished by the next Forget or Retain.
func (l *Local) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	if sel.Empty() {
		return evidence.Receipt{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	f, err := l.forgetRows(ctx, sel)
	if err != nil {
		return evidence.Receipt{}, err
	}
	// It is done: what is left is to leave no bytes behind, whoever waits.
	f.receipt.Warnings = append(f.receipt.Warnings, l.finish(context.WithoutCancel(ctx), f)...)
	return f.receipt, nil
}

// errChanged says that the selected documents are no longer those of the plan.
var errChanged = errors.New("the selected documents have changed meanwhile")

// planTries is how often a plan is made without the lock before it is made with it.
const planTries = 2

// forgetRows reads and compares without a lock, and holds it only to remove.
func (l *Local) forgetRows(ctx context.Context, sel contract.Selector) (*forgetting, error) {
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
			return f.run(ctx, tx, l.now().UnixMicro(), len(l.backups()) > 0)
		})
		if !errors.Is(err, errChanged) {
			return f, err
		}
	}
}

// chosen is a selected document as it was when it was read.
type chosen struct {
	id     int64
	uid    string
	hash   string
	chunks int
}

// forgetting is one Forget on its way.
type forgetting struct {
	sel      contract.Selector
	voc      *vocabulary
	docs     []chosen
	spare    func(context.Context, []string) (map[string]bool, error) // documents of a copy that stay; nil: none
	left     *needles                                                 // of what was removed, to be looked for in the file
	said     *quotes
	runs     int
	turns    int
	sessions map[int64]bool // whose summary may hold something
	receipt  evidence.Receipt
}

func newForgetting(sel contract.Selector, voc *vocabulary) *forgetting {
	return &forgetting{sel: sel, voc: voc, left: newNeedles(), sessions: map[int64]bool{}, receipt: evidence.Receipt{IDs: []string{}}}
}

// plan reads what is selected and who quotes it. It writes nothing.
func (f *forgetting) plan(ctx context.Context, tx *sql.Tx) error {
	var err error
	if f.docs, err = f.choose(ctx, tx); err != nil {
		return err
	}
	var ids []int64
	for _, d := range f.docs {
		ids = append(ids, d.id)
	}
	f.said = newQuotes(f.voc, ids)
	for _, id := range f.sel.IDs { // also of one that went without its bytes
		f.left.add(id)
	}
	for _, d := range f.docs {
		if err := f.readDoc(ctx, tx, d); err != nil {
			return err
		}
		if len(f.said.phrases.hashes) > maxPhrases {
			if err := f.said.look(ctx, tx); err != nil {
				return err
			}
			again := newQuotes(f.voc, ids) // what was found stays found
			again.runs, again.turns, again.sessions = f.said.runs, f.said.turns, f.said.sessions
			f.said = again
		}
	}
	if err := f.said.look(ctx, tx); err != nil {
		return err
	}
	return f.confirmed()
}

// confirmed refuses a removal that takes more than a person may expect. What it
// takes out of conversations counts.
func (f *forgetting) confirmed() error {
	said := len(f.said.turns)
	if n := len(f.docs) + said; n <= contract.ConfirmAbove || f.sel.Confirm {
		return nil
	}
	what := fmt.Sprintf("that would forget %d documents", len(f.docs))
	if said > 0 {
		what += fmt.Sprintf(" and %d turns that quote them", said)
	}
	return evidence.BadInput(fmt.Sprintf("%s, more than %d", what, contract.ConfirmAbove),
		"confirm it (`confirm`, on the command line --yes), or select fewer")
}

// run removes what was planned; at is the time in microseconds.
func (f *forgetting) run(ctx context.Context, tx *sql.Tx, at int64, backups bool) error {
	now, err := f.choose(ctx, tx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, f.docs) {
		return errChanged
	}
	if err := f.said.look(ctx, tx); err != nil { // what was said since
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
	if err := f.resetSummaries(ctx, tx); err != nil {
		return err
	}
	if err := f.note(ctx, tx, at, backups); err != nil {
		return err
	}
	return f.conclude(ctx, tx)
}

// choose finds the documents that are selected.
func (f *forgetting) choose(ctx context.Context, tx *sql.Tx) ([]chosen, error) {
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
	var out []chosen
	var uids []string
	err := eachRow(ctx, tx, `SELECT d.id, d.uid, d.hash, (SELECT count(*) FROM chunk c WHERE c.doc=d.id) FROM doc d WHERE `+
		strings.Join(parts, " OR ")+" ORDER BY d.id", args, func(row scanner) error {
		var d chosen
		err := row.Scan(&d.id, &d.uid, &d.hash, &d.chunks)
		out, uids = append(out, d), append(uids, d.uid)
		return err
	})
	if err != nil || f.spare == nil {
		return out, err
	}
	stay, err := f.spare(ctx, uids)
	return slices.DeleteFunc(out, func(d chosen) bool { return stay[d.uid] }), err
}

func (f *forgetting) uids() []string {
	out := make([]string, 0, len(f.docs)+len(f.sel.IDs))
	for _, d := range f.docs {
		out = append(out, d.uid)
	}
	for _, id := range f.sel.IDs {
		if !slices.ContainsFunc(f.docs, func(d chosen) bool { return d.uid == id }) {
			out = append(out, id)
		}
	}
	return out
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
	} else if n == 0 && len(f.docs) == 0 && f.spare == nil {
		f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("there is no session %q", f.sel.Session))
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM link WHERE session=?", f.sel.Session)
	return err
}

// removeCiting takes the runs that cite a selected document, also one that was
// removed earlier without its traces.
func (f *forgetting) removeCiting(ctx context.Context, tx *sql.Tx) error {
	uids := jsonStrings(f.uids())
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

// readDoc notes what a document says, to know its traces.
func (f *forgetting) readDoc(ctx context.Context, tx *sql.Tx, c chosen) error {
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
		f.left.add(s)
	}
	for _, s := range d.Meta {
		f.left.add(s)
	}
	f.said.phrases.add(body)
	return nil
}

// secureChunks are taken out of the word index with FTS5's own secure delete,
// which costs some 15 ms each. More go at once without it, and the word index is
// merged anew afterwards, which overwrites what they left.
const secureChunks = 20

// removeDocs takes the documents out of all tables, and notes that answers under
// way may not quote them any more.
func (f *forgetting) removeDocs(ctx context.Context, tx *sql.Tx) error {
	for _, d := range f.docs {
		f.receipt.Chunks += d.chunks
		f.receipt.IDs = append(f.receipt.IDs, d.uid)
		f.receipt.Documents++
	}
	many := f.receipt.Chunks > secureChunks
	if many {
		if err := secureWords(ctx, tx, false); err != nil {
			return err
		}
	}
	for _, d := range f.docs {
		if err := removeDocRow(ctx, tx, d.id); err != nil {
			return err
		}
	}
	if many {
		return secureWords(ctx, tx, true)
	}
	return nil
}

// secureWords switches FTS5's secure delete; it writes what is pending first, so
// that the switch holds for what comes between two calls.
func secureWords(ctx context.Context, tx *sql.Tx, on bool) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO fts(fts, rank) VALUES('secure-delete', ?)", on)
	return err
}

// removeQuotes takes out what the conversations say after the documents.
func (f *forgetting) removeQuotes(ctx context.Context, tx *sql.Tx) error {
	for run := range f.said.runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	for k := range f.said.turns {
		var said string
		err := tx.QueryRowContext(ctx, "SELECT text FROM turn WHERE session=? AND seq=?", k.session, k.seq).Scan(&said)
		if errors.Is(err, sql.ErrNoRows) || err == nil && said == forgotten {
			continue
		}
		if err != nil {
			return err
		}
		f.left.add(said)
		f.turns++
		f.sessions[k.session] = true
		if _, err := tx.ExecContext(ctx, "UPDATE turn SET text=? WHERE session=? AND seq=?", forgotten, k.session, k.seq); err != nil {
			return err
		}
	}
	for id := range f.said.sessions {
		f.sessions[id] = true
	}
	return nil
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
		if !slices.Contains(f.receipt.IDs, id) {
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
