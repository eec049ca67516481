package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
)

// Each `memory migrate` but the last is killed with -9 in the midst of it: what is there then
// is whole, and in the end everything is, once.
func TestMigrateToPostgresKilled(t *testing.T) {
	t.Parallel()
	database := ownDatabase(t)
	data := t.TempDir()
	const documents = 1000 // five batches
	fillMemory(t, data, documents)
	in := worldly(t, data)
	watch, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	stored := func() (n int) {
		if err := watch.QueryRow(t.Context(), "select count(*) from doc").Scan(&n); err != nil {
			return 0 // the table is not there yet
		}
		return n
	}
	kills := 0
	for before := 0; before < documents/2; {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "memory", "migrate", "--to", database)
		cmd.Env = append(slices.Clone(in.env), "HOME="+t.TempDir())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for stored() == before { // until a batch of it is there
			time.Sleep(time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it had ended before it was killed")
		}
		kills++
		m, err := memory.Open(t.Context(), memory.Config{Backend: "postgres", URL: database})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := m.(memory.Checker).Check(t.Context()); err != nil || !r.OK || r.Chunks != 3*r.Documents {
			t.Errorf("after kill %d: Check = %+v, %v", kills, r, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		before = stored()
	}
	out, notes, code := in.run(t, "", "memory", "migrate", "--to", database, "--json")
	var r app.MoveReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Missing != 0 || r.Verified != documents || r.Moved.Documents+r.Moved.Skipped != documents || r.Moved.Skipped == 0 {
		t.Errorf("the last one: %+v, exit %d, %v, %s", r, code, err, notes)
	}
	if n := stored(); n != documents || kills < 2 {
		t.Errorf("%d documents are stored after %d kills, want %d", n, kills, documents)
	}
	if u, err := url.Parse(database); err == nil {
		if password, _ := u.User.Password(); password != "" && strings.Contains(out+notes, password) {
			t.Error("the password is shown")
		}
	}
}

// ownDatabase makes one on the server of POSTGRES_TEST_URL.
func ownDatabase(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTGRES_TEST_URL")
	if server == "" {
		t.Skip("not run: POSTGRES_TEST_URL is not set (internal/testkit/scripts/postgres.sh start)")
	}
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("cmd_test_%d", time.Now().UnixNano())
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

// fillMemory stores documents of three chunks each in the local memory of a folder.
func fillMemory(t *testing.T, dir string, documents int) {
	t.Helper()
	m, err := memory.Open(t.Context(), memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	model := evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
	for i := range documents {
		made, b := evidence.Chunks{Model: model}, strings.Builder{}
		for part := range 3 {
			start := b.Len()
			fmt.Fprintf(&b, "Part %d of the harbour %d has a crane.\n\n", part, i)
			made.Items = append(made.Items, evidence.Chunk{Start: start, End: b.Len(), Vector: []float32{1, float32(part)}})
		}
		doc := evidence.Document{ID: fmt.Sprint("d", i), Source: "test", URL: fmt.Sprintf("https://x.test/%d", i), Title: fmt.Sprint("Harbour ", i), Text: b.String()}
		if _, err := m.Put(t.Context(), doc, made); err != nil {
			t.Fatal(err)
		}
	}
}
