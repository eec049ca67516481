package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// So many words in a row are a quote, not chance; a whole sentence may be shorter.
	quoteWords    = 8
	shortestQuote = 5
	// maxPhrases are held at once; the conversations are searched once for each lot.
	maxPhrases = 400_000
)

var phraseSeed = maphash.MakeSeed() // one for the process: it is never stored

// phrases are the sentences of what is forgotten, as hashes of their words.
type phrases map[uint64]struct{}

func (p phrases) add(s string) {
	for _, sp := range text.Sentences(s) {
		w := words(s[sp.Start:sp.End])
		if len(w) < quoteWords {
			if len(w) >= shortestQuote {
				p[hashWords(w)] = struct{}{}
			}
			continue
		}
		for i := 0; i+quoteWords <= len(w); i++ {
			p[hashWords(w[i:i+quoteWords])] = struct{}{}
		}
	}
}

// in reports whether s quotes any of them.
func (p phrases) in(s string) bool {
	if len(p) == 0 {
		return false
	}
	w := words(s)
	for i := range w {
		for n := shortestQuote; n <= quoteWords && i+n <= len(w); n++ {
			if _, ok := p[hashWords(w[i:i+n])]; ok {
				return true
			}
		}
	}
	return false
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

func hashWords(w []string) uint64 {
	var h maphash.Hash
	h.SetSeed(phraseSeed)
	for _, s := range w {
		_, _ = h.WriteString(s) // never fails
		_ = h.WriteByte(' ')
	}
	return h.Sum64()
}

// removeRun takes an answer out of its session.
func (f *forgetting) removeRun(ctx context.Context, tx *sql.Tx, run string) error {
	var session int64
	var body string
	if err := tx.QueryRowContext(ctx, "DELETE FROM run WHERE uid=? RETURNING session, body", run).Scan(&session, &body); err != nil {
		return fmt.Errorf("removing run %s: %w", run, err)
	}
	f.left.add(body)
	f.runs++
	f.sessions[session] = true
	texts, err := stringsOf(ctx, tx, "SELECT text FROM turn WHERE run=?", run)
	if err != nil {
		return err
	}
	for _, t := range texts {
		f.left.add(t)
	}
	_, err = tx.ExecContext(ctx, "UPDATE turn SET text=?, run=NULL WHERE run=?", forgotten, run)
	return err
}

// removeQuotes looks through all conversations for what the removed documents
// say, cited or not.
func (f *forgetting) removeQuotes(ctx context.Context, tx *sql.Tx) error {
	if len(f.phrases) == 0 {
		return nil
	}
	runs, err := f.quoting(ctx, tx, "SELECT uid, 0, body FROM run", func(body string) string {
		var a evidence.Answer
		if json.Unmarshal([]byte(body), &a) != nil {
			return body
		}
		return answerText(a)
	})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := f.removeRun(ctx, tx, r.key); err != nil {
			return err
		}
	}
	same := func(s string) string { return s }
	turns, err := f.quoting(ctx, tx, "SELECT session, seq, text FROM turn", same)
	if err != nil {
		return err
	}
	for _, t := range turns {
		f.left.add(t.text)
		f.turns++
		if _, err := tx.ExecContext(ctx, "UPDATE turn SET text=? WHERE session=? AND seq=?", forgotten, t.key, t.seq); err != nil {
			return err
		}
		if err := f.mark(ctx, tx, "SELECT id FROM session WHERE id=?", t.key); err != nil {
			return err
		}
	}
	sessions, err := f.quoting(ctx, tx, "SELECT uid, 0, title || char(10) || summary FROM session", same)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if err := f.mark(ctx, tx, "SELECT id FROM session WHERE uid=?", s.key); err != nil {
			return err
		}
	}
	return nil
}

func (f *forgetting) mark(ctx context.Context, tx *sql.Tx, query, key string) error {
	var id int64
	if err := tx.QueryRowContext(ctx, query, key).Scan(&id); err != nil {
		return err
	}
	f.sessions[id] = true
	return nil
}

// answerText is everything in an answer that may quote.
func answerText(a evidence.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", a.Question, a.Answer)
	for _, c := range a.Claims {
		fmt.Fprintf(&b, "%s\n%s\n", c.Text, c.Why)
	}
	for _, c := range a.Citations {
		fmt.Fprintf(&b, "%s\n", c.Quote)
	}
	return b.String()
}

type quoter struct {
	key  string
	seq  int64
	text string
}

// quoting are the rows of key, seq and text whose text quotes a phrase.
func (f *forgetting) quoting(ctx context.Context, tx *sql.Tx, query string, plain func(string) string) ([]quoter, error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []quoter
	for rows.Next() {
		var q quoter
		if err := rows.Scan(&q.key, &q.seq, &q.text); err != nil {
			return nil, err
		}
		if f.phrases.in(plain(q.text)) {
			out = append(out, q)
		}
	}
	return out, rows.Err()
}

// resetSummaries undoes the folding of the sessions that held something. A
// number at or below zero means that nothing is folded; each time another one is
// taken, so that a summary that is being written right now comes too late.
func (f *forgetting) resetSummaries(ctx context.Context, tx *sql.Tx) error {
	for id := range f.sessions {
		texts, err := stringsOf(ctx, tx, "SELECT summary FROM session WHERE id=?1 UNION ALL SELECT title FROM session WHERE id=?1", id)
		if err != nil {
			return err
		}
		for _, s := range texts {
			f.left.add(s)
		}
		if len(texts) < 2 { // the session went as a whole
			continue
		}
		title := texts[1]
		if f.phrases.in(title) {
			title = ""
		}
		if _, err := tx.ExecContext(ctx, "UPDATE session SET summary='', summary_to=min(0, summary_to)-1, title=? WHERE id=?", title, id); err != nil {
			return err
		}
	}
	return nil
}
