package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// TestBytesPerChunk prints what SCALING_CHUNKS passages of 384 dimensions take in each
// table and index: the figures of docs/scaling.md. Words are drawn by Zipf's law, 60 to 120
// in a passage, 20 passages in a document.
func TestBytesPerChunk(t *testing.T) {
	chunks, err := strconv.Atoi(os.Getenv("SCALING_CHUNKS"))
	if err != nil {
		t.Skip("not run: SCALING_CHUNKS is not set")
	}
	m := open(t)
	model := evidence.Model{Name: "m", Revision: "1", Dims: 384, Kind: evidence.KindTransformer}
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(4)
	const each = 20
	for d := range chunks / each {
		g.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(d), 384)) //nolint:gosec // a seed
			words := rand.NewZipf(random, 1.07, 2, 200_000)
			var b strings.Builder
			made := evidence.Chunks{Model: model}
			for range each {
				start := b.Len()
				for range 60 + random.IntN(61) {
					fmt.Fprintf(&b, "w%s ", strconv.FormatUint(words.Uint64(), 26))
				}
				v := make([]float32, model.Dims)
				for i := range v {
					v[i] = float32(random.NormFloat64())
				}
				made.Items = append(made.Items, evidence.Chunk{Start: start, End: b.Len(), Vector: v})
				b.WriteString("\n\n")
			}
			_, err := m.Put(ctx, textDoc(d, b.String()), made)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.pool.Exec(context.Background(), "vacuum analyze"); err != nil {
		t.Fatal(err)
	}
	const sizes = `select c.relname || case c.relkind when 'i' then ' (index)' else '' end,
		case c.relkind when 'i' then pg_relation_size(c.oid) else pg_table_size(c.oid) end
		from pg_class c where relnamespace = quote_ident(current_schema())::regnamespace and relkind in ('r', 'i') order by 2 desc limit 14`
	var total int64
	err = eachRow(t.Context(), m.pool, func(row pgx.Row) error {
		var name string
		var size int64
		err := row.Scan(&name, &size)
		total += size
		t.Logf("%8.0f bytes a chunk  %s", float64(size)/float64(chunks), name)
		return err
	}, sizes)
	if err != nil {
		t.Fatal(err)
	}
	var text int64
	if err := m.pool.QueryRow(t.Context(), "select sum(bytes) from doc").Scan(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("%8.0f bytes a chunk  in all, of which the text itself is %.0f", float64(total)/float64(chunks), float64(text)/float64(chunks))
}
