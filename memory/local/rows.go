package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// docColumns are the columns that scanDoc reads, in its order; the table is
// named d.
const docColumns = `d.uid, d.source, d.url, d.title, d.language, d.license, d.revision, d.published, d.retrieved,
	d.score, d.untrusted, d.truncated, d.tags, d.meta`

type scanner interface{ Scan(dest ...any) error }

// scanDoc reads docColumns, which do not include the text, and further columns
// into more.
func scanDoc(row scanner, more ...any) (evidence.Document, error) {
	var d evidence.Document
	var published, retrieved sql.NullInt64
	var tags, meta string
	dest := []any{&d.ID, &d.Source, &d.URL, &d.Title, &d.Language, &d.License, &d.Revision, &published, &retrieved,
		&d.Score, &d.Untrusted, &d.Truncated, &tags, &meta}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return d, err
	}
	d.Published, d.Retrieved = fromMicros(published), fromMicros(retrieved)
	if err := json.Unmarshal([]byte(tags), &d.Tags); err != nil {
		return d, fmt.Errorf("reading the tags of %s: %w", d.ID, err)
	}
	if err := json.Unmarshal([]byte(meta), &d.Meta); err != nil {
		return d, fmt.Errorf("reading the metadata of %s: %w", d.ID, err)
	}
	if len(d.Tags) == 0 {
		d.Tags = nil
	}
	if len(d.Meta) == 0 {
		d.Meta = nil
	}
	return d, nil
}

// docValues returns the values for docInsert.
func docValues(e *entry) ([]any, error) {
	d := e.doc
	tags, err := json.Marshal(d.Tags)
	if err != nil {
		return nil, err
	}
	meta, err := json.Marshal(d.Meta)
	if err != nil {
		return nil, err
	}
	return []any{d.ID, d.Source, d.URL, d.Title, d.Language, d.License, d.Revision, micros(d.Published), micros(d.Retrieved),
		d.Score, d.Untrusted, d.Truncated, e.pinned, e.own, e.turn, e.hash, len(d.Text), string(tags), string(meta)}, nil
}

const docInsert = `uid, source, url, title, language, license, revision, published, retrieved,
	score, untrusted, truncated, pinned, own, turn, hash, bytes, tags, meta`

func insertDoc(ctx context.Context, tx *sql.Tx, e *entry) (int64, error) {
	values, err := docValues(e)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO doc("+docInsert+") VALUES("+placeholders(len(values))+")", values...)
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO body(doc, text) VALUES(?, ?)", id, e.doc.Text); err != nil {
		return 0, err
	}
	return id, count(ctx, tx, tally{documents: 1, bytes: len(e.doc.Text)})
}

// updateDoc replaces a document under its id. It stays pinned, and put outside
// of sessions, if it was.
func updateDoc(ctx context.Context, tx *sql.Tx, old storedDoc, e *entry) error {
	e.pinned, e.own = e.pinned || old.pinned, e.own || old.own
	if old.hash == e.hash {
		e.doc.Tags = union(old.tags, e.doc.Tags)
	}
	values, err := docValues(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE doc SET ("+docInsert+") = ("+placeholders(len(values))+") WHERE id=?", append(values, old.id)...)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE body SET text=? WHERE doc=?", e.doc.Text, old.id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM tag WHERE doc=?", old.id); err != nil {
		return err
	}
	return count(ctx, tx, tally{bytes: len(e.doc.Text) - old.bytes})
}

// attach links a document to its tags and session.
func attach(ctx context.Context, tx *sql.Tx, doc int64, e *entry) error {
	for _, t := range e.doc.Tags {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO tag(tag, doc) VALUES(?, ?)", t, doc); err != nil {
			return err
		}
	}
	if e.session == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO link(session, doc, put) VALUES(?, ?, 1) ON CONFLICT DO UPDATE SET put=1", e.session, doc)
	return err
}

func insertChunks(ctx context.Context, tx *sql.Tx, doc int64, cuts []chunkRow) (first int64, err error) {
	chunk, err := tx.PrepareContext(ctx, "INSERT INTO chunk(doc, ord, start, stop, simhash, terms) VALUES(?, ?, ?, ?, ?, ?)")
	if err != nil {
		return 0, err
	}
	defer chunk.Close()
	word, err := tx.PrepareContext(ctx, "INSERT INTO fts(rowid, terms) VALUES(?, ?)")
	if err != nil {
		return 0, err
	}
	defer word.Close()
	terms := 0
	for i, c := range cuts {
		res, err := chunk.ExecContext(ctx, doc, i, c.start, c.end, int64(c.simhash), c.terms) //nolint:gosec // bits, not a number
		if err != nil {
			return 0, err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return 0, err
		}
		if i == 0 {
			first = id
		} else if id != first+int64(i) {
			return 0, fmt.Errorf("chunk %d got id %d, want %d: the ids of a document must be contiguous", i, id, first+int64(i))
		}
		if _, err := word.ExecContext(ctx, id, c.terms); err != nil {
			return 0, err
		}
		terms += c.n
	}
	return first, count(ctx, tx, tally{chunks: len(cuts), terms: terms})
}

// removeChunks removes the chunks of documents, with their vectors, from all
// tables and from the word index. docs is a JSON array of row ids.
func removeChunks(ctx context.Context, tx *sql.Tx, docs string) error {
	const these = " WHERE doc IN (SELECT value FROM json_each(?))"
	if err := removeTellingCells(ctx, tx, docs); err != nil {
		return err
	}
	var chunks, terms int // terms are separated by single spaces
	err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(length(terms) - length(replace(terms, ' ', '')) + (terms <> '')), 0) FROM chunk"+these, docs).
		Scan(&chunks, &terms)
	if err != nil {
		return err
	}
	for _, q := range []string{
		"INSERT INTO fts(fts, rowid, terms) SELECT 'delete', id, terms FROM chunk" + these,
		"DELETE FROM vec" + these,
		"DELETE FROM cell" + these,
		"DELETE FROM chunk" + these,
	} {
		if _, err := tx.ExecContext(ctx, q, docs); err != nil {
			return err
		}
	}
	return count(ctx, tx, tally{chunks: -chunks, terms: -terms})
}

type tally struct{ documents, chunks, terms, bytes int }

func count(ctx context.Context, tx *sql.Tx, t tally) error {
	for _, c := range []struct {
		name string
		n    int
	}{{"documents", t.documents}, {"chunks", t.chunks}, {"terms", t.terms}, {"bytes", t.bytes}} {
		if c.n == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE tally SET n=n+? WHERE name=?", c.n, c.name); err != nil {
			return err
		}
	}
	return nil
}

func readTally(ctx context.Context, q rowsQuerier) (map[string]int64, error) {
	rows, err := q.QueryContext(ctx, "SELECT name, n FROM tally")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		out[name] = n
	}
	return out, rows.Err()
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// Document returns a stored document; see contract.Store.
func (l *Local) Document(ctx context.Context, id string) (evidence.Document, bool, error) {
	var d evidence.Document
	found := false
	err := l.read(ctx, "reading a document", func(tx *sql.Tx) error {
		var body string
		var err error
		d, err = scanDoc(tx.QueryRowContext(ctx, "SELECT "+docColumns+", b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.uid=?", id), &body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		d.Text, found = body, err == nil
		return err
	})
	if err != nil || !found {
		return evidence.Document{}, false, err
	}
	return d, true, nil
}
