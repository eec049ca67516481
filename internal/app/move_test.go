package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/memory"
)

// newDatabase makes a database on the server of POSTGRES_TEST_URL.
func newDatabase(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTGRES_TEST_URL")
	if server == "" {
		t.Skip("not run: POSTGRES_TEST_URL is not set (internal/testkit/scripts/postgres.sh start)")
	}
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("app_test_%d", time.Now().UnixNano())
	if _, err := conn.Exec(t.Context(), "create database "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), "drop database "+name+" with (force)")
		if err = errors.Join(err, conn.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// stocked is a program whose local memory has documents and a conversation.
func stocked(t *testing.T, documents int) *App {
	t.Helper()
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), nil, Options{})
	t.Cleanup(func() { _ = a.Close() })
	for i := range documents {
		doc := evidence.Document{ID: fmt.Sprint("d", i), Source: "test", URL: fmt.Sprintf("https://x.test/%d", i), Title: fmt.Sprint("Harbour ", i), Text: strings.Repeat(fmt.Sprintf("Harbour %d has a crane. ", i), 20)}
		if _, err := a.memory.Put(t.Context(), doc, evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.memory.Append(t.Context(), "s_talk", evidence.Turn{Role: evidence.RoleUser, Text: "Which harbour?"}); err != nil {
		t.Fatal(err)
	}
	return a
}

func moved(t *testing.T, a *App, to string, want int) {
	t.Helper()
	last := 0
	r, err := a.Move(t.Context(), to, func(done, _ int) { last = done })
	if err != nil || r.Missing != 0 || r.Verified != want || last != want-1 {
		t.Fatalf("Move = %+v, %v, with progress up to %d; want %d records equal", r, err, last, want)
	}
}

// Tenants have memories of their own: a move names them, and errors of the target name --to.
func TestMoveNamesWhatItLeaves(t *testing.T) {
	t.Parallel()
	a := stocked(t, 1)
	for i := range 6 {
		if err := a.AddTenant(t.Context(), fmt.Sprint("team", i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Move(t.Context(), t.TempDir(), func(int, int) {})
	said := strings.Join(r.Moved.Warnings, "; ")
	if err != nil || !strings.Contains(said, "6 tenants are not copied: team0, team1, team2, team3, team4, …;") || !strings.Contains(said, "tenant import") {
		t.Errorf("Move warns %q, %v", said, err)
	}
	for to, word := range map[string]string{filepath.Join(a.cfg.DataDir, "memory.db"): "--to", "postgres://u@127.0.0.1:1/db?pool_max_conns=1": "--to"} {
		var p *evidence.Problem
		_, err := a.Move(t.Context(), to, func(int, int) {})
		if !errors.As(err, &p) || !strings.Contains(p.What+p.Try, word) || strings.Contains(p.What+p.Try, "memory.url") || strings.Contains(p.What+p.Try, "--data-dir") {
			t.Errorf("Move to %s = %+v", to, p)
		}
	}
}

// What the target has under an id of the source is not changed, and the report names it.
func TestMoveNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	a := stocked(t, 5)
	dir := t.TempDir()
	other, err := memory.Open(t.Context(), memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Put(t.Context(), evidence.Document{ID: "d3", Source: "test", Title: "Mine", Text: "This was here before."}, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := a.Move(t.Context(), dir, func(int, int) {})
	if err != nil || r.Missing != 1 || r.Verified != 5 || len(r.Examples) != 1 || r.Examples[0] != "document d3" {
		t.Errorf("Move = %+v, %v, want d3 missing", r, err)
	}
}

// A memory is not moved to where it is, however the place is written.
func TestMoveToItselfAlsoInPostgres(t *testing.T) {
	t.Parallel()
	refused := func(a *App, to string) {
		t.Helper()
		var p *evidence.Problem
		if _, err := a.Move(t.Context(), to, func(int, int) {}); !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, "there already") {
			t.Errorf("Move to itself = %v, want it refused", err)
		}
	}
	a := stocked(t, 1)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(a.cfg.DataDir, link); err == nil { // not on every system
		refused(a, link)
	}
	refused(a, a.cfg.DataDir)
	database := newDatabase(t)
	b := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"memory.backend": "postgres", "memory.url": database}, Options{})
	defer b.Close()
	refused(b, database)
	refused(b, database+"?application_name=other")
	moved(t, a, database+"?search_path=public", 2)
}

// To PostgreSQL and back nothing changes, also if the first attempt is interrupted.
func TestMoveToPostgresAndBack(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	const documents = 700
	a := stocked(t, documents)
	ctx, stop := context.WithCancel(t.Context())
	if _, err := a.Move(ctx, database, func(done, _ int) {
		if done == documents/2 {
			stop()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted Move = %v", err)
	}
	moved(t, a, database, documents+1)
	b := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"memory.backend": "postgres", "memory.url": database}, Options{})
	defer b.Close()
	back := t.TempDir()
	moved(t, b, back, documents+1)
	c := startWith(t, startWorld(t, world.Options{}), back, nil, Options{})
	defer c.Close()
	moved(t, c, a.cfg.DataDir+"-third", documents+1)
	found, err := c.memory.Recall(t.Context(), evidence.RecallQuery{Text: "harbour 77", K: 1})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Document.ID != "d77" {
		t.Errorf("recalled after the way back: %+v, %v", found.Hits, err)
	}
}
