package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/traces"
)

const maxTitle = 80 // bytes of the first question that become the title

// mint returns an unguessable id of 130 bits.
func mint(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// Open returns a session, or a new one; see contract.Sessions.
func (m *Memory) Open(ctx context.Context, id string) (evidence.Session, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Session{}, err
	}
	if id == "" {
		return m.newSession(ctx)
	}
	var s evidence.Session
	err := m.read(ctx, "opening a session", func(tx pgx.Tx) error {
		row, err := m.findSession(ctx, tx, id)
		if err != nil {
			return err
		}
		if s, err = scanSession(tx.QueryRow(ctx, "select "+sessionColumns+" from session s where s.tenant = $1 and s.id = $2", m.tenant, row)); err != nil {
			return err
		}
		s.Turns, err = m.turnsOf(ctx, tx, row, s.SummaryTo)
		return err
	})
	return s, err
}

func (m *Memory) newSession(ctx context.Context) (evidence.Session, error) {
	now := m.now()
	s := evidence.Session{ID: mint("s_"), Turns: []evidence.Turn{}, Created: now, Updated: now}
	err := m.write(ctx, "opening a session", func(tx attempt) error { return m.insertSession(ctx, tx, s.ID, now) })
	if err != nil {
		return evidence.Session{}, err
	}
	return s, nil
}

// insertSession adds a session, unless there is one of this id.
func (m *Memory) insertSession(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into session(tenant, uid, title, summary, summary_to, created, updated) values($1, $2, '', '', 0, $3, $3)
		on conflict(tenant, uid) do nothing`, m.tenant, id, now)
	return err
}

func (m *Memory) findSession(ctx context.Context, q querier, id string) (int64, error) {
	return m.sessionRow(ctx, q, id, "")
}

// lockSession is findSession, and keeps others from changing the session meanwhile.
func (m *Memory) lockSession(ctx context.Context, q querier, id string) (int64, error) {
	return m.sessionRow(ctx, q, id, " for update")
}

func (m *Memory) sessionRow(ctx context.Context, q querier, id, lock string) (int64, error) {
	var row int64
	err := q.QueryRow(ctx, "select id from session where tenant = $1 and uid = $2"+lock, m.tenant, storableID(id)).Scan(&row)
	if errors.Is(err, pgx.ErrNoRows) {
		id, _ = text.Cut(strings.ToValidUTF8(id, "\uFFFD"), maxTitle)
		return 0, evidence.BadInput(fmt.Sprintf("there is no session %q", id), "leave the session out to begin a new one, and use the id that is returned")
	}
	return row, err
}

const sessionColumns = `s.uid, s.title, s.summary, s.summary_to, s.created, s.updated,
	(select count(*) from turn t where t.tenant = s.tenant and t.session = s.id)`

func scanSession(row pgx.Row) (evidence.Session, error) {
	s := evidence.Session{Turns: []evidence.Turn{}}
	if err := row.Scan(&s.ID, &s.Title, &s.Summary, &s.SummaryTo, &s.Created, &s.Updated, &s.Messages); err != nil {
		return evidence.Session{}, err
	}
	s.Created, s.Updated = s.Created.UTC(), s.Updated.UTC()
	return s, nil
}

// turnsOf returns the turns of a session after seq.
func (m *Memory) turnsOf(ctx context.Context, tx pgx.Tx, session, seq int64) ([]evidence.Turn, error) {
	out := []evidence.Turn{}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var t evidence.Turn
		var body *string
		if err := row.Scan(&t.Seq, &t.Role, &t.Text, &t.At, &body); err != nil {
			return err
		}
		t.At = t.At.UTC()
		if body != nil {
			t.Run = &evidence.Answer{}
			if err := json.Unmarshal([]byte(*body), t.Run); err != nil {
				return fmt.Errorf("reading the run of turn %d: %w", t.Seq, err)
			}
		}
		out = append(out, t)
		return nil
	}, `select t.seq, t.role, t.text, t.at, r.body from turn t left join run r on r.tenant = t.tenant and r.uid = t.run
		where t.tenant = $1 and t.session = $2 and t.seq > $3 order by t.seq`, m.tenant, session, seq)
	return out, err
}

// Append stores turns; see contract.Sessions.
func (m *Memory) Append(ctx context.Context, id string, turns ...evidence.Turn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == "" || len(id) > maxTitle {
		return evidence.BadInput(fmt.Sprintf("a session id cannot have %d bytes", len(id)), "use the id that Open returned")
	}
	if storableID(id) != id {
		return evidence.BadInput(fmt.Sprintf("the session id %q is not valid text", id), "use the id that Open returned")
	}
	ready := make([]evidence.Turn, len(turns)) // a retry stores them under the same ids
	for i, t := range turns {
		ready[i] = t
		if t.Run != nil && t.Run.RunID == "" {
			run := *t.Run
			run.RunID = mint("r_")
			ready[i].Run = &run
		}
		if t.At.IsZero() {
			ready[i].At = m.now()
		}
	}
	batch := mint("b_")
	return m.write(ctx, "storing a turn", func(tx attempt) error { return m.appendTurns(ctx, tx, id, batch, ready) })
}

func (m *Memory) appendTurns(ctx context.Context, tx attempt, id, batch string, turns []evidence.Turn) error {
	now := m.now()
	var wasForgotten bool // the session was forgotten while an answer was in progress
	err := tx.QueryRow(ctx, `select exists(select 1 from gone where tenant = $1 and mark = $2 and at > $3) and not exists(select 1 from session where tenant = $1 and uid = $4)`,
		m.tenant, traces.IDHash(id), now.Add(-traces.ForgottenFor), id).Scan(&wasForgotten)
	if err != nil {
		return err
	}
	if wasForgotten {
		return evidence.BadInput("the session was forgotten: this turn was not stored", "begin a new session")
	}
	if err := m.insertSession(ctx, tx, id, now); err != nil {
		return err
	}
	row, err := m.lockSession(ctx, tx, id)
	if err != nil {
		return err
	}
	var seq int64
	var stored bool
	err = tx.QueryRow(ctx, "select coalesce(max(seq), 0), coalesce(bool_or(batch = $3), false) from turn where tenant = $1 and session = $2", m.tenant, row, batch).Scan(&seq, &stored)
	if err != nil || stored { // by an attempt whose answer was lost
		return err
	}
	for _, t := range turns {
		seq++
		if err := m.insertTurn(ctx, tx, row, id, seq, batch, t); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "update session set updated = $3 where tenant = $1 and id = $2", m.tenant, row, now)
	return err
}

func (m *Memory) insertTurn(ctx context.Context, tx pgx.Tx, session int64, id string, seq int64, batch string, t evidence.Turn) error {
	if t.Role != evidence.RoleUser && t.Role != evidence.RoleAssistant {
		return evidence.BadInput(fmt.Sprintf("a turn has the role %q", t.Role), "use user or assistant")
	}
	if err := intake.CheckTurn(t); err != nil {
		return err
	}
	body := intake.SameLength(t.Text)
	if quotes, err := m.citesForgotten(ctx, tx, t.Run); err != nil {
		return err
	} else if quotes { // its document was forgotten while it was in progress
		body, t.Run = traces.Forgotten, nil
	}
	if t.Run != nil {
		var err error
		if t.Run, t.Used, err = traces.ScrubUnder(t.Run, t.Used, func(id string) (bool, error) { return m.wasForgotten(ctx, tx, id) }); err != nil {
			return err
		}
	}
	run, err := m.insertRun(ctx, tx, session, id, t)
	if err != nil {
		return err
	}
	if at := within(t.At); !at.IsZero() {
		t.At = at
	} else {
		t.At = m.now()
	}
	_, err = tx.Exec(ctx, "insert into turn(tenant, session, seq, role, text, at, run, batch) values($1, $2, $3, $4, $5, $6, $7, $8)",
		m.tenant, session, seq, t.Role, body, t.At, run, batch)
	if err != nil || t.Role != evidence.RoleUser {
		return err
	}
	title, _ := text.Cut(text.Squash(body), maxTitle)
	_, err = tx.Exec(ctx, "update session set title = $3 where tenant = $1 and id = $2 and title = ''", m.tenant, session, title)
	return err
}

// citesForgotten reports whether an answer cites a document that was forgotten
// while the answer was made, and was not put again.
func (m *Memory) citesForgotten(ctx context.Context, tx pgx.Tx, a *evidence.Answer) (bool, error) {
	if a == nil {
		return false, nil
	}
	for _, c := range a.Citations {
		if was, err := m.wasForgotten(ctx, tx, c.DocumentID); err != nil || was {
			return was, err
		}
	}
	return false, nil
}

// wasForgotten reports whether a document was forgotten, and not put again.
func (m *Memory) wasForgotten(ctx context.Context, tx pgx.Tx, id string) (was bool, err error) {
	err = tx.QueryRow(ctx, "select exists(select 1 from gone where tenant = $1 and mark = $2) and not exists(select 1 from doc where tenant = $1 and uid = $3)",
		m.tenant, traces.IDHash(id), storableID(id)).Scan(&was)
	return was, err
}

// insertRun stores an answer and records the documents that it cites or used. It returns
// the answer's id, nil if there is none.
func (m *Memory) insertRun(ctx context.Context, tx pgx.Tx, session int64, id string, t evidence.Turn) (*string, error) {
	if t.Run == nil {
		return nil, nil
	}
	run := *t.Run
	body, err := json.Marshal(run)
	if err != nil {
		return nil, fmt.Errorf("writing run %s as JSON: %w", run.RunID, err)
	}
	at := within(t.At)
	if at.IsZero() {
		at = m.now()
	}
	uid := storableID(run.RunID)
	tag, err := tx.Exec(ctx, "insert into run(tenant, uid, session, at, question, status, body) values($1, $2, $3, $4, $5, $6, $7) on conflict(tenant, uid) do nothing",
		m.tenant, uid, session, at, intake.SameLength(run.Question), run.Status, string(body))
	if err != nil {
		return nil, fmt.Errorf("storing run %s: %w", run.RunID, err)
	}
	if tag.RowsAffected() == 0 {
		return nil, intake.Answered(run.RunID)
	}
	var cited, known []string
	for _, c := range run.Citations {
		cited = append(cited, storableID(c.DocumentID))
	}
	for _, used := range t.Used {
		known = append(known, storableID(used))
	}
	b := &pgx.Batch{}
	b.Queue("insert into cites(tenant, doc, run) select distinct $1, unnest($2::text[]), $3 on conflict do nothing", m.tenant, append(known, cited...), uid)
	b.Queue("delete from claim where tenant = $1 and id = $2", m.tenant, uid)
	b.Queue("insert into link(tenant, session, doc, put) select $1, $2, id, false from doc where tenant = $1 and uid = any($3) on conflict do nothing", m.tenant, id, cited)
	return &uid, tx.SendBatch(ctx, b).Close()
}

// Fold replaces turns by a summary; see contract.Sessions.
func (m *Memory) Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if to < from {
		return false, evidence.BadInput(fmt.Sprintf("turns cannot be folded from %d back to %d", from, to), "fold forward")
	}
	folded := false
	summary = intake.SameLength(summary)
	err := m.write(ctx, "folding a session", func(tx attempt) error {
		row, err := m.lockSession(ctx, tx, id)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update session set summary = $3, summary_to = $4 where tenant = $1 and id = $2 and summary_to = $5
			and $4 <= (select coalesce(max(seq), 0) from turn where tenant = $1 and session = $2)`, m.tenant, row, summary, to, from)
		if err != nil {
			return err
		}
		if folded = tag.RowsAffected() == 1; folded || !tx.again {
			return nil
		}
		// An attempt whose answer was lost may have done it.
		return tx.QueryRow(ctx, "select summary_to = $3 and summary = $4 from session where tenant = $1 and id = $2", m.tenant, row, to, summary).Scan(&folded)
	})
	return folded && err == nil, err
}

// Run returns a stored answer; see contract.Sessions.
func (m *Memory) Run(ctx context.Context, id string) (evidence.Answer, bool, error) {
	var a evidence.Answer
	found := false
	err := m.read(ctx, "reading a run", func(tx pgx.Tx) error {
		a, found = evidence.Answer{}, false
		var body string
		err := tx.QueryRow(ctx, "select body from run where tenant = $1 and uid = $2", m.tenant, storableID(id)).Scan(&body)
		if errors.Is(err, pgx.ErrNoRows) {
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
