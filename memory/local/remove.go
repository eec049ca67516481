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

// removeSession removes the selected session with its turns and runs.
func (f *forgetting) removeSession(ctx context.Context, tx *sql.Tx) error {
	if !f.sel.WholeSession() {
		return nil
	}
	texts, err := stringsOf(ctx, tx, `SELECT t.text FROM turn t JOIN session s ON s.id=t.session WHERE s.uid=?1
		UNION ALL SELECT r.body FROM run r JOIN session s ON s.id=r.session WHERE s.uid=?1
		UNION ALL SELECT s.summary FROM session s WHERE s.uid=?1 UNION ALL SELECT s.title FROM session s WHERE s.uid=?1`, f.sel.Session)
	if err != nil {
		return err
	}
	for _, t := range texts {
		f.needles.add(t)
	}
	f.needles.add(f.sel.Session)
	res, err := tx.ExecContext(ctx, "DELETE FROM session WHERE uid=?", f.sel.Session)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 && len(f.docs) == 0 && f.keep == nil {
		f.receipt.Warnings = append(f.receipt.Warnings, fmt.Sprintf("there is no session %q", f.sel.Session))
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM link WHERE session=?", f.sel.Session)
	return err
}

// findCiting returns the runs that cite a selected document, or one that was removed
// earlier without them. Those that used one without citing it are noted.
func (f *forgetting) findCiting(ctx context.Context, tx *sql.Tx) ([]string, error) {
	runs, err := stringsOf(ctx, tx, "SELECT DISTINCT run FROM cites WHERE doc IN (SELECT value FROM json_each(?))", jsonStrings(f.uids()))
	if err != nil {
		return nil, err
	}
	for _, id := range f.uids() {
		f.traces.AddID(id)
	}
	var citing []string
	for _, run := range runs {
		var body string
		var a evidence.Answer
		if tx.QueryRowContext(ctx, "SELECT body FROM run WHERE uid=?", run).Scan(&body) == nil && json.Unmarshal([]byte(body), &a) == nil && !f.traces.Cited(a) {
			f.knowing[run] = true
			continue
		}
		citing = append(citing, run)
	}
	return citing, nil
}

// removeCiting removes the runs that findCiting returns.
func (f *forgetting) removeCiting(ctx context.Context, tx *sql.Tx) error {
	runs, err := f.findCiting(ctx, tx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM cites WHERE doc IN (SELECT value FROM json_each(?))", jsonStrings(f.uids()))
	return err
}

// secureChunks is how many chunks are removed from the word index with the
// secure delete of FTS5, which takes about 15 ms each. More are removed without
// it, and the word index is merged afterwards.
const secureChunks = 20

// removeDocs removes the selected documents from all tables.
func (f *forgetting) removeDocs(ctx context.Context, tx *sql.Tx) error {
	ids := make([]int64, 0, len(f.docs))
	for _, d := range f.docs {
		ids = append(ids, d.id)
		f.addRemoved(d)
	}
	many := f.receipt.Chunks > secureChunks
	if many {
		if err := setSecureDelete(ctx, tx, false); err != nil {
			return err
		}
	}
	if err := removeDocRows(ctx, tx, ids); err != nil {
		return err
	}
	if many {
		return setSecureDelete(ctx, tx, true)
	}
	return nil
}

// setSecureDelete turns the secure delete of FTS5 on or off. FTS5 writes
// pending changes first, so that the switch applies to what follows.
func setSecureDelete(ctx context.Context, tx *sql.Tx, on bool) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO fts(fts, rank) VALUES('secure-delete', ?)", on)
	return err
}

// removeQuotes removes what the conversations quote from the documents.
func (f *forgetting) removeQuotes(ctx context.Context, tx *sql.Tx) error {
	for run := range f.quotes.runs {
		if err := f.removeRun(ctx, tx, run); err != nil {
			return err
		}
	}
	for k := range f.quotes.turns {
		var said string
		err := tx.QueryRowContext(ctx, "SELECT text FROM turn WHERE session=? AND seq=?", k.session, k.seq).Scan(&said)
		if errors.Is(err, sql.ErrNoRows) || err == nil && said == traces.Forgotten {
			continue
		}
		if err != nil {
			return err
		}
		f.needles.add(said)
		f.turns++
		f.sessions[k.session] = true
		if _, err := tx.ExecContext(ctx, "UPDATE turn SET text=? WHERE session=? AND seq=?", traces.Forgotten, k.session, k.seq); err != nil {
			return err
		}
	}
	for id := range f.quotes.sessions {
		f.sessions[id] = true
	}
	return nil
}

// removeDocRows removes documents from all tables but those of the
// conversations, and logs the changes. Statements for all documents at once
// hold the lock for a fraction of the time.
func removeDocRows(ctx context.Context, tx *sql.Tx, docs []int64) error {
	if len(docs) == 0 {
		return nil
	}
	ids := jsonIDs(docs)
	if err := removeChunks(ctx, tx, ids); err != nil {
		return err
	}
	var n, size int
	err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(bytes), 0) FROM doc WHERE id IN (SELECT value FROM json_each(?))", ids).Scan(&n, &size)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM doc WHERE id IN (SELECT value FROM json_each(?))", ids); err != nil {
		return err
	}
	if err := count(ctx, tx, tally{documents: -n, bytes: -size}); err != nil {
		return err
	}
	return logChange(ctx, tx, docs...)
}

// removeRun removes an answer from its session.
func (f *forgetting) removeRun(ctx context.Context, tx *sql.Tx, run string) error {
	var session int64
	var body string
	err := tx.QueryRowContext(ctx, "DELETE FROM run WHERE uid=? RETURNING session, body", run).Scan(&session, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing run %s: %w", run, err)
	}
	f.needles.add(body)
	f.removedRuns = append(f.removedRuns, run)
	f.runs++
	f.sessions[session] = true
	texts, err := stringsOf(ctx, tx, "SELECT text FROM turn WHERE run=?", run)
	if err != nil {
		return err
	}
	for _, t := range texts {
		f.needles.add(t)
	}
	_, err = tx.ExecContext(ctx, "UPDATE turn SET text=?, run=NULL WHERE run=?", traces.Forgotten, run)
	return err
}

// resetSummaries unfolds the sessions that contained something. A summary_to of
// zero or less means that nothing is folded; a new number each time makes a
// Fold in progress fail.
func (f *forgetting) resetSummaries(ctx context.Context, tx *sql.Tx) error {
	for id := range f.sessions {
		texts, err := stringsOf(ctx, tx, "SELECT summary FROM session WHERE id=?1 UNION ALL SELECT title FROM session WHERE id=?1", id)
		if err != nil {
			return err
		}
		for _, s := range texts {
			f.needles.add(s)
		}
		if len(texts) < 2 { // the whole session was removed
			continue
		}
		title := texts[1]
		if len(f.quotes.phrases.In(title)) > 0 {
			title = ""
		}
		if _, err := tx.ExecContext(ctx, "UPDATE session SET summary='', summary_to=min(0, summary_to)-1, title=? WHERE id=?", title, id); err != nil {
			return err
		}
	}
	return nil
}
