package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// serverVariable names a server that the tests may make databases on:
// internal/testkit/scripts/postgres.sh starts one and prints it.
const serverVariable = "POSTGRES_TEST_URL"

// database is the URL of the database of this run; empty: there is no server.
var database string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run makes a database for this process, and drops it afterwards with all schemas.
func run(m *testing.M) int {
	server := os.Getenv(serverVariable)
	if server == "" {
		fmt.Printf("memory/postgres: what needs a server is not run: %s is not set (internal/testkit/scripts/postgres.sh start)\n", serverVariable)
		return m.Run()
	}
	if os.Getenv("POSTGRES_BENCH") != "" { // it is filled for minutes, and kept
		database = server
		return m.Run()
	}
	name := fmt.Sprintf("research_test_%d_%d", os.Getpid(), time.Now().UnixNano()%1e9)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer conn.Close(ctx)
	for _, x := range []string{"create database " + name, "alter database " + name + " set synchronous_commit = off"} {
		if _, err := conn.Exec(ctx, x); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	defer func() {
		if _, err := conn.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
			fmt.Println(err)
		}
	}()
	u, err := url.Parse(server)
	if err != nil {
		fmt.Println(serverVariable, "is no URL")
		return 1
	}
	u.Path = "/" + name
	database = u.String()
	return m.Run()
}

func needServer(t testing.TB) {
	t.Helper()
	if database == "" {
		t.Skipf("not run: %s is not set", serverVariable)
	}
}

// with returns the URL of the test's database with more settings.
func with(settings ...string) string {
	u, err := url.Parse(database)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	for i := 0; i < len(settings); i += 2 {
		q.Set(settings[i], settings[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// admin is a connection for what a user or administrator would do.
func admin(t testing.TB, statements ...string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, x := range statements {
		if _, err := conn.Exec(t.Context(), x); err != nil {
			t.Fatalf("%s: %v", x, err)
		}
	}
	return conn
}

var schemas sync.Mutex

// schemaOf is the schema of the memory that a test calls dir; the extension is shared.
func schemaOf(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "m_" + hex.EncodeToString(sum[:10])
}

// addExtension adds pgvector to the test's database: all schemas share it.
func addExtension(t testing.TB) {
	t.Helper()
	schemas.Lock()
	defer schemas.Unlock()
	admin(t, "create extension if not exists vector")
}

// openAt opens the memory of a folder's name.
func openAt(ctx context.Context, cfg contract.Config, settings ...string) (*Memory, error) {
	schema := schemaOf(cfg.Dir)
	schemas.Lock()
	conn, err := pgx.Connect(ctx, database)
	if err == nil {
		_, err = conn.Exec(ctx, "create extension if not exists vector; create schema if not exists "+schema)
		_ = conn.Close(ctx)
	}
	schemas.Unlock()
	if err != nil {
		return nil, err
	}
	cfg.URL = with(append([]string{"search_path", schema + ",public", "pool_max_conns", "4"}, settings...)...)
	return Open(ctx, cfg)
}

func open(t testing.TB) *Memory {
	t.Helper()
	needServer(t)
	m, err := openAt(t.Context(), contract.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestContract(t *testing.T) {
	t.Parallel()
	needServer(t)
	memorytest.Run(t, memorytest.Backend{
		Open: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) { return openAt(ctx, cfg) },
		OpenLarge: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) {
			m, err := openAt(ctx, cfg, "enable_sort", "off") // so that a small table is searched by HNSW
			if err == nil {
				m.mostExact = 100 // documents of one percent have 24 passages, of ten 240
			}
			return m, err
		},
		Damage: damages(),
	})
}

func damages() map[string]func(*testing.T, string) {
	return map[string]func(*testing.T, string){
		"counter":  damage("update %[1]s.tally set documents = documents + 1 where model = 0"),
		"text":     damage("update %[1]s.body set text = text || 'x'"),
		"no text":  damage("delete from %[1]s.body where doc = 1"),
		"passages": damage("delete from %[1]s.passage where doc = 1"),
		"words":    damage("update %[1]s.passage set stems = 'other' where doc = 1"),
		"vectors":  damage("delete from %[1]s.vec_1 where doc = 1"),
	}
}

// damage changes rows behind the back of the memories that use them.
func damage(statement string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		admin(t, fmt.Sprintf(statement, schemaOf(dir)))
	}
}

// What is absent is what only a file can do: docs/guides/postgres.md says what takes its
// place.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	var want []contract.Capability
	for _, c := range contract.AllCapabilities() {
		if c != contract.CapBackup && c != contract.CapErasure {
			want = append(want, c)
		}
	}
	if got := contract.Capabilities((*Memory)(nil)); !slices.Equal(got, want) {
		t.Errorf("Capabilities = %q, want %q", got, want)
	}
}

func TestCodedStems(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"transform", "3.5", "日", "c\u207a\u207a", "zq", "zqa", "o\u2019brien", "a_b:c"} {
		c := coded(s)
		if strings.ContainsFunc(c, func(r rune) bool { return r < 'a' || r > 'z' }) {
			t.Errorf("coded(%q) = %q, want ASCII letters", s, c)
		}
		if got := decodedAll("first " + c); got != strings.TrimSpace("first "+s) {
			t.Errorf("decodedAll(coded(%q)) = %q", s, got)
		}
	}
	if got, want := coded("3.5"), "zqjjiejl"; got != want { // as it is stored since the first layout
		t.Errorf("coded(3.5) = %q, want %q", got, want)
	}
	for _, s := range []string{"zqg", "zqgz", "zq-g a", "azqgg", "zqGG"} { // no codes
		if got := decodedAll(s); got != s {
			t.Errorf("decodedAll(%q) = %q, want it as it is", s, got)
		}
	}
}

func textDoc(id int, body string) evidence.Document {
	return evidence.Document{ID: fmt.Sprint("d", id), Source: "test", URL: fmt.Sprintf("https://x.test/%d", id), Title: "t", Text: body}
}

func keep(t testing.TB, m *Memory, doc evidence.Document) {
	t.Helper()
	if _, err := m.Put(t.Context(), doc, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
}
