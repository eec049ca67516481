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
)

// traces is what tells that a stored answer knew a forgotten document.
type traces struct {
	ids, urls, titles, words map[string]bool
}

func newTraces() traces {
	return traces{ids: map[string]bool{}, urls: map[string]bool{}, titles: map[string]bool{}, words: map[string]bool{}}
}

func (t traces) add(uid string, d evidence.Document, body string) {
	t.ids[uid] = true
	if d.URL != "" {
		t.urls[d.URL] = true
	}
	if d.Title != "" {
		t.titles[d.Title] = true
	}
	for _, w := range words(d.Title + " " + d.URL + " " + body) {
		t.words[w] = true
	}
}

// cited reports whether an answer cites one of the documents.
func (t traces) cited(a evidence.Answer) bool {
	return slices.ContainsFunc(a.Citations, func(c evidence.Citation) bool { return t.ids[c.DocumentID] })
}

// known reports whether an answer names one of the documents.
func (t traces) known(a evidence.Answer) bool {
	return slices.ContainsFunc(a.Evidence, t.passage) || slices.ContainsFunc(a.Analysis.TopDocuments, t.topDocument)
}

func (t traces) passage(p evidence.RankedPassage) bool {
	return t.ids[p.DocumentID] || p.DocumentID == "" && t.urls[p.URL]
}

func (t traces) topDocument(d evidence.TopDocument) bool {
	return t.urls[d.URL] || d.URL == "" && t.titles[d.Title]
}

// scrub removes the documents from an answer that does not rest on them: their
// passages, titles and addresses, and from keywords and topics their words, unless
// the question has them.
func (t traces) scrub(a *evidence.Answer) {
	asked := map[string]bool{}
	for _, w := range words(a.Question) {
		asked[w] = true
	}
	theirs := func(s string) bool {
		return slices.ContainsFunc(words(s), func(w string) bool { return t.words[w] && !asked[w] })
	}
	a.Evidence = slices.DeleteFunc(a.Evidence, t.passage)
	a.Analysis.TopDocuments = slices.DeleteFunc(a.Analysis.TopDocuments, t.topDocument)
	a.Analysis.Keywords = slices.DeleteFunc(a.Analysis.Keywords, func(k evidence.TermCount) bool { return theirs(k.Term) })
	a.Topics = slices.DeleteFunc(a.Topics, theirs)
	a.Warnings = slices.DeleteFunc(a.Warnings, t.named)
	for i := range a.Sources {
		if t.named(a.Sources[i].Err) {
			a.Sources[i].Err = ""
		}
	}
}

// named reports whether s has an id, address or title of the documents.
func (t traces) named(s string) bool {
	for _, all := range []map[string]bool{t.ids, t.urls, t.titles} {
		for name := range all {
			if len(name) >= minNamed && strings.Contains(s, name) {
				return true
			}
		}
	}
	return false
}

// minNamed is the shortest title that is searched for in messages: a shorter one
// is part of other words.
const minNamed = 5

// findKnowing adds the answers that name the selected documents without citing
// them: those of an older program are not recorded in cites.
func (f *forgetting) findKnowing(ctx context.Context, tx *sql.Tx) error {
	return eachRow(ctx, tx, "SELECT uid, body FROM run", nil, func(row scanner) error {
		var uid, body string
		if err := row.Scan(&uid, &body); err != nil {
			return err
		}
		var a evidence.Answer
		if json.Unmarshal([]byte(body), &a) == nil && f.traces.known(a) {
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
		f.traces.scrub(&a)
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
	gone := newTraces()
	left := t.Used[:0:0]
	for _, id := range t.Used {
		was, err := wasForgotten(ctx, tx, id)
		if err != nil {
			return err
		}
		if !was {
			left = append(left, id)
			continue
		}
		gone.ids[id] = true
		for _, p := range t.Run.Evidence {
			if p.DocumentID == id {
				gone.add(id, evidence.Document{Title: p.Title, URL: p.URL}, p.Text)
			}
		}
	}
	if len(gone.ids) == 0 {
		return nil
	}
	clean := *t.Run
	clean.Evidence, clean.Topics, clean.Warnings, clean.Sources = slices.Clone(clean.Evidence), slices.Clone(clean.Topics), slices.Clone(clean.Warnings), slices.Clone(clean.Sources)
	gone.scrub(&clean)
	// What is not among the passages is known by its id alone: the statistics may have more of it.
	clean.Analysis.Keywords, clean.Analysis.TopDocuments = []evidence.TermCount{}, []evidence.TopDocument{}
	t.Run, t.Used = &clean, left
	return nil
}
