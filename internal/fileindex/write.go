package fileindex

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Entry is a file that is ready to be written.
type Entry struct {
	file  File
	parts []preparedPart
	words map[string]int
	bytes int
}

type preparedPart struct {
	text   string
	pieces []preparedPiece
}

type preparedPiece struct {
	start, stop int
	head        string
	terms       []string
}

// Prepare computes the terms of a file's text. It does not touch the index, so that
// several files can be prepared at once. It ends with ctx.
func Prepare(ctx context.Context, f File, parts []Part) (*Entry, error) {
	e := &Entry{file: f, words: map[string]int{}}
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		addWords(e.words, p.Text+"\n"+f.Names())
		language := text.DetectLanguage(p.Text)
		out := preparedPart{text: p.Text}
		for _, c := range p.Chunks {
			head := strings.Join(c.Heading, "\n")
			terms := append(text.IndexTerms(joined(f.Names(), head), language), text.IndexTerms(c.Text, language)...)
			for i, t := range terms {
				terms[i] = indexTerm(t)
			}
			out.pieces = append(out.pieces, preparedPiece{start: c.Start, stop: c.End, head: head, terms: terms})
		}
		e.bytes += len(p.Text)
		e.parts = append(e.parts, out)
	}
	return e, nil
}

// Bytes is the size of the entry's text.
func (e *Entry) Bytes() int { return e.bytes }

// LeftOut is the entry of a file that the index has no room for: it has no text.
func (e *Entry) LeftOut() *Entry {
	f := e.file
	f.LeftOut = int64(e.bytes)
	return &Entry{file: f}
}

// joined are the names of a file and the headings above a piece of it.
func joined(names, headings string) string {
	if headings == "" {
		return names
	}
	return names + "\n" + headings
}

// maxTerm limits the bytes of a term: a longer one is data, not a word.
const maxTerm = 64

// termSigns replaces what the tokenizer of FTS5 takes for a space.
var termSigns = strings.NewReplacer("'", "\u2019", "+", "\u207a", "#", "\u266f")

// indexTerm makes s one token of the tokenizer of FTS5.
func indexTerm(s string) string {
	s, _ = text.Cut(s, maxTerm)
	return termSigns.Replace(s)
}

// Change is what Apply writes. A path occurs once in it.
type Change struct {
	Put     []*Entry // new, or in the place of what the index has of the file
	Touched []File   // the content is what the index has: only size and time are new
	Removed []string // paths
}

// Apply writes a change in one transaction. It writes nothing to an index that another
// version has emptied since it was opened: the error is ErrVersion.
func (x *Index) Apply(ctx context.Context, c Change) error {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, "writing to the index", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err = x.sameVersion(ctx, tx); err == nil {
		err = apply(ctx, tx, c)
	}
	if err != nil {
		return failed(ctx, "writing to the index", err)
	}
	return failed(ctx, "writing to the index", tx.Commit())
}

// sameVersion returns ErrVersion if the index has become that of another version.
func (x *Index) sameVersion(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) error {
	var stored string
	if err := from.QueryRowContext(ctx, "SELECT version FROM about").Scan(&stored); err != nil {
		return missing(err)
	}
	if stored != x.version {
		return ErrVersion
	}
	return nil
}

func apply(ctx context.Context, tx *sql.Tx, c Change) error {
	for _, path := range c.Removed {
		if err := removeFile(ctx, tx, path); err != nil {
			return err
		}
	}
	for _, f := range c.Touched {
		if _, err := tx.ExecContext(ctx, "UPDATE file SET size=?, modified=? WHERE path=?", f.Size, f.Modified.UnixNano(), f.Path); err != nil {
			return err
		}
	}
	if len(c.Put) == 0 {
		return nil
	}
	return put(ctx, tx, c.Put)
}

// removeFile removes what the index has of a file, but for its words.
func removeFile(ctx context.Context, tx *sql.Tx, path string) error {
	var id int64
	err := tx.QueryRowContext(ctx, "SELECT id FROM file WHERE path=?", path).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	const pieces = " FROM piece WHERE part IN (SELECT id FROM part WHERE file=?)"
	for _, q := range []string{
		"UPDATE tally SET (pieces, terms) = (SELECT tally.pieces - count(*), tally.terms - coalesce(sum(piece.terms), 0)" + pieces + ")",
		"DELETE FROM fts WHERE rowid IN (SELECT id" + pieces + ")",
		"DELETE FROM file WHERE id=?",
	} {
		if _, err := tx.ExecContext(ctx, q, id); err != nil {
			return err
		}
	}
	return nil
}

// inserts are the statements of a transaction that add files.
type inserts struct {
	tx                *sql.Tx
	file, part, piece *sql.Stmt
	words             [][2]any // ids of pieces and their terms
}

// put replaces what the index has of the entries' files.
func put(ctx context.Context, tx *sql.Tx, entries []*Entry) error {
	file, err := tx.PrepareContext(ctx, `INSERT INTO file(path, size, modified, hash, title, language, published, truncated, warning, failed, left_out, bytes, parts)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer file.Close()
	part, err := tx.PrepareContext(ctx, "INSERT INTO part(file, number, text) VALUES(?, ?, ?)")
	if err != nil {
		return err
	}
	defer part.Close()
	piece, err := tx.PrepareContext(ctx, "INSERT INTO piece(part, start, stop, head, terms) VALUES(?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer piece.Close()
	into := &inserts{tx: tx, file: file, part: part, piece: piece}
	words := map[string]int{}
	for _, e := range entries {
		if err := removeFile(ctx, tx, e.file.Path); err != nil {
			return err
		}
		if err := into.insert(ctx, e); err != nil {
			return err
		}
		for w, n := range e.words {
			words[w] += n
		}
	}
	if err := into.insertWords(ctx); err != nil {
		return err
	}
	return countWords(ctx, tx, words)
}

// insertWords writes the terms in one statement: FTS5 makes a segment for each.
func (in *inserts) insertWords(ctx context.Context) error {
	if len(in.words) == 0 {
		return nil
	}
	all, err := json.Marshal(in.words)
	if err != nil {
		return err
	}
	_, err = in.tx.ExecContext(ctx, "INSERT INTO fts(rowid, terms) SELECT value->>0, value->>1 FROM json_each(?)", string(all))
	return err
}

func (in *inserts) insert(ctx context.Context, e *Entry) error {
	f := e.file
	hash := f.Hash
	if hash == nil {
		hash = []byte{}
	}
	published := sql.NullInt64{Int64: f.Published.UnixNano(), Valid: !f.Published.IsZero()}
	file, err := newRow(ctx, in.file, f.Path, f.Size, f.Modified.UnixNano(), hash, f.Title, f.Language, published, f.Truncated, f.Warning, f.Failed, f.LeftOut, e.bytes, len(e.parts))
	if err != nil {
		return err
	}
	pieces, terms := 0, 0
	for i, p := range e.parts {
		part, err := newRow(ctx, in.part, file, i+1, []byte(p.text))
		if err != nil {
			return err
		}
		for _, c := range p.pieces {
			id, err := newRow(ctx, in.piece, part, c.start, c.stop, c.head, len(c.terms))
			if err != nil {
				return err
			}
			in.words = append(in.words, [2]any{id, strings.Join(c.terms, " ")})
			pieces++
			terms += len(c.terms)
		}
	}
	_, err = in.tx.ExecContext(ctx, "UPDATE tally SET pieces = pieces + ?, terms = terms + ?", pieces, terms)
	return err
}

func newRow(ctx context.Context, stmt *sql.Stmt, args ...any) (int64, error) {
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// fromNano is the time of a column.
func fromNano(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}
