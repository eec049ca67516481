package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// wantProblem checks that err says what is wrong and what mends it, and shows no password.
func wantProblem(t *testing.T, err error, words ...string) {
	t.Helper()
	var p *evidence.Problem
	if !errors.As(err, &p) {
		t.Fatalf("error = %v, want an *evidence.Problem", err)
	}
	if p.Try == "" {
		t.Errorf("problem %q has no Try", p.What)
	}
	for _, w := range words {
		if !strings.Contains(p.Error(), w) {
			t.Errorf("problem %q does not contain %q", p.Error(), w)
		}
	}
	for _, secret := range []string{"open-sesame", passwordOf(database)} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("problem %q shows the password", err)
		}
	}
}

func passwordOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	p, _ := u.User.Password()
	return p
}

func wantOpenFails(t *testing.T, raw string, words ...string) {
	t.Helper()
	m, err := Open(t.Context(), contract.Config{URL: raw})
	if err == nil {
		_ = m.Close()
		t.Fatal("Open succeeded")
	}
	wantProblem(t, err, words...)
}

func TestOpenRefusesAddresses(t *testing.T) {
	t.Parallel()
	for raw, word := range map[string]string{
		"":                                   "memory.url is not set",
		"mysql://u:open-sesame@h/db":         "not the address of a PostgreSQL database",
		"host=h password=open-sesame":        "not the address",
		"postgres://u:open-sesame@h:port/db": "memory.url cannot be used",
		"postgres://u:open-sesame@h/db?sslmode=perhaps":                                       "memory.url cannot be used",
		"postgres://u:open-sesame@h/db?pool_max_conns=all":                                    "cannot parse pool_max_conns: \"all\" is no number",
		"postgres://u:open-sesame@h/db?connect_timeout=abc":                                   "\"abc\" is no number",
		"postgres://u:open-sesame@h/db?target_session_attrs=standby":                          "accepts no writes",
		"postgres://u:open-sesame@h/db?target_session_attrs=read-only":                        "accepts no writes",
		"postgres://u:open-sesame@h/%zz":                                                      "memory.url cannot be used",
		"postgres://u:half@open-sesame@h/db":                                                  "an @ too many",
		"postgres://u:half@h1,open-sesame@h2/db":                                              "an @ too many",
		"postgres://u:open-sesame/half@h/db":                                                  "memory.url cannot be used",
		"postgres://u:open-sesame%zz@h/db":                                                    "memory.url cannot be used",
		"postgres://u:open-sesame half@h/db":                                                  "memory.url cannot be used",
		"postgres://u:a/%xopen-sesame@h/db":                                                   "memory.url cannot be used",
		"postgres://h/db?statement_cache_capacity=0":                                          "a cache of no statements",
		"postgres://h/db?default_query_exec_mode=cache_describe&description_cache_capacity=0": "a cache of no statements",
		"postgres://h/db?password=open-sesame&port=x":                                         "memory.url cannot be used",
	} {
		wantOpenFails(t, raw, word)
	}
}

// refusing is a server that answers every connection with an error.
func refusing(t *testing.T, code, message string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b := pgproto3.NewBackend(conn, conn)
			for {
				msg, err := b.ReceiveStartupMessage()
				if err != nil {
					break
				}
				if _, ssl := msg.(*pgproto3.SSLRequest); ssl {
					_, _ = conn.Write([]byte("N"))
					continue
				}
				b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
				_ = b.Flush()
				break
			}
			_ = conn.Close()
		}
	}()
	return fmt.Sprintf("postgres://reader:open-sesame@%s/research", l.Addr())
}

func TestOpenExplainsRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		words         []string
	}{
		{wrongAuthorization, `no pg_hba.conf entry for host "10.0.0.1", user "reader", database "research", no encryption`, []string{"only encrypted", "sslmode=require"}},
		{wrongAuthorization, `no pg_hba.conf entry for host "10.0.0.1", user "reader", database "research", SSL encryption`, []string{"does not let reader in", "hostssl research reader ", "pg_reload_conf"}},
		{wrongPassword, `password authentication failed for user "reader"`, []string{"password of reader", `\password reader`}},
		{noDatabase, `database "research" does not exist`, []string{"no such database", "createdb -p ", "-O reader -E UTF8 -T template0 research"}},
		{insufficientPrivilege, "permission denied for database", []string{"may not connect", `'GRANT CONNECT ON DATABASE "research" TO "reader"'`}},
		{notInState, `database "research" is not currently accepting connections`, []string{"lets nobody in", `'ALTER DATABASE "research" ALLOW_CONNECTIONS true'`}},
		{tooManyConnections, "sorry, too many clients already", []string{"no connection left", "max_connections"}},
		{cannotConnectNow, "the database system is starting up", []string{"cannot be reached", "pg_isready"}},
	} {
		wantOpenFails(t, refusing(t, c.code, c.message), c.words...)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantOpenFails(t, "postgres://reader:open-sesame@"+gone+"/research", "cannot be reached", gone, "pg_isready")
	wantOpenFails(t, refusing(t, wrongPassword, "no")+"?sslmode=require", "does not encrypt", "ssl=on")
	nowhere := strings.Repeat("a", 300) // too long for a name: nobody is asked for it
	wantOpenFails(t, "postgres://reader:open-sesame@"+nowhere+"/research", "cannot be reached", nowhere, "no such host", "pg_isready")
}

func TestOlder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"0.8.0", "0.8", false}, {"0.7.4", "0.8", true}, {"0.10.0", "0.8", false}, {"1.0", "0.8", false}, {"0.8", "0.8.1", true}} {
		if got := older(c.a, c.b); got != c.want {
			t.Errorf("older(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

// What a test server cannot be brought to is explained all the same.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := server{name: "db.test:5432/research", database: "research", user: "reader", schema: "public", port: 5432, version: 15}
	other, unknown := s, s
	other.port, other.database = 5433, "the team's"
	unknown.unknown = true
	refused := &pgconn.PgError{Code: wrongPassword, Message: "password authentication failed"}
	for _, c := range []struct {
		err   error
		cause error
		words []string
	}{
		{tooOld(s, 140010), nil, []string{"PostgreSQL 14", "15 or newer"}},
		{s.noVector(&pgconn.PgError{Code: undefinedFile}), nil, []string{"does not have the extension pgvector", "apt install postgresql-15-pgvector;"}},
		{s.noVector(&pgconn.PgError{Code: insufficientPrivilege}), nil, []string{"may not add it", "psql -d research -c 'CREATE EXTENSION vector'"}},
		{other.noVector(&pgconn.PgError{Code: insufficientPrivilege}), nil, []string{`psql -p 5433 -d 'the team'\''s' -c 'CREATE EXTENSION vector'`}},
		{s.explainConnect(refused), nil, []string{"does not accept", `psql -c '\password reader'`}},
		{unknown.explainConnect(refused), nil, []string{"none is given", "PGPASSWORD"}},
		{s.explain(&pgconn.PgError{Code: insufficientPrivilege, Message: "permission denied for schema public"}), nil, []string{`'GRANT ALL ON SCHEMA "public" TO "reader"'`}},
		{s.noVector(&pgconn.PgError{Code: featureNotSupported}), nil, []string{"does not have the extension pgvector"}},
		{s.explain(fmt.Errorf("storing: %w", &pgconn.PgError{Code: diskFull, Message: "could not extend file"})), contract.ErrFull, []string{"disk", "nothing was written"}},
		{s.explain(&pgconn.PgError{Code: readOnlyTransaction}), contract.ErrReadOnly, []string{"standby", "pg_promote"}},
		{s.explain(&pgconn.PgError{Code: insufficientPrivilege, Message: "permission denied for table doc"}), nil, []string{"table doc", `DELETE ON ALL TABLES IN SCHEMA "public" TO "reader"'`}},
		{s.explain(&pgconn.PgError{Code: insufficientPrivilege, Message: "permission denied for schema public"}), nil, []string{"schema public", `GRANT ALL ON SCHEMA "public" TO "reader"`}},
		{s.explain(&pgconn.PgError{Code: dataCorrupted, Message: "invalid page"}), contract.ErrDamaged, []string{"invalid page"}},
		{s.explain(&pgconn.PgError{Code: undefinedTable, Message: `relation "doc" does not exist`}), nil, []string{"not complete", "backup"}},
		{s.explain(fmt.Errorf("counting: %w", &pgconn.PgError{Code: queryCanceled, Message: "canceling statement due to statement timeout"})), nil, []string{"due to statement timeout", `ALTER ROLE "reader" SET statement_timeout = 0`}},
		{s.explain(&pgconn.PgError{Code: adminShutdown, Message: "terminating connection"}), nil, []string{"does not answer", "doctor"}},
	} {
		wantProblem(t, c.err, c.words...)
		if c.cause != nil && !errors.Is(c.err, c.cause) {
			t.Errorf("%v is not caused by %v", c.err, c.cause)
		}
	}
	if err := s.explain(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("explain(context.Canceled) = %v", err)
	}
}

func TestOpenRefusesDatabases(t *testing.T) {
	t.Parallel()
	needServer(t)
	addExtension(t)
	admin(t, "create schema foreigner", "create table foreigner.orders(id int)", "create schema impostor",
		"create table impostor.memory_layout(version text, other int)")
	wantOpenFails(t, with("search_path", "foreigner"), "another program", "orders", "CREATE DATABASE", "search_path")
	wantOpenFails(t, with("search_path", "impostor"), "another program")
	admin(t, "create schema namesake", "create table namesake.doc(id text, body text)", "create table namesake.session(id uuid)")
	wantOpenFails(t, with("search_path", "namesake"), "another program", "doc, session")
	wantOpenFails(t, with("search_path", "nowhere"), "no schema", "CREATE SCHEMA")
	admin(t, "create schema typed", "create type typed.tenant as enum('a')")
	wantOpenFails(t, with("search_path", "typed"), "another program", `type "tenant" already exists`)
	var tables int
	if err := admin(t).QueryRow(t.Context(), "select count(*) from pg_tables where schemaname in ('foreigner', 'impostor', 'namesake')").Scan(&tables); err != nil || tables != 4 {
		t.Errorf("the refused schemas have %d tables, %v, want the 4 that were there", tables, err)
	}
	wrong, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword(wrong.User.Username(), "open-sesame")
	wantOpenFails(t, wrong.String(), "password")
	missing := *wrong
	missing.User, missing.Path = url.UserPassword(wrong.User.Username(), passwordOf(database)), "/no_such_database"
	wantOpenFails(t, missing.String(), "no such database", "createdb")
	wantOpenFails(t, with("sslmode", "require"), "does not encrypt", "ssl=on")
	wantOpenFails(t, with("default_transaction_read_only", "on"), "none of the servers", "pg_promote")
}

// A user without rights, in a database without pgvector.
func TestOpenWithoutRights(t *testing.T) {
	t.Parallel()
	needServer(t)
	name := strings.Replace(strings.TrimPrefix(mustParse(t, database).Path, "/"), "test", "norights", 1)
	conn := admin(t, "create database "+name, "create role "+name+" login password 'open-sesame'")
	t.Cleanup(func() {
		for _, x := range []string{"drop database " + name + " with (force)", "drop role " + name} {
			if _, err := conn.Exec(context.Background(), x); err != nil {
				t.Error(err)
			}
		}
	})
	u := mustParse(t, database)
	u.Path, u.User = "/"+name, url.UserPassword(name, "open-sesame")
	wantOpenFails(t, u.String(), "pgvector", name, "CREATE EXTENSION vector")
	with := mustParse(t, database)
	with.Path = "/" + name
	owner, err := pgconn.Connect(t.Context(), with.String())
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is lost
	if _, err := owner.Exec(t.Context(), "create extension vector").ReadAll(); err != nil {
		t.Fatal(err)
	}
	wantOpenFails(t, u.String(), "no right", "GRANT")
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A layout of a newer program is refused by Open, and by what is open already.
func TestNewerLayout(t *testing.T) {
	t.Parallel()
	m := open(t)
	keep(t, m, textDoc(1, "A text from before."))
	admin(t, "update "+m.server.schema+".memory_layout set version = 99")
	_, err := m.Put(t.Context(), textDoc(2, "A text from afterwards."), evidence.Chunks{})
	wantProblem(t, err, "layout 99", "update research-mcp")
	wantOpenFails(t, with("search_path", m.server.schema+",public"), "layout 99", "update research-mcp")
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 1 {
		t.Errorf("Stats = %d documents, %v, want 1", st.Documents, err)
	}
}

// Migrations are numbered without a gap: two of one number would have come from two
// branches, and one of them would be taken for the other.
func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(e.Name(), want) {
			t.Errorf("migration %d is %s, want %s…", i+1, e.Name(), want)
		}
	}
}

// Work that holds a lock needs a connection beside the one that has it.
func TestTooFewConnections(t *testing.T) {
	t.Parallel()
	_, err := parse("postgres://u@localhost/db?pool_max_conns=2")
	wantProblem(t, err, "pool_max_conns=2", "3 or more")
	if cfg, err := parse("postgres://u@localhost/db?pool_max_conns=3"); err != nil || cfg.MaxConns != 3 {
		t.Errorf("pool_max_conns=3: %v", err)
	}
}
