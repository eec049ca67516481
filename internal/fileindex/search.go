package fileindex

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/research-mcp/research-mcp/internal/text"
)

// FoundPart is a part of a file that a search found.
type FoundPart struct {
	File   File // without its hash
	Number int  // from 1
	Of     int  // the file's parts
	Text   string
}

// Match is a piece of a part that matches a search.
type Match struct {
	Part  *FoundPart // shared by the matches in it
	Start int        // of Text in the part's
	Head  string     // the file's names and the headings above the piece, one a line
	Text  string
	Score float64 // BM25
}

// maxPostings limits the occurrences of terms that one search reads. Terms are used
// from the rarest on until it is spent: the most common ones would cost most and
// contribute least.
const maxPostings = 150_000

// Search returns the pieces that match the terms best by BM25, best first, at most
// limit. The terms are as of text.IndexTerms.
func (x *Index) Search(ctx context.Context, terms []string, limit int) ([]Match, error) {
	tx, err := x.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, failed(ctx, "searching the index", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	scores, err := score(ctx, tx, terms)
	if err != nil {
		return nil, failed(ctx, "searching the index", err)
	}
	out, err := load(ctx, tx, best(scores, limit))
	return out, failed(ctx, "searching the index", cmp.Or(err, ctx.Err()))
}

// frequency is how many pieces have a term.
type frequency struct {
	term           string
	pieces, places int64
}

// score returns the BM25 of all pieces that have one of the terms.
func score(ctx context.Context, tx *sql.Tx, terms []string) (map[int64]float64, error) {
	var pieces, total int64
	if err := tx.QueryRowContext(ctx, "SELECT pieces, terms FROM tally").Scan(&pieces, &total); err != nil {
		return nil, missing(err)
	}
	used, err := frequencies(ctx, tx, terms)
	if err != nil {
		return nil, err
	}
	counts := &occurrences{terms: len(used), row: map[int64]int{}}
	spent := int64(0)
	for i, f := range used {
		if spent += f.places; i > 0 && spent > maxPostings {
			break
		}
		if err := eachPosting(ctx, tx, f.term, func(id int64) { counts.add(id, i) }); err != nil {
			return nil, err
		}
	}
	mean := float64(max(total, 1)) / float64(max(pieces, 1))
	out := make(map[int64]float64, len(counts.row))
	err = eachLength(ctx, tx, counts.row, func(id int64, length float64) {
		norm := text.BM25K1 * (1 - text.BM25B + text.BM25B*length/mean)
		for i, n := range counts.of(id) {
			if tf := float64(n); n > 0 {
				df := float64(used[i].pieces)
				out[id] += math.Log(1+(float64(pieces)-df+0.5)/(df+0.5)) * tf * (text.BM25K1 + 1) / (tf + norm)
			}
		}
	})
	return out, err
}

// occurrences is how often each piece has each term.
type occurrences struct {
	terms  int
	row    map[int64]int // by piece
	counts []uint16      // terms for each row
}

func (o *occurrences) add(piece int64, term int) {
	row, ok := o.row[piece]
	if !ok {
		row = len(o.row)
		o.row[piece] = row
		o.counts = append(o.counts, make([]uint16, o.terms)...)
	}
	if at := row*o.terms + term; o.counts[at] < math.MaxUint16 {
		o.counts[at]++
	}
}

func (o *occurrences) of(piece int64) []uint16 {
	row := o.row[piece]
	return o.counts[row*o.terms : (row+1)*o.terms]
}

// maxUsed limits the terms of one search, which has a count for each term and piece. A
// question that a person asks has fewer.
const maxUsed = 48

// frequencies returns those of the terms that occur, the rarest first, at most maxUsed.
func frequencies(ctx context.Context, tx *sql.Tx, terms []string) ([]frequency, error) {
	var out []frequency
	for _, t := range terms {
		f := frequency{term: indexTerm(t)}
		err := tx.QueryRowContext(ctx, "SELECT doc, cnt FROM term WHERE term=?", f.term).Scan(&f.pieces, &f.places)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		if f.pieces > 0 && !slices.ContainsFunc(out, func(o frequency) bool { return o.term == f.term }) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b frequency) int { return cmp.Compare(a.places, b.places) })
	return out[:min(len(out), maxUsed)], nil
}

// eachPosting calls yield with the id of a piece for each occurrence of the term.
func eachPosting(ctx context.Context, tx *sql.Tx, term string, yield func(id int64)) error {
	rows, err := tx.QueryContext(ctx, "SELECT doc FROM posting WHERE term=?", term)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id int64
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return err
		}
		yield(id)
	}
	return rows.Err()
}

// eachLength calls yield with the number of terms of each piece.
func eachLength(ctx context.Context, tx *sql.Tx, ids map[int64]int, yield func(id int64, length float64)) error {
	all := make([]int64, 0, len(ids))
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	list, err := json.Marshal(all)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, terms FROM piece WHERE id IN (SELECT value FROM json_each(?))", string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, length int64
		if err := rows.Scan(&id, &length); err != nil {
			return err
		}
		yield(id, float64(length))
	}
	return rows.Err()
}

type scored struct {
	id    int64
	score float64
}

// best returns the n best pieces, best first, and the first read of equal ones.
func best(scores map[int64]float64, n int) []scored {
	all := make([]scored, 0, len(scores))
	for id, s := range scores {
		all = append(all, scored{id, s})
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
	return all[:min(n, len(all))]
}

// load reads the pieces and their parts.
func load(ctx context.Context, tx *sql.Tx, pieces []scored) ([]Match, error) {
	parts := map[int64]*FoundPart{}
	out := make([]Match, 0, len(pieces))
	for _, s := range pieces {
		m := Match{Score: s.score}
		var part int64
		var stop int
		var head string
		err := tx.QueryRowContext(ctx, "SELECT part, start, stop, head FROM piece WHERE id=?", s.id).Scan(&part, &m.Start, &stop, &head)
		if err != nil {
			return nil, missing(err)
		}
		if m.Part = parts[part]; m.Part == nil {
			if m.Part, err = loadPart(ctx, tx, part); err != nil {
				return nil, err
			}
			parts[part] = m.Part
		}
		if m.Start < 0 || stop < m.Start || stop > len(m.Part.Text) {
			return nil, fmt.Errorf("%w: piece %d goes from byte %d to %d of a text of %d", errInconsistent, s.id, m.Start, stop, len(m.Part.Text))
		}
		m.Head, m.Text = joined(m.Part.File.Names(), head), m.Part.Text[m.Start:stop]
		out = append(out, m)
	}
	return out, nil
}

func loadPart(ctx context.Context, tx *sql.Tx, id int64) (*FoundPart, error) {
	p := &FoundPart{}
	f := &p.File
	var body []byte
	var modified int64
	var published sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT p.number, p.text, f.parts, f.path, f.size, f.modified, f.title, f.language, f.published, f.truncated, f.warning
		FROM part p JOIN file f ON f.id = p.file WHERE p.id=?`, id).
		Scan(&p.Number, &body, &p.Of, &f.Path, &f.Size, &modified, &f.Title, &f.Language, &published, &f.Truncated, &f.Warning)
	if err != nil {
		return nil, missing(err)
	}
	p.Text, f.Modified, f.Published = string(body), fromNano(sql.NullInt64{Int64: modified, Valid: true}), fromNano(published)
	return p, nil
}
