package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// grams holds the table in use. Sampling a large memory takes longer than a
// recall may, so the background goroutine of the index does it.
type grams struct {
	mu    sync.Mutex
	table *rank.GramTable
	due   bool // a recall needed a newer one
}

// get returns the table, nil if there is none yet. due reports that refresh
// should be called. A small memory is sampled at once.
func (g *grams) get(ctx context.Context, tx *sql.Tx, chunks int64) (t *rank.GramTable, due bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	far := g.table.Far(chunks)
	if far < rank.StaleGrams {
		return g.table, false, nil
	}
	if far < rank.UselessGrams || chunks > smallMemory {
		g.due = true
		return g.table, true, nil
	}
	t, err = sampleGrams(ctx, tx, chunks)
	if err == nil {
		g.table = t
	}
	return t, false, err
}

// refresh takes a new sample if a recall needed one.
func (g *grams) refresh(ctx context.Context, db *sql.DB) error {
	g.mu.Lock()
	due := g.due
	g.due = false
	g.mu.Unlock()
	if !due {
		return nil
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	tally, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	t, err := sampleGrams(ctx, tx, tally["chunks"])
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table = t
	return nil
}

func sampleGrams(ctx context.Context, tx *sql.Tx, chunks int64) (*rank.GramTable, error) {
	sample, err := sampleChunks(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	if err := readSurfaces(ctx, tx, sample, false); err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	return rank.SampleGrams(chunks, func(yield func(string) bool) {
		for _, c := range sample {
			if !yield(c.Surface) {
				return
			}
		}
	}), nil
}

// sampleChunks returns chunks at even distances, at most rank.GramSample+1.
func sampleChunks(ctx context.Context, tx *sql.Tx) ([]rank.Candidate, error) {
	var lo, hi sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT (SELECT min(id) FROM chunk), (SELECT max(id) FROM chunk)").Scan(&lo, &hi); err != nil {
		return nil, err
	}
	step := max(1, (hi.Int64-lo.Int64+rank.GramSample)/rank.GramSample)
	ids := make([]int64, 0, rank.GramSample+1)
	for id := lo.Int64; id <= hi.Int64 && hi.Valid; id += step {
		ids = append(ids, id)
	}
	found, err := candidatesOf(ctx, tx, ids)
	if err != nil || 2*len(found) >= len(ids) {
		return found, err
	}
	// Too many were removed, and most of the sampled ids do not exist: sample
	// by row instead.
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM chunk").Scan(&n); err != nil {
		return nil, err
	}
	every := max(1, (n+rank.GramSample-1)/rank.GramSample)
	return readCandidates(ctx, tx, rank.GramSample+1, "c.id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM chunk) WHERE n % ? = 0)", every)
}

// span is the part of a document's text that candidates lie in.
type span struct{ start, stop int }

// readSurfaces reads the words of each candidate as written, after those of the
// title if titled is set. Each text is read once, and of it only the part from the first
// candidate to the last.
func readSurfaces(ctx context.Context, tx *sql.Tx, cands []rank.Candidate, titled bool) error {
	of, spans := map[int64][]int{}, make(map[int64]span, len(cands))
	docs := make([]int64, 0, len(cands))
	for i, c := range cands {
		s := span{max(c.Start, 0), c.Stop} // damaged data is recognized below
		if of[c.Doc] == nil {
			docs = append(docs, c.Doc)
		} else {
			s = span{min(s.start, spans[c.Doc].start), max(s.stop, spans[c.Doc].stop)}
		}
		of[c.Doc], spans[c.Doc] = append(of[c.Doc], i), s
	}
	wanted := make([][3]int64, 0, len(docs))
	for _, doc := range docs {
		s := spans[doc]
		wanted = append(wanted, [3]int64{doc, int64(s.start), int64(s.stop - s.start)})
	}
	list, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	return eachRow(ctx, tx, `SELECT d.id, d.title, octet_length(b.text), substr(CAST(b.text AS BLOB), 1 + (w.value->>1), w.value->>2)
		FROM json_each(?) w CROSS JOIN doc d ON d.id = w.value->>0 CROSS JOIN body b ON b.doc = d.id`, []any{string(list)}, func(row scanner) error {
		var doc int64
		var title string
		var size int
		var part sql.RawBytes
		if err := row.Scan(&doc, &title, &size, &part); err != nil {
			return err
		}
		for _, i := range of[doc] {
			c := &cands[i]
			if err := c.Within(size); err != nil {
				return err
			}
			words := part[c.Start-spans[doc].start:][:c.Stop-c.Start]
			if c.Surface = ""; titled {
				c.Surface = intake.TitleHead(title) + " "
			}
			c.Surface += string(words)
		}
		return nil
	})
}
