package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/memory"
)

// TestMoveManyToPostgres moves MOVE_CHUNKS chunks with vectors of 384 dimensions to PostgreSQL,
// where it is interrupted once, and back, and prints how long each tenth took.
func TestMoveManyToPostgres(t *testing.T) {
	chunks, err := strconv.Atoi(os.Getenv("MOVE_CHUNKS"))
	if err != nil {
		t.Skip("not run: MOVE_CHUNKS is not set")
	}
	database := newDatabase(t)
	from := t.TempDir()
	fill(t, from, chunks/chunksEach)
	open := func(dir string, settings map[string]string) *App {
		a := startWith(t, startWorld(t, world.Options{}), dir, settings, Options{})
		t.Cleanup(func() { _ = a.Close() })
		return a
	}
	a, half := open(from, nil), chunks/chunksEach/2
	ctx, stop := context.WithCancel(t.Context())
	timed(t, "to PostgreSQL, the first half", half, func(progress func(done, total int)) error {
		_, err := a.Move(ctx, database, func(done, total int) {
			progress(done, total)
			if done == half {
				stop()
			}
		})
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("an interrupted Move = %w", err)
		}
		return nil
	})
	move := func(name string, a *App, to string) {
		t.Helper()
		timed(t, name, chunks/chunksEach, func(progress func(done, total int)) error {
			r, err := a.Move(t.Context(), to, progress)
			t.Logf("%s: moved %d documents with %d chunks, %d with vectors; %d were there; compared: %d equal, %d missing", name, r.Moved.Documents, r.Moved.Chunks, r.Moved.Vectors,
				r.Moved.Skipped, r.Verified, r.Missing)
			if err == nil && (r.Missing > 0 || r.Verified != chunks/chunksEach) {
				err = fmt.Errorf("Move = %+v", r)
			}
			return err
		})
	}
	move("to PostgreSQL, the rest", a, database)
	b := open(t.TempDir(), map[string]string{"memory.backend": "postgres", "memory.url": database})
	back := t.TempDir()
	move("from PostgreSQL", b, back)
	if r, err := b.Library().Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
	c := open(back, nil)
	if r, err := c.Library().Check(t.Context()); err != nil || !r.OK || r.Vectors != chunks {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

const chunksEach = 20

// timed prints the time of each tenth of the documents.
func timed(t *testing.T, name string, documents int, fn func(progress func(done, total int)) error) {
	t.Helper()
	begun := time.Now()
	last := begun
	var tenths []string
	err := fn(func(done, _ int) {
		if done%(documents/10) == 0 {
			tenths = append(tenths, time.Since(last).Round(10*time.Millisecond).String())
			last = time.Now()
		}
	})
	t.Logf("%s: %s; each tenth of %d chunks: %s", name, time.Since(begun).Round(10*time.Millisecond), documents/10*chunksEach, strings.Join(tenths, " "))
	if err != nil {
		t.Fatal(err)
	}
}

// fill makes a local memory of documents with words by Zipf's law.
func fill(t *testing.T, dir string, documents int) {
	t.Helper()
	m, err := memory.Open(t.Context(), memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	model := evidence.Model{Name: "m", Revision: "1", Dims: 384, Kind: evidence.KindTransformer}
	random := rand.New(rand.NewPCG(1, 384)) //nolint:gosec // a seed
	words := rand.NewZipf(random, 1.07, 2, 200_000)
	for d := range documents {
		var b strings.Builder
		made := evidence.Chunks{Model: model}
		for range chunksEach {
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
		doc := evidence.Document{ID: fmt.Sprint("d", d), Source: "test", URL: fmt.Sprintf("https://x.test/%d", d), Title: fmt.Sprint("Text ", d), Text: b.String()}
		if _, err := m.Put(t.Context(), doc, made); err != nil {
			t.Fatal(err)
		}
	}
}
