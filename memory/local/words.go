package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

const (
	wordsLayout = 3 // the first layout that has the table words
	// wordsAtOnce is how many chunks are made anew when the layout changes; it takes
	// about a second. The rest follows in the background.
	wordsAtOnce = 4000
	// wordsBatch is how many chunks are made anew in one transaction: writers wait
	// for it some hundredths of a second.
	wordsBatch = 100
	// wordsPause is the time between two transactions in the background, which
	// leaves others the write lock.
	wordsPause = 20 * time.Millisecond
)

// vocabulary is that of all backends, which this one can follow to a newer version.
type vocabulary struct{ *rank.Vocabulary }

func newVocabulary() *vocabulary { return &vocabulary{rank.NewVocabulary()} }

// rebuildWords makes the terms of documents anew that were put by an older program,
// beginning with the oldest, until at least limit chunks are done. Recalls find these
// documents meanwhile, but not by the forms of words that are new. done reports
// whether no document is left.
func (v *vocabulary) rebuildWords(ctx context.Context, tx *sql.Tx, limit int) (done bool, err error) {
	var version, upto, since int64
	if err := tx.QueryRowContext(ctx, "SELECT version, upto, since FROM words").Scan(&version, &upto, &since); err != nil {
		return false, err
	}
	if version < rank.WordsVersion {
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM doc").Scan(&since); err != nil {
			return false, err
		}
		upto = 0
	}
	for limit > 0 && upto < since {
		docs, err := int64s(ctx, tx, "SELECT id FROM doc WHERE id > ? AND id <= ? ORDER BY id LIMIT 1", upto, since)
		if err != nil {
			return false, err
		}
		if len(docs) == 0 {
			upto = since
			break
		}
		n, err := v.rebuildDocument(ctx, tx, docs[0])
		if err != nil {
			return false, err
		}
		upto, limit = docs[0], limit-max(n, 1)
	}
	_, err = tx.ExecContext(ctx, "UPDATE words SET version=?, upto=?, since=?", max(version, rank.WordsVersion), upto, since)
	return upto >= since, err
}

// rebuildDocument makes the terms of one document anew and returns how many chunks
// it has.
func (v *vocabulary) rebuildDocument(ctx context.Context, tx *sql.Tx, doc int64) (int, error) {
	var title, body string
	var published, turn sql.NullInt64
	err := tx.QueryRowContext(ctx, "SELECT d.title, d.published, d.turn, b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", doc).
		Scan(&title, &published, &turn, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil // it has no text: `memory check` reports it, and the others can still be read
	}
	if err != nil {
		return 0, fmt.Errorf("reading a document: %w", err)
	}
	type chunk struct {
		id          int64
		start, stop int
		terms       string
	}
	var chunks []chunk
	err = eachRow(ctx, tx, "SELECT id, start, stop, terms FROM chunk WHERE doc=? ORDER BY ord", []any{doc}, func(row scanner) error {
		var c chunk
		if err := row.Scan(&c.id, &c.start, &c.stop, &c.terms); err != nil {
			return err
		}
		if c.start < 0 || c.stop < c.start || c.stop > len(body) {
			return nil // `memory check` reports it
		}
		chunks = append(chunks, c)
		return nil
	})
	if err != nil {
		return 0, err
	}
	language := text.DetectLanguage(body)
	head := v.Document(intake.IndexedHead(title, fromMicros(published), turn.Valid), language)
	for _, c := range chunks {
		terms := strings.Join(append(head[:len(head):len(head)], v.Document(body[c.start:c.stop], language)...), " ")
		if terms == c.terms {
			continue
		}
		if err := replaceTerms(ctx, tx, c.id, c.terms, terms); err != nil {
			return 0, err
		}
	}
	return len(chunks), nil
}

// replaceTerms replaces the terms of a chunk, in its row and in the word index.
func replaceTerms(ctx context.Context, tx *sql.Tx, chunk int64, old, terms string) error {
	for _, q := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO fts(fts, rowid, terms) VALUES('delete', ?, ?)", []any{chunk, old}},
		{"UPDATE chunk SET terms=? WHERE id=?", []any{terms, chunk}},
		{"INSERT INTO fts(rowid, terms) VALUES(?, ?)", []any{chunk, terms}},
	} {
		if _, err := tx.ExecContext(ctx, q.text, q.args...); err != nil {
			return err
		}
	}
	return count(ctx, tx, tally{terms: len(strings.Fields(terms)) - len(strings.Fields(old))})
}

// wordsLeft reports whether documents have terms of an older version.
func (l *Local) wordsLeft(ctx context.Context) bool {
	var left bool
	err := l.rdb.QueryRowContext(ctx, "SELECT version < ? OR upto < since FROM words", rank.WordsVersion).Scan(&left)
	return err == nil && left
}

// finishWords makes the terms of all documents anew that need it, with a pause
// between two transactions.
func (l *Local) finishWords(ctx context.Context, pause time.Duration) error {
	if !l.wordsLeft(ctx) {
		return nil
	}
	for done := false; !done; {
		err := l.write(ctx, "making the word index anew", func(tx *sql.Tx) error {
			var err error
			done, err = l.voc.rebuildWords(ctx, tx, wordsBatch)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// followWords runs finishWords in the background until stop is called.
func (l *Local) followWords() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.finishWords(ctx, wordsPause); err != nil && ctx.Err() == nil {
			l.log.Warn("the word index is not finished; the next start continues", "err", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
