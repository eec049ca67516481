package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

var roles sync.Map // schemas that have one

const serverPassword = "of-a-test"

// serverRole makes the role that docs/guides/postgres.md has for servers, for a schema, and
// returns its URL.
func serverRole(ctx context.Context, schema string) (string, error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	role := "server_" + schema
	for _, x := range []string{
		fmt.Sprintf("create role %s login password '%s' nosuperuser nobypassrls nocreatedb nocreaterole", role, serverPassword),
		fmt.Sprintf("grant usage on schema %s to %s", schema, role),
		fmt.Sprintf("grant select, insert, update, delete on all tables in schema %s to %s", schema, role),
	} {
		if _, err := conn.Exec(ctx, x); err != nil && codeOf(err) != "42710" { // it is there already
			return "", fmt.Errorf("%s: %w", x, err)
		}
	}
	// pg_textsearch lies in the schema of the test that was first.
	spaces, err := column[string](ctx, conn, "select distinct extnamespace::regnamespace::text from pg_extension where extname in ('vector', 'pg_textsearch')")
	if err != nil {
		return "", err
	}
	schemas.Lock() // two grants at once are an error
	defer schemas.Unlock()
	for _, s := range spaces {
		if _, err := conn.Exec(ctx, fmt.Sprintf("grant usage on schema %s to %s", s, role)); err != nil {
			return "", err
		}
	}
	u, err := url.Parse(with("search_path", schema+",public", "pool_max_conns", "4"))
	if err != nil {
		return "", err
	}
	u.User = url.UserPassword(role, serverPassword)
	return u.String(), nil
}

// dropServerRole lets the run end: roles belong to the server, not to the database.
func dropServerRole(t testing.TB, schema string) {
	t.Helper()
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		role := "server_" + schema
		for _, x := range []string{"drop owned by " + role, "drop role " + role} {
			if _, err := conn.Exec(context.Background(), x); err != nil {
				t.Errorf("%s: %v", x, err)
			}
		}
	})
}

// openTenant opens a tenant of the memory that a test calls dir, as the role of servers.
func openTenant(ctx context.Context, tenant string, cfg contract.Config) (*Memory, error) {
	owner, err := openAt(ctx, cfg) // the layout
	if err != nil {
		return nil, err
	}
	if err := owner.Close(); err != nil {
		return nil, err
	}
	if cfg.URL, err = serverRole(ctx, schemaOf(cfg.Dir)); err != nil {
		return nil, err
	}
	cfg.Tenant = tenant
	return Open(ctx, cfg)
}

// connectedAs is a connection that sees the rows of a tenant.
func connectedAs(t *testing.T, cfg *pgx.ConnConfig, tenant string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "select set_config($1, $2, false)", tenantSetting, tenant); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Under row-level security, as a role that cannot bypass it, a tenant's memory does all that
// a memory does.
func TestContractOfTenant(t *testing.T) {
	t.Parallel()
	needServer(t)
	memorytest.Run(t, memorytest.Backend{
		Open: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) {
			if _, made := roles.LoadOrStore(schemaOf(cfg.Dir), true); !made {
				dropServerRole(t, schemaOf(cfg.Dir))
			}
			return openTenant(ctx, "blue", cfg)
		},
		Damage: damages(),
	})
}

// tenants opens two of one database, each with a document, a session and vectors.
func tenants(t *testing.T) (blue, red *Memory, schema string) {
	t.Helper()
	needServer(t)
	dir := t.TempDir()
	schema = schemaOf(dir)
	dropServerRole(t, schema)
	model := evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
	open := func(name string) *Memory {
		m, err := openTenant(t.Context(), name, contract.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		doc := textDoc(1, "The ledger of "+name+" has zanzibar in it.")
		doc.Meta = map[string]string{evidence.MetaSession: "s_" + name}
		if _, err := m.Put(t.Context(), doc, evidence.Chunks{Model: model, Items: []evidence.Chunk{{Start: 0, End: len(doc.Text), Vector: []float32{1, 0}}}}); err != nil {
			t.Fatal(err)
		}
		if err := m.Append(t.Context(), "s_"+name, evidence.Turn{Role: evidence.RoleUser, Text: "What does " + name + " keep?"}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	return open("blue"), open("red"), schema
}

// rowsOf counts the rows of a tenant in each table that has any, as conn sees them.
func rowsOf(t *testing.T, conn *pgx.Conn, schema, tenant string) map[string]int {
	t.Helper()
	tables, err := column[string](t.Context(), conn, `select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'
		where c.relnamespace = $1::regnamespace and c.relkind = 'r'`, schema)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, table := range tables {
		var n int
		if err := conn.QueryRow(t.Context(), "select count(*) from "+pgx.Identifier{schema, table}.Sanitize()+" where tenant = $1", tenant).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			out[table] = n
		}
	}
	return out
}

// Two tenants with documents of one id in one database see nothing of each other, neither
// through the memory nor by SQL with the role of a server.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	blue, red, schema := tenants(t)
	for name, m := range map[string]*Memory{"blue": blue, "red": red} {
		found, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "ledger zanzibar", K: 10})
		if err != nil || len(found.Hits) != 1 || !strings.Contains(found.Hits[0].Passage.Text, name) {
			t.Errorf("%s recalls %+v, %v", name, found.Hits, err)
		}
		if s, err := m.Stats(t.Context()); err != nil || s.Documents != 1 || s.Sessions != 1 || len(s.Models) != 1 {
			t.Errorf("%s has %+v, %v", name, s, err)
		}
	}
	if _, err := blue.Open(t.Context(), "s_red"); err == nil {
		t.Error("blue opens a session of red")
	}
	if owned := rowsOf(t, admin(t), schema, "red"); owned["doc"] != 1 || owned["turn"] != 1 || len(owned) < 8 {
		t.Fatalf("red has the rows %v", owned)
	}
	conn := connectedAs(t, blue.pool.Config().ConnConfig, "blue")
	if seen := rowsOf(t, conn, schema, "red"); len(seen) > 0 {
		t.Errorf("the connection of blue sees %v of red", seen)
	}
	if seen := rowsOf(t, conn, schema, "blue"); seen["doc"] != 1 || seen["vec_1"]+seen["vec_2"] != 1 {
		t.Errorf("the connection of blue sees %v of its own", seen)
	}
	for _, x := range []string{
		"insert into tally(tenant, model, slot, documents, chunks, terms, bytes) values('red', 0, 0, 1, 1, 1, 1)",
		"insert into tenant(name) values('green')",
		"update doc set tenant = 'red' where tenant = 'blue'",
		"select memory_space('red', 'x', '1', 2, 'k', true)",
		"alter table doc disable row level security",
	} {
		if _, err := conn.Exec(t.Context(), x); codeOf(err) != insufficientPrivilege {
			t.Errorf("%s = %v, want it refused", x, err)
		}
	}
	if _, err := conn.Exec(t.Context(), "reset research.tenant; set research.tenant = ''"); err != nil {
		t.Fatal(err)
	}
	if seen := rowsOf(t, conn, schema, "blue"); len(seen) > 0 {
		t.Errorf("a connection of no tenant sees %v", seen)
	}
}

// Of a removed tenant no row and no table is left; the other one has all of its own.
func TestRemoveTenant(t *testing.T) {
	t.Parallel()
	blue, red, schema := tenants(t)
	var p *evidence.Problem
	if _, _, err := red.RemoveTenant(t.Context(), "blue"); !errors.As(err, &p) || !strings.Contains(p.Try, "owner of the tables") {
		t.Errorf("RemoveTenant by the role of a server = %v, want a problem that names the owner", err)
	}
	if _, err := red.Tenants(t.Context()); !errors.As(err, &p) {
		t.Errorf("Tenants by the role of a server = %v, want a problem", err)
	}
	before := rowsOf(t, admin(t), schema, "red")
	owner, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if names, err := owner.Tenants(t.Context()); err != nil || !slices.Equal(names, []string{"blue", "red"}) {
		t.Errorf("Tenants = %q, %v", names, err)
	}
	rows, found, err := owner.RemoveTenant(t.Context(), "blue")
	if err != nil || !found || rows < 8 {
		t.Fatalf("RemoveTenant = %d, %v, %v", rows, found, err)
	}
	if left := rowsOf(t, admin(t), schema, "blue"); len(left) > 0 {
		t.Errorf("left of blue: %v", left)
	}
	if after := rowsOf(t, admin(t), schema, "red"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("red has %v, had %v", after, before)
	}
	again := func(when string) {
		t.Helper()
		if _, err := blue.Put(t.Context(), textDoc(2, "late"), evidence.Chunks{}); !errors.As(err, &p) || !strings.Contains(p.What, "was removed") {
			t.Errorf("a Put %s = %v, want a problem", when, err)
		}
	}
	again("of a removed tenant")
	if _, found, err := owner.RemoveTenant(t.Context(), "blue"); found || err != nil {
		t.Errorf("RemoveTenant of none = %v, %v", found, err)
	}
	if added, err := owner.AddTenant(t.Context(), "blue"); !added || err != nil {
		t.Errorf("AddTenant = %v, %v", added, err)
	}
	if added, err := owner.AddTenant(t.Context(), "blue"); added || err != nil {
		t.Errorf("AddTenant of one that there is = %v, %v", added, err)
	}
	again("of a memory of the old one")
	if names, err := owner.Tenants(t.Context()); err != nil || !slices.Equal(names, []string{"blue", "red"}) {
		t.Errorf("Tenants = %q, %v", names, err)
	}
}

// Names that only this package lets through are kept apart, and what they have of SQL is
// nothing but a name.
func TestStrangeTenants(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	schema := schemaOf(dir)
	dropServerRole(t, schema)
	names := []string{`o'brien`, `"quoted" \ back`, "'; drop table doc; --", "%L %I $1", "日本語 Ünïcode", " blue ", "Blue", strings.Repeat("long ", 60), "a,b=c"}
	all := map[string]*Memory{}
	for i, name := range names {
		m, err := openTenant(t.Context(), name, contract.Config{Dir: dir})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		t.Cleanup(func() { _ = m.Close() })
		all[name] = m
		model := evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
		doc := textDoc(1, fmt.Sprintf("The ledger of number%d.", i))
		if _, err := m.Put(t.Context(), doc, evidence.Chunks{Model: model, Items: []evidence.Chunk{{Start: 0, End: len(doc.Text), Vector: []float32{1, 0}}}}); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	}
	owner, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	for i, name := range names {
		r, err := all[name].Recall(t.Context(), evidence.RecallQuery{Text: "ledger", K: 10, Vector: []float32{1, 0}, Model: evidence.Model{Name: "m", Revision: "1", Dims: 2}})
		if err != nil || len(r.Hits) != 1 || !strings.Contains(r.Hits[0].Passage.Text, fmt.Sprintf("number%d.", i)) {
			t.Errorf("%q recalls %+v, %v", name, r.Hits, err)
		}
		if check, err := all[name].Check(t.Context()); err != nil || !check.OK {
			t.Errorf("%q: Check = %+v, %v", name, check, err)
		}
		if _, found, err := owner.RemoveTenant(t.Context(), name); !found || err != nil {
			t.Errorf("RemoveTenant(%q) = %v, %v", name, found, err)
		}
		if left := rowsOf(t, admin(t), schema, name); len(left) > 0 {
			t.Errorf("left of %q: %v", name, left)
		}
		for _, other := range names[i+1:] {
			if st, err := all[other].Stats(t.Context()); err != nil || st.Documents != 1 {
				t.Errorf("without %q, %q has %d documents, %v", name, other, st.Documents, err)
			}
		}
	}
	_, err = Open(t.Context(), contract.Config{URL: with("search_path", schema+",public"), Tenant: "nil\x00byte"})
	wantProblem(t, err, "tenant", `nil\x00byte`)
}
