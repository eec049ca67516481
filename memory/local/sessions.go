package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/traces"
)

const maxTitle = 80 // bytes of the first question that become the title

// mint returns an unguessable id of 130 bits.
func mint(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// Open returns a session, or a new one; see contract.Sessions.
func (l *Local) Open(ctx context.Context, id string) (evidence.Session, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Session{}, err
	}
	if id == "" {
		return l.newSession(ctx)
	}
	var s evidence.Session
	err := l.read(ctx, "opening a session", func(tx *sql.Tx) error {
		row, err := findSession(ctx, tx, id)
		if err != nil {
			return err
		}
		if s, err = scanSession(tx.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM session s WHERE s.id=?", row)); err != nil {
			return err
		}
		s.Turns, err = turnsAfter(ctx, tx, row, s.SummaryTo)
		return err
	})
	return s, err
}

func (l *Local) newSession(ctx context.Context) (evidence.Session, error) {
	now := l.now()
	s := evidence.Session{ID: mint("s_"), Turns: []evidence.Turn{}, Created: now, Updated: now}
	err := l.write(ctx, "opening a session", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO session(uid, title, summary, summary_to, created, updated) VALUES(?, '', '', 0, ?, ?)",
			s.ID, now.UnixMicro(), now.UnixMicro())
		return err
	})
	if err != nil {
		return evidence.Session{}, err
	}
	return s, nil
}

func findSession(ctx context.Context, q querier, id string) (int64, error) {
	var row int64
	err := q.QueryRowContext(ctx, "SELECT id FROM session WHERE uid=?", id).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		id, _ = text.Cut(strings.ToValidUTF8(id, "\uFFFD"), maxTitle)
		return 0, evidence.BadInput(fmt.Sprintf("there is no session %q", id), "leave the session out to begin a new one, and use the id that is returned")
	}
	return row, err
}

const sessionColumns = `s.uid, s.title, s.summary, s.summary_to, s.created, s.updated,
	(SELECT count(*) FROM turn t WHERE t.session = s.id)`

func scanSession(row scanner) (evidence.Session, error) {
	s := evidence.Session{Turns: []evidence.Turn{}}
	var created, updated int64
	if err := row.Scan(&s.ID, &s.Title, &s.Summary, &s.SummaryTo, &created, &updated, &s.Messages); err != nil {
		return evidence.Session{}, err
	}
	s.Created, s.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return s, nil
}

func turnsAfter(ctx context.Context, tx *sql.Tx, session, seq int64) ([]evidence.Turn, error) {
	return turnsOf(ctx, tx, "t.session=? AND t.seq > ?", session, seq)
}

// bareTurns reads one turn without its answer.
func bareTurns(ctx context.Context, tx *sql.Tx, session, seq int64) ([]evidence.Turn, error) {
	var t evidence.Turn
	var at int64
	err := tx.QueryRowContext(ctx, "SELECT seq, role, text, at FROM turn WHERE session=? AND seq=?", session, seq).Scan(&t.Seq, &t.Role, &t.Text, &at)
	t.At = time.UnixMicro(at).UTC()
	return []evidence.Turn{t}, err
}

func turnsOf(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]evidence.Turn, error) {
	rows, err := tx.QueryContext(ctx, `SELECT t.seq, t.role, t.text, t.at, r.body FROM turn t LEFT JOIN run r ON r.uid = t.run
		WHERE `+where+" ORDER BY t.seq", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []evidence.Turn{}
	for rows.Next() {
		var t evidence.Turn
		var at int64
		var body sql.NullString
		if err := rows.Scan(&t.Seq, &t.Role, &t.Text, &at, &body); err != nil {
			return nil, err
		}
		t.At = time.UnixMicro(at).UTC()
		if body.Valid {
			t.Run = &evidence.Answer{}
			if err := json.Unmarshal([]byte(body.String), t.Run); err != nil {
				return nil, fmt.Errorf("reading the run of turn %d: %w", t.Seq, err)
			}
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// Append stores turns; see contract.Sessions.
func (l *Local) Append(ctx context.Context, id string, turns ...evidence.Turn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == "" || len(id) > maxTitle {
		return evidence.BadInput(fmt.Sprintf("a session id cannot have %d bytes", len(id)), "use the id that Open returned")
	}
	err := l.write(ctx, "storing a turn", func(tx *sql.Tx) error {
		now := l.now().UnixMicro()
		var wasForgotten bool // the session was forgotten while an answer was in progress
		err := tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM gone WHERE mark=? AND at > ?) AND NOT EXISTS(SELECT 1 FROM session WHERE uid=?)",
			traces.IDHash(id), now-traces.ForgottenFor.Microseconds(), id).Scan(&wasForgotten)
		if err != nil {
			return err
		}
		if wasForgotten {
			return evidence.BadInput("the session was forgotten: this turn was not stored", "begin a new session")
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO session(uid, title, summary, summary_to, created, updated)
			VALUES(?, '', '', 0, ?, ?) ON CONFLICT(uid) DO NOTHING`, id, now, now); err != nil {
			return err
		}
		row, err := findSession(ctx, tx, id)
		if err != nil {
			return err
		}
		var seq int64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM turn WHERE session=?", row).Scan(&seq); err != nil {
			return err
		}
		for _, t := range turns {
			seq++
			if err := l.insertTurn(ctx, tx, row, id, seq, t); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE session SET updated=? WHERE id=?", l.now().UnixMicro(), row)
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range turns {
		if t.Run != nil {
			l.claims.release(l.path, t.Run.RunID)
		}
	}
	return nil
}

func (l *Local) insertTurn(ctx context.Context, tx *sql.Tx, session int64, id string, seq int64, t evidence.Turn) error {
	if t.Role != evidence.RoleUser && t.Role != evidence.RoleAssistant {
		return evidence.BadInput(fmt.Sprintf("a turn has the role %q", t.Role), "use user or assistant")
	}
	at := t.At
	if at.IsZero() {
		at = l.now()
	}
	if err := intake.CheckTurn(t); err != nil {
		return err
	}
	body := intake.SameLength(t.Text)
	if quotes, err := citesForgotten(ctx, tx, t.Run); err != nil {
		return err
	} else if quotes { // its document was forgotten while it was in progress
		body, t.Run = traces.Forgotten, nil
	}
	if t.Run != nil {
		if err := withoutForgotten(ctx, tx, &t); err != nil {
			return err
		}
	}
	run, err := insertRun(ctx, tx, session, id, at, t)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO turn(session, seq, role, text, at, run) VALUES(?, ?, ?, ?, ?, ?)",
		session, seq, t.Role, body, at.UnixMicro(), run)
	if err != nil || t.Role != evidence.RoleUser {
		return err
	}
	title, _ := text.Cut(text.Squash(body), maxTitle)
	_, err = tx.ExecContext(ctx, "UPDATE session SET title=? WHERE id=? AND title=''", title, session)
	return err
}

// citesForgotten reports whether an answer cites a document that was forgotten
// while the answer was made, and was not put again.
func citesForgotten(ctx context.Context, tx *sql.Tx, a *evidence.Answer) (bool, error) {
	if a == nil {
		return false, nil
	}
	for _, c := range a.Citations {
		if was, err := wasForgotten(ctx, tx, c.DocumentID); err != nil || was {
			return was, err
		}
	}
	return false, nil
}

// wasForgotten reports whether a document was forgotten, and not put again.
func wasForgotten(ctx context.Context, tx *sql.Tx, id string) (was bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM gone WHERE mark=?) AND NOT EXISTS(SELECT 1 FROM doc WHERE uid=?)", traces.IDHash(id), id).Scan(&was)
	return was, err
}

// insertRun stores an answer and records the documents that it cites or used.
func insertRun(ctx context.Context, tx *sql.Tx, session int64, id string, at time.Time, t evidence.Turn) (sql.NullString, error) {
	if t.Run == nil {
		return sql.NullString{}, nil
	}
	kept := *t.Run
	if kept.RunID == "" {
		kept.RunID = mint("r_")
	}
	body, err := json.Marshal(kept)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("writing run %s as JSON: %w", kept.RunID, err)
	}
	done, err := tx.ExecContext(ctx, "INSERT INTO run(uid, session, at, body) VALUES(?, ?, ?, ?) ON CONFLICT(uid) DO NOTHING", kept.RunID, session, at.UnixMicro(), string(body))
	if err != nil {
		return sql.NullString{}, fmt.Errorf("storing run %s: %w", kept.RunID, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return sql.NullString{}, cmp.Or(err, intake.Answered(kept.RunID))
	}
	for _, used := range t.Used {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO cites(doc, run) VALUES(?, ?)", used, kept.RunID); err != nil {
			return sql.NullString{}, err
		}
	}
	for _, c := range kept.Citations {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO cites(doc, run) VALUES(?, ?)", c.DocumentID, kept.RunID); err != nil {
			return sql.NullString{}, err
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO link(session, doc, put) SELECT ?, id, 0 FROM doc WHERE uid=?", id, c.DocumentID); err != nil {
			return sql.NullString{}, err
		}
	}
	return sql.NullString{String: kept.RunID, Valid: true}, nil
}

// Fold replaces turns by a summary; see contract.Sessions.
func (l *Local) Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if to < from {
		return false, evidence.BadInput(fmt.Sprintf("turns cannot be folded from %d back to %d", from, to), "fold forward")
	}
	folded := false
	err := l.write(ctx, "folding a session", func(tx *sql.Tx) error {
		row, err := findSession(ctx, tx, id)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE session SET summary=?, summary_to=? WHERE id=? AND summary_to=?
			AND ? <= (SELECT coalesce(max(seq), 0) FROM turn WHERE session=?)`, intake.SameLength(summary), to, row, from, to, row)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		folded = n == 1
		return err
	})
	return folded && err == nil, err
}

// Run returns a stored answer; see contract.Sessions.
func (l *Local) Run(ctx context.Context, id string) (evidence.Answer, bool, error) {
	var a evidence.Answer
	found := false
	err := l.read(ctx, "reading a run", func(tx *sql.Tx) error {
		var body string
		err := tx.QueryRowContext(ctx, "SELECT body FROM run WHERE uid=?", id).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		return json.Unmarshal([]byte(body), &a)
	})
	return a, found && err == nil, err
}
