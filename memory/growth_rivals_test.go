package memory_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/philippgille/chromem-go"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func growthChromem(t *testing.T, dir string, _ int) growth {
	none := func(context.Context, string) ([]float32, error) { return nil, errors.New("vectors only") }
	col, err := chromem.NewDB().CreateCollection("plain", nil, none)
	if err != nil {
		t.Fatal(err)
	}
	at, id := time.Now(), 0
	query(t, filepath.Join(dir, "memory.db"), "SELECT v FROM vec", func(rows *sql.Rows) error {
		var blob sql.RawBytes
		if err := rows.Scan(&blob); err != nil {
			return err
		}
		for ; len(blob) > 0; blob = blob[4*memorytest.CorpusDims:] {
			v := make([]float32, memorytest.CorpusDims)
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(blob[4*i:]))
			}
			id++
			if err := col.AddDocument(t.Context(), chromem.Document{ID: strconv.Itoa(id), Embedding: v}); err != nil {
				return err
			}
		}
		return nil
	})
	ready := time.Since(at)
	g := recalls(t, func(c *memorytest.Corpus) error {
		_, err := col.QueryEmbedding(t.Context(), c.Query(evidence.ModeVector).Vector, 10, nil, nil)
		return err
	})
	g.First, g.Ready = ready.Seconds()*1000+g.P50, ready.Seconds()*1000
	return g
}

func growthFTS(t *testing.T, dir string, n int) growth {
	path := filepath.Join(dir, "fts.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("CREATE VIRTUAL TABLE words USING fts5(text)"); err != nil {
		t.Fatal(err)
	}
	c := memorytest.NewCorpus(1)
	for i := range n / memorytest.CorpusChunks {
		d, chunks := c.Document(i)
		for _, ch := range chunks.Items {
			if _, err := tx.Exec("INSERT INTO words(text) VALUES(?)", d.Text[ch.Start:ch.End]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	g := recalls(t, func(c *memorytest.Corpus) error {
		match := strings.Join(strings.Fields(c.Query(evidence.ModeBM25).Text), " OR ")
		rows, err := db.Query("SELECT rowid, text FROM words WHERE words MATCH ? ORDER BY rank LIMIT 10", match)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var s string
			if err := rows.Scan(&id, &s); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	g.Disk = float64(info.Size()) / (1 << 20)
	return g
}
