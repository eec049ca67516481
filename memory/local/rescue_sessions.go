package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

// errLost is the cause of a session whose row does not exist, while its turns or
// answers do.
var errLost = errors.New("its row is lost")

func (x *exporter) sessions(ctx context.Context) error {
	ids, err := x.sessionIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := x.session(ctx, id)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		out := &transfer.SessionLine{ID: s.ID, Title: s.Title, Summary: s.Summary, SummaryTo: s.SummaryTo, Created: s.Created, Updated: s.Updated, Turns: []transfer.TurnLine{}}
		for _, t := range s.Turns {
			t.Used = x.used(ctx, t.Run)
			out.Turns = append(out.Turns, transfer.TurnLine(t))
		}
		if err == nil {
			err = x.write(transfer.Line{Session: out})
		}
		if isWriting(err) {
			return err
		}
		if err != nil {
			x.leaveOut("session "+s.ID, err)
			continue
		}
		x.moved.Sessions++
		x.moved.Turns += len(s.Turns)
	}
	return nil
}

// sessionIDs returns the ids of all sessions, also of those of which only turns or
// answers are left.
func (x *exporter) sessionIDs(ctx context.Context) ([]int64, error) {
	ids, whole, err := rowIDs(ctx, x.tx, "session")
	if err != nil {
		return nil, err
	}
	if !whole {
		x.warn("the table of sessions is damaged: they were looked for one by one")
	}
	for _, table := range []string{"turn", "run"} {
		up, failed := scanIDs(ctx, x.tx, "SELECT DISTINCT session FROM "+table+" ORDER BY session")
		ids = append(ids, up...)
		if failed != nil {
			x.warn(fmt.Sprintf("the table %q is damaged: what is in a part of it may be missing", table))
			down, _ := scanIDs(ctx, x.tx, "SELECT DISTINCT session FROM "+table+" ORDER BY session DESC")
			ids = append(ids, down...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), ctx.Err()
}

// session reads a session, or what is left of it. The error is of one of which
// nothing is left.
func (x *exporter) session(ctx context.Context, id int64) (evidence.Session, error) {
	s, err := scanSession(x.tx.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM session s WHERE s.id=?", id))
	intact := err == nil
	if !intact { // counting its turns may be what fails
		s = x.rescueSession(ctx, id)
	}
	if s.Turns, err = turnsAfter(ctx, x.tx, id, -1); err != nil {
		s.Turns = x.rescueTurns(ctx, id, s.ID)
	}
	x.answers(ctx, id, &s)
	if intact || len(s.Turns) == 0 {
		if !intact && s.Title == "" && s.Summary == "" {
			return s, errUnreadable
		}
		return s, nil
	}
	if first, last := s.Turns[0].At, s.Turns[len(s.Turns)-1].At; s.Created.IsZero() || s.Updated.IsZero() {
		s.Created, s.Updated = first, last
	}
	return s, nil
}

// rescueSession reads what can be read of the row of a session. Its id is in the index
// and in its answers, too.
func (x *exporter) rescueSession(ctx context.Context, id int64) evidence.Session {
	s := evidence.Session{}
	var created, updated int64
	var failed error
	for column, to := range map[string]any{"uid": &s.ID, "title": &s.Title, "summary": &s.Summary, "summary_to": &s.SummaryTo, "created": &created, "updated": &updated} {
		failed = errors.Join(failed, x.tx.QueryRowContext(ctx, "SELECT "+column+" FROM session WHERE id=?", id).Scan(to))
	}
	if created > 0 && updated > 0 {
		s.Created, s.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	}
	if s.ID == "" {
		_ = x.tx.QueryRowContext(ctx, "SELECT uid FROM session INDEXED BY sqlite_autoindex_session_1 WHERE id=?", id).Scan(&s.ID)
	}
	if s.ID == "" {
		s.ID = x.sessionOfAnswers(ctx, id)
	}
	if s.ID == "" {
		s.ID = fmt.Sprintf("s_rescued%d", id)
	}
	if failed != nil {
		x.leaveOut(fmt.Sprintf("title and summary of session %s", s.ID), errLost)
	}
	return s
}

// sessionOfAnswers returns the id of a session that its answers name, or "".
func (x *exporter) sessionOfAnswers(ctx context.Context, id int64) (uid string) {
	_ = eachRow(ctx, x.tx, "SELECT body FROM run WHERE session=?", []any{id}, func(row scanner) error {
		var body []byte
		var a evidence.Answer
		if row.Scan(&body) == nil && json.Unmarshal(body, &a) == nil && uid == "" {
			uid = a.Session
		}
		return nil
	})
	return uid
}

// answers adds the answers of a session whose turns are lost, as turns after the
// others, and reports turns whose answers are lost.
func (x *exporter) answers(ctx context.Context, id int64, s *evidence.Session) {
	var lost int
	err := x.tx.QueryRowContext(ctx, "SELECT count(*) FROM turn WHERE session=? AND run IS NOT NULL AND run NOT IN (SELECT uid FROM run)", id).Scan(&lost)
	if err == nil && lost > 0 {
		x.moved.Failed += lost - 1
		x.leaveOut(fmt.Sprintf("answers of session %s: %d of them", s.ID, lost), errLost)
	}
	known, last := map[string]bool{}, int64(0)
	for _, t := range s.Turns {
		if last = max(last, t.Seq); t.Run != nil {
			known[t.Run.RunID] = true
		}
	}
	var uids []string
	for _, order := range []string{"", " DESC"} { // what is after a damaged page is read from the other end
		_ = eachRow(ctx, x.tx, "SELECT uid FROM run WHERE session=? ORDER BY rowid"+order, []any{id}, func(row scanner) error {
			var uid string
			err := row.Scan(&uid)
			if err == nil && !known[uid] {
				known[uid] = true
				uids = append(uids, uid)
			}
			return err
		})
	}
	for _, uid := range uids {
		var at int64
		var body []byte
		a := &evidence.Answer{}
		err := x.tx.QueryRowContext(ctx, "SELECT at, body FROM run WHERE uid=?", uid).Scan(&at, &body)
		if err == nil {
			err = json.Unmarshal(body, a)
		}
		if err != nil {
			if !x.turnNames(ctx, uid) { // else it was reported with its turn
				x.leaveOut(fmt.Sprintf("answer %s of session %s", uid, s.ID), err)
			}
			continue
		}
		last++
		s.Turns = append(s.Turns, evidence.Turn{Seq: last, Role: evidence.RoleAssistant, Text: a.Answer, At: time.UnixMicro(at).UTC(), Run: a})
		x.warn(fmt.Sprintf("the turn of answer %s of session %s is lost: it was written after the other turns", uid, s.ID))
	}
}

// turnNames reports whether the turn of an answer can be found.
func (x *exporter) turnNames(ctx context.Context, run string) (found bool) {
	_ = x.tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM turn WHERE run=?)", run).Scan(&found)
	return found
}

// rescueTurns reads the turns of a session one by one, and those without their
// answer whose answer cannot be read.
func (x *exporter) rescueTurns(ctx context.Context, session int64, uid string) []evidence.Turn {
	var seqs []int64
	for _, order := range []string{"", " DESC"} {
		_ = eachRow(ctx, x.tx, "SELECT seq FROM turn WHERE session=? ORDER BY seq"+order, []any{session}, func(row scanner) error {
			var seq int64
			err := row.Scan(&seq)
			if err == nil {
				seqs = append(seqs, seq)
			}
			return err
		})
	}
	slices.Sort(seqs)
	out := []evidence.Turn{}
	for _, seq := range slices.Compact(seqs) {
		turns, err := turnsOf(ctx, x.tx, "t.session=? AND t.seq=?", session, seq)
		if err != nil || len(turns) != 1 {
			turns, err = bareTurns(ctx, x.tx, session, seq)
			x.leaveOut(fmt.Sprintf("the answer of turn %d of session %s", seq, uid), cause(err))
		}
		if err != nil {
			x.leaveOut(fmt.Sprintf("turn %d of session %s", seq, uid), err)
			continue
		}
		out = append(out, turns...)
	}
	return out
}
