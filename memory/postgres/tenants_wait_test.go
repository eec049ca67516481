package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// held is a transaction of somebody else that has done x and does not end before the test.
func held(t *testing.T, schema, x string) {
	t.Helper()
	admin(t, "set search_path = "+schema+", public", "begin isolation level repeatable read", x)
}

func unitVector(doc evidence.Document, model string) evidence.Chunks {
	return evidence.Chunks{Model: evidence.Model{Name: model, Revision: "1", Dims: 2, Kind: evidence.KindTransformer},
		Items: []evidence.Chunk{{Start: 0, End: len(doc.Text), Vector: []float32{1, 0}}}}
}

// Nobody waits for the removal of a tenant, and it waits for nobody, whatever others read or
// write; nor do they for the first vectors of one.
func TestTenantsDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	blue, red, schema := tenants(t)
	owner, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	held(t, schema, "select count(*) from passage")                  // an export of another tenant
	held(t, schema, "lock table doc, passage in row exclusive mode") // a long import of another tenant
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)  // where they wait, for ever
	defer cancel()
	if _, found, err := owner.RemoveTenant(ctx, "red"); !found || err != nil {
		t.Fatalf("RemoveTenant = %v, %v", found, err)
	}
	if left := rowsOf(t, admin(t), schema, "red"); len(left) > 0 {
		t.Errorf("left of red: %v", left)
	}
	doc := textDoc(2, "Another ledger.")
	if _, err := blue.Put(ctx, doc, unitVector(doc, "of a new table")); err != nil {
		t.Errorf("the first vectors of a model: %v", err)
	}
	if _, err := red.Put(ctx, doc, evidence.Chunks{}); err == nil {
		t.Error("a removed tenant is written to")
	}
}

// Whatever removes passages removes their vectors, and what is left of them is found.
func TestVectorsGoWithTheirPassages(t *testing.T) {
	t.Parallel()
	needServer(t)
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	m, err := openAt(t.Context(), contract.Config{Dir: t.TempDir(), Keep: contract.Retention{MaxAge: time.Hour}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	conn := admin(t, "set search_path = "+m.server.schema+", public")
	want := func(when string, vectors int) {
		t.Helper()
		n, err := column[int](t.Context(), conn, "select (select count(*) from vec_1) + (select count(*) from vec_2)")
		if err != nil || n[0] != vectors {
			t.Errorf("%s there are %v vectors, %v, want %d", when, n, err, vectors)
		}
		if r, err := m.Check(t.Context()); err != nil || !r.OK {
			t.Errorf("%s Check = %+v, %v", when, r, err)
		}
	}
	put := func(id int, text string, models ...string) {
		t.Helper()
		for _, model := range models {
			doc := textDoc(id, text)
			doc.Retrieved = now
			if _, err := m.Put(t.Context(), doc, unitVector(doc, model)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(1, "old words", "a", "b")
	put(2, "of two models", "a", "b")
	put(3, "of one", "a")
	want("at first", 5)
	put(1, "other words", "b")
	want("after a document was replaced", 4)
	if _, err := m.Forget(t.Context(), contract.Selector{IDs: []string{"d2"}}); err != nil {
		t.Fatal(err)
	}
	want("after one was forgotten", 2)
	now = now.Add(2 * time.Hour)
	put(4, "newer", "a")
	if r, err := m.Retain(t.Context()); err != nil || r.Documents != 2 {
		t.Fatalf("Retain = %+v, %v", r, err)
	}
	want("after the old ones were removed", 1)
	if _, err := conn.Exec(t.Context(), "insert into vec_2(doc, ord, v) values(7777, 0, '[1,0]')"); err != nil {
		t.Fatal(err)
	}
	if r, err := m.Check(t.Context()); err != nil || r.OK {
		t.Errorf("with a vector of nothing, Check = %+v, %v", r, err)
	}
}

// A role that was given nothing can make neither tables nor models.
func TestARoleWithoutRightsMakesNoTables(t *testing.T) {
	t.Parallel()
	_, _, schema := tenants(t)
	stranger := "stranger_" + schema
	conn := admin(t, fmt.Sprintf("create role %s login password '%s'", stranger, serverPassword), fmt.Sprintf("grant usage on schema %s to %s", schema, stranger))
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(context.Background())
		for _, x := range []string{"drop owned by " + stranger, "drop role " + stranger} {
			if _, err := c.Exec(context.Background(), x); err != nil {
				t.Error(err)
			}
		}
	})
	call := func(c *pgx.Conn) error {
		_, err := c.Exec(t.Context(), "select set_config('research.tenant', 'blue', false), set_config('search_path', $1, false)", schema+", public")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(t.Context(), "select memory_space('blue', 'x', '1', 2, 'k', true)")
		return err
	}
	cfg := conn.Config().Copy()
	cfg.User, cfg.Password = stranger, serverPassword
	own, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close(context.Background())
	if err := call(own); codeOf(err) != insufficientPrivilege {
		t.Errorf("memory_space by a role without rights = %v, want it refused", err)
	}
	if _, err := conn.Exec(t.Context(), "set role "+stranger); err != nil { // and by who became it
		t.Fatal(err)
	}
	if err := call(conn); codeOf(err) != insufficientPrivilege {
		t.Errorf("memory_space after SET ROLE = %v, want it refused", err)
	}
}

// An export whose lines make very many tables is refused, with what was there before intact.
func TestImportOfTooManyModels(t *testing.T) {
	t.Parallel()
	m := open(t)
	lines := []string{`{"header":{"format":1,"written":"2026-01-01T00:00:00Z"}}`}
	var head bytes.Buffer
	if _, err := m.Export(t.Context(), &head, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	lines[0], _, _ = strings.Cut(head.String(), "\n")
	for i := range 70 {
		lines = append(lines, fmt.Sprintf(`{"model":{"name":"m%d","revision":"1","dims":2,"kind":"k"}}`, i))
	}
	_, err := m.Import(t.Context(), io.Reader(strings.NewReader(strings.Join(lines, "\n"))), contract.ImportOptions{})
	wantProblem(t, err, "m64", "64 models already", "without vectors")
	spaces, err := m.allSpaces(t.Context(), m.pool)
	if err != nil || len(spaces) != 64 {
		t.Errorf("there are %d models, %v", len(spaces), err)
	}
	if _, err := m.Put(t.Context(), textDoc(1, "words"), evidence.Chunks{}); err != nil {
		t.Error(err)
	}
	_, err = m.ensureSpace(t.Context(), evidence.Model{Name: "one more", Revision: "1", Dims: 2}, true)
	var p *evidence.Problem
	if !errors.As(err, &p) {
		t.Errorf("ensureSpace = %v, want a problem", err)
	}
}
