package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// ownerOf opens the memory of nobody in particular, as the owner of the tables.
func ownerOf(t *testing.T, schema string) *Memory {
	t.Helper()
	m, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public", "pool_max_conns", "4")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// untilRemoved calls write until the tenant was removed, and reports any other error. What
// has nothing to write then has none.
func untilRemoved(t *testing.T, name string, removed *atomic.Bool, write func(i int) error) {
	t.Helper()
	for i := 0; ; i++ {
		last := removed.Load()
		err := write(i)
		if err == nil && last {
			return
		}
		if err == nil {
			continue
		}
		if p := (*evidence.Problem)(nil); !errors.As(err, &p) || !strings.Contains(p.What, "was removed") {
			t.Errorf("%s = %v", name, err)
		}
		return
	}
}

// Whatever others write meanwhile, no row and no table of a removed tenant is left.
func TestRemoveTenantAmongWriters(t *testing.T) {
	t.Parallel()
	blue, red, schema := tenants(t)
	unit := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = []float32{1, 0}
		}
		return out, nil
	}
	model := func(i int) evidence.Model {
		return evidence.Model{Name: fmt.Sprint("m", i), Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
	}
	var export bytes.Buffer
	if _, err := red.Export(t.Context(), &export, contract.ExportOptions{Vectors: true}); err != nil {
		t.Fatal(err)
	}
	url, err := serverRole(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	bus := busAt(t, url)
	before := rowsOf(t, admin(t), schema, "red")
	var writers sync.WaitGroup
	var begun sync.WaitGroup
	var removed atomic.Bool
	for name, write := range map[string]func(i int) error{
		"Put": func(i int) error {
			doc := textDoc(i%50, fmt.Sprintf("Ledger %d of blue.", i))
			_, err := blue.Put(t.Context(), doc, evidence.Chunks{Model: model(i % 3), Items: []evidence.Chunk{{Start: 0, End: len(doc.Text), Vector: []float32{1, 0}}}})
			return err
		},
		"Append": func(i int) error {
			run := evidence.Answer{Answer: "a", Question: "q", RunID: fmt.Sprint("r_", i)}
			return blue.Append(t.Context(), fmt.Sprint("s_", i%5), evidence.Turn{Role: evidence.RoleUser, Text: "q"}, evidence.Turn{Role: evidence.RoleAssistant, Text: "a", Run: &run, Used: []string{"d1"}})
		},
		"ClaimRun": func(i int) error {
			_, err := blue.ClaimRun(t.Context(), contract.ClaimedRun{ID: fmt.Sprint("c_", i), Begun: time.Now(), Request: []byte("{}")})
			return err
		},
		"FillVectors": func(i int) error {
			_, err := blue.FillVectors(t.Context(), model(3+i%3), unit, nil)
			return err
		},
		"Import": func(int) error {
			_, err := blue.Import(t.Context(), bytes.NewReader(export.Bytes()), contract.ImportOptions{Strict: true})
			return err
		},
		"Forget": func(i int) error {
			_, err := blue.Forget(t.Context(), contract.Selector{IDs: []string{fmt.Sprint("d", i%50)}, Confirm: true})
			return err
		},
		"Pass": func(i int) error {
			return bus.Pass(t.Context(), contract.Box{Tenant: "blue", Owner: "ada", Session: fmt.Sprint(i % 5)}, []byte("{}"))
		},
		"Retain": func(int) error {
			_, err := blue.Retain(t.Context())
			return err
		},
	} {
		begun.Add(1)
		var once sync.Once
		writers.Go(func() {
			defer once.Do(begun.Done)
			// A call that finds new work as long as the others write, as FillVectors, may not end.
			defer time.AfterFunc(5*time.Second, func() { once.Do(begun.Done) }).Stop()
			untilRemoved(t, name, &removed, func(i int) error {
				err := write(i)
				if err != nil || i > 3 {
					once.Do(begun.Done)
				}
				return err
			})
		})
	}
	begun.Wait()
	rows, found, err := ownerOf(t, schema).RemoveTenant(t.Context(), "blue")
	if err != nil || !found || rows < 8 {
		t.Errorf("RemoveTenant = %d, %v, %v", rows, found, err)
	}
	removed.Store(true)
	writers.Wait()
	conn := admin(t)
	if left := rowsOf(t, conn, schema, "blue"); len(left) > 0 {
		t.Errorf("left of blue: %v", left)
	}
	if after := rowsOf(t, conn, schema, "red"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("red has %v, had %v", after, before)
	}
	var tables, models int
	if err := conn.QueryRow(t.Context(), "select (select count(*) from pg_class where relnamespace = $1::regnamespace and relname ~ '^vec_[0-9]+$'), (select count(*) from "+schema+".model)", schema).Scan(&tables, &models); err != nil || tables != 1 || models != 1 {
		t.Errorf("%d tables of vectors of %d models are left, %v, want that of red", tables, models, err)
	}
}

// A removal does not wait for who reads all passages, an export of another tenant, nor that
// one for the removal.
func TestRemoveTenantWhileOthersRead(t *testing.T) {
	t.Parallel()
	_, red, schema := tenants(t)
	held(t, schema, "select doc from passage")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // where it waits, for ever
	defer cancel()
	if rows, found, err := ownerOf(t, schema).RemoveTenant(ctx, "blue"); err != nil || !found || rows < 8 {
		t.Errorf("RemoveTenant = %d, %v, %v", rows, found, err)
	}
	if found, err := red.Recall(ctx, evidence.RecallQuery{Text: "ledger", K: 10}); err != nil || len(found.Hits) != 1 {
		t.Errorf("red recalls %+v, %v", found.Hits, err)
	}
	if left := rowsOf(t, admin(t), schema, "blue"); len(left) > 0 {
		t.Errorf("left of blue: %v", left)
	}
}
