package postgres

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// bounced starts PgBouncer before the test's server, with pools of a mode, and returns the URL
// of the database there. It is Debian's package pgbouncer.
func bounced(t *testing.T, mode, ignored string) string {
	t.Helper()
	to := admin(t).Config()
	return bouncedAs(t, mode, ignored, to.User, to.Password)
}

// bouncedAs is bounced with a user for the pooler's connections to the server.
func bouncedAs(t *testing.T, mode, ignored, user, password string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("not run: there is no pgbouncer")
	}
	to := admin(t).Config()
	dir, err := os.MkdirTemp("", "bouncer") // a user of few rights has to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "pgbouncer.ini")
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%d user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 3
ignore_startup_parameters = %s
`, to.Host, to.Port, user, password, freePort(t), mode, ignored)
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil { //nolint:gosec // that user reads it
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the same
		t.Fatal(err)
	}
	args := []string{file}
	if os.Getuid() == 0 { // it refuses to be root
		args = append([]string{"-u", "nobody"}, args...)
	}
	cmd := exec.Command(program, args...)
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("pgbouncer:\n%s", log.String())
		}
	})
	address := strings.Replace(database, fmt.Sprintf("%s:%d", to.Host, to.Port), "127.0.0.1:"+portOf(settings), 1)
	eventually(t, "the pooler answers", func() bool {
		conn, err := pgx.Connect(t.Context(), address)
		if err == nil {
			_ = conn.Close(context.Background())
		}
		return err == nil
	})
	return address
}

func portOf(settings string) string {
	_, after, _ := strings.Cut(settings, "listen_port = ")
	port, _, _ := strings.Cut(after, "\n")
	return port
}

// Behind a pooler of transactions nothing is notified, and messages are passed on.
func TestBusBehindAPoolerOfTransactions(t *testing.T) { //nolint:paralleltest // the schema public is one
	needServer(t)
	addExtension(t)
	owner, err := Open(t.Context(), contract.Config{URL: with("search_path", "public")}) // the pooler knows no other schema
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := owner.AddTenant(t.Context(), fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	address := bounced(t, "transaction", "options")
	one, two := busAt(t, address), busAt(t, address)
	for i := range 5 {
		box := contract.Box{Tenant: fmt.Sprint("t", i), Owner: "ada", Session: "s"}
		f := follow(t, one, box, false, "")
		pass(t, two, box, "through the pooler")
		if m := got(t, f.taken, "the message"); m != "through the pooler" {
			t.Errorf("got %q", m)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Behind a pooler of sessions a tenant's memory is as without one, whether or not the pooler
// ignores what a connection begins with: bounced's user is bound by row-level security.
func TestTenantBehindAPoolerOfSessions(t *testing.T) { //nolint:paralleltest // it changes a role
	blue, _, schema := tenants(t)
	for _, ignored := range []string{"options", "options,search_path,plan_cache_mode,jit,hnsw.ef_search,hnsw.iterative_scan,hnsw.max_scan_tuples,research.tenant"} {
		at, err := url.Parse(bouncedAs(t, "session", ignored, blue.pool.Config().ConnConfig.User, serverPassword))
		if err != nil {
			t.Fatal(err)
		}
		q := at.Query()
		q.Set("search_path", schema+",public")
		at.RawQuery = q.Encode()
		m, err := Open(t.Context(), contract.Config{URL: at.String(), Tenant: "blue"})
		if err != nil {
			t.Fatal(err)
		}
		var mode, tenant string
		err = m.snapshot(t.Context(), func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), "select current_setting('plan_cache_mode'), current_setting('research.tenant')").Scan(&mode, &tenant)
		})
		if err != nil || mode != "force_custom_plan" || tenant != "blue" {
			t.Errorf("plan_cache_mode = %q, research.tenant = %q, %v", mode, tenant, err)
		}
		found, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "ledger zanzibar", K: 10})
		if err != nil || len(found.Hits) != 1 || !strings.Contains(found.Hits[0].Passage.Text, "blue") {
			t.Errorf("Recall = %+v, %v", found.Hits, err)
		}
		if _, err := m.Put(t.Context(), textDoc(2, "more words"), evidence.Chunks{}); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A setting that the server refuses is named, and what to do.
func TestSettingThatIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	_, err := Open(t.Context(), contract.Config{URL: with("plan_cache_mode", "sometimes")})
	wantProblem(t, err, "does not accept a setting", "plan_cache_mode", "take it out")
}

// Behind a pooler of transactions a memory is not opened: of two tenants one would see an
// empty memory, without a word.
func TestMemoryBehindAPoolerOfTransactions(t *testing.T) { //nolint:paralleltest // as the others
	blue, _, schema := tenants(t)
	at, err := url.Parse(bouncedAs(t, "transaction", "options", blue.pool.Config().ConnConfig.User, serverPassword))
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	q.Set("search_path", schema+",public")
	at.RawQuery = q.Encode()
	for _, tenant := range []string{"blue", "red"} { // to the second one, the session of the first is given
		m, err := Open(t.Context(), contract.Config{URL: at.String(), Tenant: tenant})
		if err == nil {
			_ = m.Close()
		}
		wantProblem(t, err, "gives each transaction another one", "pool_mode=session")
	}
}
