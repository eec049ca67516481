package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// bounced starts PgBouncer before the test's server, with pools of transactions, and returns
// the URL of the database there.
func bounced(t *testing.T) string {
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
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = search_path,plan_cache_mode,jit,timezone,hnsw.ef_search,hnsw.iterative_scan,hnsw.max_scan_tuples,research.tenant,options
`, to.Host, to.Port, to.User, to.Password, freePort(t))
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
	return strings.Replace(database, fmt.Sprintf("%s:%d", to.Host, to.Port), "127.0.0.1:"+portOf(settings), 1)
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
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	url := bounced(t)
	eventually(t, "the pooler answers", func() bool {
		conn, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_ = conn.Close(context.Background())
		}
		return err == nil
	})
	one, two := busAt(t, url), busAt(t, url)
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
