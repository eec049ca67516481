package toy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// conversation is a stored session; turns are all that were ever appended.
type conversation struct {
	evidence.Session
	turns []evidence.Turn
}

func (m *Memory) newID(prefix string) string {
	m.ids++
	return fmt.Sprintf("%s%016d", prefix, m.ids)
}

func (m *Memory) begin(id string) *conversation {
	now := m.cfg.Now()
	c := &conversation{Session: evidence.Session{ID: id, Turns: []evidence.Turn{}, Created: now, Updated: now}}
	m.sessions[id] = c
	return c
}

func (m *Memory) session(id string) (*conversation, error) {
	if c := m.sessions[id]; c != nil {
		return c, nil
	}
	return nil, evidence.BadInput(fmt.Sprintf("there is no session %q", id), "leave the session out to begin a new one")
}

// Open implements contract.Sessions.
func (m *Memory) Open(ctx context.Context, id string) (evidence.Session, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return evidence.Session{}, err
	}
	defer unlock()
	if id == "" {
		id = m.begin(m.newID("s_")).ID
	}
	c, err := m.session(id)
	if err != nil {
		return evidence.Session{}, err
	}
	out := c.Session
	out.Turns, out.Messages = []evidence.Turn{}, len(c.turns)
	for _, t := range c.turns {
		if t.Seq > c.SummaryTo {
			t.Run = copyRun(t.Run)
			out.Turns = append(out.Turns, t)
		}
	}
	return out, nil
}

func copyRun(a *evidence.Answer) *evidence.Answer {
	if a == nil {
		return nil
	}
	var out evidence.Answer
	b, err := json.Marshal(a)
	if err != nil || json.Unmarshal(b, &out) != nil {
		return nil
	}
	return &out
}

// Append implements contract.Sessions.
func (m *Memory) Append(ctx context.Context, id string, turns ...evidence.Turn) error {
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, t := range turns {
		if t.Role != evidence.RoleUser && t.Role != evidence.RoleAssistant {
			return evidence.BadInput(fmt.Sprintf("a turn has the role %q", t.Role), "use user or assistant")
		}
		if err := intake.CheckTurn(t); err != nil {
			return err
		}
		if t.Run == nil {
			continue
		}
		if _, ok := m.runs[t.Run.RunID]; ok {
			return intake.Answered(t.Run.RunID)
		}
	}
	c := m.sessions[id]
	if c == nil {
		c = m.begin(id)
	}
	for _, t := range turns {
		t.Seq, t.Run = int64(len(c.turns)+1), copyRun(t.Run)
		if t.At.IsZero() {
			t.At = m.cfg.Now()
		}
		if t.Role == evidence.RoleUser && c.Title == "" {
			c.Title, _ = text.Cut(t.Text, 80)
		}
		if t.Run != nil {
			if t.Run.RunID == "" {
				t.Run.RunID = m.newID("r_")
			}
			m.runs[t.Run.RunID] = *t.Run
			m.link(id, t.Run)
		}
		c.turns = append(c.turns, t)
	}
	c.Updated = m.cfg.Now()
	return nil
}

// link makes the documents that an answer cites found within the session.
func (m *Memory) link(session string, run *evidence.Answer) {
	for _, cited := range run.Citations {
		if e := m.docs[cited.DocumentID]; e != nil && !e.links[session] {
			e.links[session] = false
		}
	}
}

// Fold implements contract.Sessions.
func (m *Memory) Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	c, err := m.session(id)
	if err != nil || c.SummaryTo != from || to < from || to > int64(len(c.turns)) {
		return false, err
	}
	c.Summary, c.SummaryTo = summary, to
	return true, nil
}

// Run implements contract.Sessions.
func (m *Memory) Run(ctx context.Context, id string) (evidence.Answer, bool, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return evidence.Answer{}, false, err
	}
	defer unlock()
	a, ok := m.runs[id]
	if !ok {
		return evidence.Answer{}, false, nil
	}
	return *copyRun(&a), true, nil
}

// Forget implements contract.Store.
func (m *Memory) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	r := evidence.Receipt{IDs: []string{}}
	unlock, err := m.lock(ctx)
	if err != nil {
		return r, err
	}
	defer unlock()
	if sel.Empty() {
		return r, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	var selected []*entry
	for _, e := range m.sorted() {
		if e.selected(sel) {
			selected = append(selected, e)
		}
	}
	if n := len(selected); sel.NeedsConfirm(n, 0, len(m.docs)) && !sel.Confirm && !sel.DryRun {
		return r, contract.Unconfirmed(fmt.Sprintf("that would forget %d documents", n), "set confirm, or select fewer")
	}
	r.Matched = m.matched(sel)
	for _, id := range sel.IDs {
		if m.docs[id] == nil {
			r.Warnings = append(r.Warnings, fmt.Sprintf("there is no document %q", id))
		}
	}
	if len(selected) == 0 && !sel.WholeSession() {
		r.Warnings = append(r.Warnings, "nothing is selected by every selector")
	}
	for _, e := range selected {
		r.IDs, r.Titles, r.Documents, r.Chunks = append(r.IDs, e.doc.ID), append(r.Titles, e.doc.Title), r.Documents+1, r.Chunks+len(e.chunks)
	}
	if sel.DryRun {
		r.Remaining = len(m.docs) - len(selected)
		return r, nil
	}
	if sel.WholeSession() {
		m.forgetSession(sel.Session)
	}
	for _, e := range selected {
		delete(m.docs, e.doc.ID)
		for i := range m.log { // the id must not outlive the document
			if m.log[i].Key == e.key {
				m.log[i].ID = ""
			}
		}
		m.log = append(m.log, contract.Change{Key: e.key})
		if n := m.forgetQuotes(e); n > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%d turns that quoted %s were removed", n, e.doc.ID))
		}
	}
	r.Remaining = len(m.docs)
	return r, nil
}

func (e *entry) selected(sel contract.Selector) bool {
	put, others := e.links[sel.Session], false
	for s, by := range e.links {
		others = others || by && s != sel.Session
	}
	return (len(sel.IDs) == 0 || slices.Contains(sel.IDs, e.doc.ID)) && (sel.URL == "" || sel.URL == e.doc.URL) && (sel.Source == "" || sel.Source == e.doc.Source) &&
		(sel.Before.IsZero() || e.doc.Retrieved.Before(sel.Before)) && (sel.Session == "" || put && !others && !e.own)
}

// matched counts what each field of sel selects alone.
func (m *Memory) matched(sel contract.Selector) []evidence.Matched {
	var out []evidence.Matched
	for _, one := range []contract.Selector{{IDs: sel.IDs}, {URL: sel.URL}, {Source: sel.Source}, {Before: sel.Before}, {Session: sel.Session}} {
		if one.Empty() {
			continue
		}
		n := 0
		for _, e := range m.docs {
			if e.selected(one) {
				n++
			}
		}
		out = append(out, evidence.Matched{Selector: fmt.Sprintf("%+v", one), Documents: n})
	}
	return out
}

func (m *Memory) forgetSession(id string) {
	if c := m.sessions[id]; c != nil {
		for _, t := range c.turns {
			if t.Run != nil {
				delete(m.runs, t.Run.RunID)
			}
		}
		delete(m.sessions, id)
	}
}

// forgetQuotes removes the turns, answers and summaries that cite or quote e.
func (m *Memory) forgetQuotes(e *entry) int {
	var quotes []string
	for _, s := range text.Sentences(e.doc.Text) {
		if q := e.doc.Text[s.Start:s.End]; len(strings.Fields(q)) >= 5 {
			quotes = append(quotes, q)
		}
	}
	quotes = append(quotes, e.doc.ID)
	n := 0
	for _, c := range m.sessions {
		found := holds(c.Summary, quotes)
		for i := range c.turns {
			t := &c.turns[i]
			b, err := json.Marshal(t)
			if err != nil || !holds(string(b), quotes) {
				continue
			}
			if t.Run != nil {
				delete(m.runs, t.Run.RunID)
			}
			t.Text, t.Run, found = "[forgotten]", nil, true
			n++
		}
		if found { // the summary is made again from the turns that are left
			m.folds++
			c.Summary, c.SummaryTo, c.Title = "", -m.folds, ""
		}
	}
	return n
}

func holds(s string, quotes []string) bool {
	return slices.ContainsFunc(quotes, func(q string) bool { return strings.Contains(s, q) })
}
