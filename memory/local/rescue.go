package local

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

const (
	// maxProbed bounds how many row ids of a damaged table are tried one by one.
	maxProbed = 5_000_000
	// maxNamed is how many records that are left out are named; the others are counted.
	maxNamed = 200
)

// rowIDs returns the ids of a table in ascending order. Where a scan meets damage
// it goes on from the other end, and ids in between are tried one by one.
func rowIDs(ctx context.Context, tx *sql.Tx, table string) (ids []int64, whole bool, err error) {
	up, failed := scanIDs(ctx, tx, "SELECT id FROM "+table+" ORDER BY id")
	if failed == nil || ctx.Err() != nil {
		return up, true, ctx.Err()
	}
	down, _ := scanIDs(ctx, tx, "SELECT id FROM "+table+" ORDER BY id DESC")
	slices.Reverse(down)
	from, to := int64(0), highestID(ctx, tx, table)
	if len(up) > 0 {
		from = up[len(up)-1]
	}
	if len(down) > 0 {
		to = down[0] - 1
	}
	found, err := tx.PrepareContext(ctx, "SELECT id FROM "+table+" WHERE id=?")
	if err != nil {
		return append(up, down...), false, ctx.Err()
	}
	defer found.Close()
	for id := from + 1; id <= min(to, from+maxProbed); id++ {
		var got int64
		if found.QueryRowContext(ctx, id).Scan(&got) == nil && got == id {
			up = append(up, id)
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
	all := append(up, down...) //nolint:gocritic // up is not used again
	slices.Sort(all)
	return slices.Compact(all), false, nil
}

// scanIDs returns the ids before the first error, and that error.
func scanIDs(ctx context.Context, tx *sql.Tx, query string) (ids []int64, err error) {
	err = eachRow(ctx, tx, query, nil, func(row scanner) error {
		var id int64
		err := row.Scan(&id)
		if err == nil {
			ids = append(ids, id)
		}
		return err
	})
	return ids, err
}

// highestID returns the highest id that the table ever had, from whichever place
// can still be read.
func highestID(ctx context.Context, tx *sql.Tx, table string) int64 {
	highest := int64(0)
	for _, query := range []string{
		"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='" + table + "'",
		"SELECT coalesce(max(id), 0) FROM " + table,
		"SELECT coalesce(max(doc), 0) FROM body", // of documents; too high does no harm
	} {
		var n int64
		if tx.QueryRowContext(ctx, query).Scan(&n) == nil {
			highest = max(highest, n)
		}
	}
	return highest
}

// leaveOut records that something cannot be exported.
func (x *exporter) leaveOut(what string, err error) {
	x.moved.Failed++
	x.warn(fmt.Sprintf("left out: %s cannot be read (%v)", what, err))
}

func (x *exporter) warn(s string) {
	switch len(x.moved.Warnings) {
	case maxNamed:
		x.moved.Warnings = append(x.moved.Warnings, "there are more warnings than these")
	case maxNamed + 1:
	default:
		x.moved.Warnings = append(x.moved.Warnings, s)
	}
}

// withTexts adds to ids those of the texts whose documents cannot be found.
func (x *exporter) withTexts(ctx context.Context, ids []int64) []int64 {
	texts, _ := scanIDs(ctx, x.tx, "SELECT doc FROM body ORDER BY doc")
	down, _ := scanIDs(ctx, x.tx, "SELECT doc FROM body ORDER BY doc DESC")
	all := slices.Concat(ids, texts, down)
	slices.Sort(all)
	return slices.Compact(all)
}

// rescueDocument reads a document whose row or chunks are damaged: the columns
// that can be read, one by one. Without its text there is nothing to rescue.
func (x *exporter) rescueDocument(ctx context.Context, id int64) (*transfer.DocumentLine, error) {
	d := &transfer.DocumentLine{Chunks: [][2]int{}}
	if err := x.tx.QueryRowContext(ctx, "SELECT text FROM body WHERE doc=?", id).Scan(&d.Text); err != nil {
		return nil, err
	}
	d.Text = intake.SameLength(d.Text)
	for column, to := range map[string]any{"uid": &d.ID, "source": &d.Source, "url": &d.URL, "title": &d.Title, "language": &d.Language, "license": &d.License,
		"revision": &d.Revision, "own": &d.Own, "pinned": &d.Pinned, "hash": &d.Hash} {
		_ = x.tx.QueryRowContext(ctx, "SELECT "+column+" FROM doc WHERE id=?", id).Scan(to) // what cannot be read stays empty
	}
	if d.ID == "" {
		d.Source, d.Title = "rescued", fmt.Sprintf("Rescued text %d", id)
		d.ID = evidence.DocumentID(d.Source, "", d.Text)
	}
	d.Retrieved = x.now
	_ = x.chunks(ctx, id, d) // without them, the import makes one of the whole text
	return d, ctx.Err()
}

func cause(err error) error {
	if err == nil {
		return errUnreadable
	}
	return err
}
