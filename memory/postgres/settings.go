package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// atStartup are the settings that a connection may begin with also where a pooler is
// between: PgBouncer refuses all others, or ignores them without a word. That a connection
// only reads is known before the settings are made.
var atStartup = []string{"application_name", "client_encoding", "datestyle", "default_transaction_read_only", "options", "standard_conforming_strings", "timezone"}

// setLater makes connections set the other settings when they are there, and makes sure
// that they hold: without research.tenant, row-level security would show an empty memory.
func setLater(cfg *pgx.ConnConfig) {
	later := maps.Clone(cfg.RuntimeParams)
	maps.DeleteFunc(later, func(name, _ string) bool { return slices.Contains(atStartup, strings.ToLower(name)) })
	for name := range later {
		delete(cfg.RuntimeParams, name)
	}
	names := slices.Sorted(maps.Keys(later))
	before := cfg.AfterConnect
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		return setNow(ctx, conn, names, later)
	}
}

func setNow(ctx context.Context, conn *pgconn.PgConn, names []string, values map[string]string) error {
	if len(names) == 0 {
		return nil
	}
	var set, hold []string
	var args, named [][]byte
	for i, name := range names {
		set, args = append(set, fmt.Sprintf("set_config($%d, $%d, false)", 2*i+1, 2*i+2)), append(args, []byte(name), []byte(values[name]))
		hold, named = append(hold, fmt.Sprintf("current_setting($%d, true)", i+1)), append(named, []byte(name))
	}
	was := conn.ExecParams(ctx, "select "+strings.Join(set, ", "), args, nil, nil, nil).Read()
	if was.Err != nil {
		return was.Err
	}
	is := conn.ExecParams(ctx, "select "+strings.Join(hold, ", "), named, nil, nil, nil).Read()
	if is.Err != nil {
		return is.Err
	}
	for i, name := range names {
		if len(was.Rows) != 1 || len(is.Rows) != 1 || string(was.Rows[0][i]) != string(is.Rows[0][i]) {
			return keepsNone("its setting "+name, nil)
		}
	}
	return nil
}

// keepsNone is the Problem of a pooler of transactions.
func keepsNone(what string, cause error) *evidence.Problem {
	return &evidence.Problem{What: fmt.Sprintf("a connection of memory.url does not keep %s: a pooler gives each transaction another one", what),
		Try: "let the pooler keep sessions (PgBouncer: pool_mode=session), or name the server itself in memory.url", Cause: cause}
}

// pooledWithin is how long a pooler may take to give a second session.
const pooledWithin = 5 * time.Second

// keepsSessions refuses a pooler of transactions before anything is read: it gives the same
// session of the server to whoever asks next, with the settings of another, so that
// row-level security shows nothing, or what is another tenant's.
// Connections are looked at once, by one memory: two that look at the same time would take
// them from each other.
func (m *Memory) keepsSessions(ctx context.Context) error {
	c := m.conns
	select {
	case c.checking <- struct{}{}:
		defer func() { <-c.checking }()
	case <-ctx.Done():
		return fmt.Errorf("opening the memory: %w", ctx.Err())
	}
	if c.keeps {
		return nil
	}
	keeps := false
	err := m.retried(ctx, "opening the memory", writeFor, func() (err error) {
		keeps, err = m.compareSessions(ctx)
		return err
	})
	c.keeps = keeps && err == nil
	return err
}

// compareSessions reports whether sessions are known to be kept. That they are not is a Problem.
func (m *Memory) compareSessions(ctx context.Context) (known bool, err error) {
	one, err := m.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer one.Release()
	pid, err := backendOf(ctx, one)
	if err != nil || pid == one.Conn().PgConn().PID() {
		return err == nil, err // the server itself
	}
	two, err := anotherConn(ctx, pooledWithin, m.pool.Acquire)
	if err != nil || two == nil {
		return false, err
	}
	defer two.Release()
	for range 3 { // of several sessions, the one that was last used comes first, or they come in turn
		other, err := backendOf(ctx, two)
		if err != nil {
			return false, err
		}
		again, err := backendOf(ctx, one)
		if err != nil {
			return false, err
		}
		if other == pid || again != pid {
			return false, keepsNone("its session", nil)
		}
	}
	return true, nil
}

// anotherConn returns nil where there is none within a time: the pooler has one session, which
// it keeps, or others have all connections.
func anotherConn(ctx context.Context, most time.Duration, acquire func(context.Context) (*pgxpool.Conn, error)) (*pgxpool.Conn, error) {
	within, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	conn, err := acquire(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil { // one that came as the time ended is to be released
		return nil, nil
	}
	return conn, err
}

// backendOf is the process of the server that a connection talks to now.
func backendOf(ctx context.Context, conn *pgxpool.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}
