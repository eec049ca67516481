package postgres

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// mostSilence is more than a call may wait for a server that is silent, and much less than
// it would without lines.
const mostSilence = 8 * time.Second

// bounded is the context of a call that must not wait for a silent server to the end.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), mostSilence)
	t.Cleanup(cancel)
	return ctx
}

// A primary that swallows everything, and ends no connection, is given up by a read, with an
// error that says so; when it answers again, everything goes on.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	needServer(t)
	l := newLine(t)
	m := openOver(t, l)
	keep(t, m, textDoc(1, "A text about otters."))
	l.mute.Store(true)
	for range 2 { // on a connection that was used, and on none
		_, err := m.Recall(bounded(t), evidence.RecallQuery{Text: "otters"})
		wantProblem(t, err, "nothing comes from", "`")
		if !isSilent(err) {
			t.Errorf("Recall of a silent server = %v, which is not told from other errors", err)
		}
	}
	written := make(chan error, 1)
	go func() {
		_, err := m.Put(t.Context(), textDoc(2, "A text about beavers."), evidence.Chunks{})
		written <- err
	}()
	time.Sleep(silentAfter) // so that it has begun, as a rule
	l.cut()                 // what was swallowed is gone for good
	l.mute.Store(false)
	if err := <-written; err != nil {
		t.Errorf("a write that waited = %v", err)
	}
	if r, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "text"}); err != nil || len(r.Hits) != 2 {
		t.Errorf("Recall when it answers again = %+v, %v", r.Hits, err)
	}
}

// While a primary is silent, reads and writes go to another server of the URL.
func TestSilentServerOfSeveral(t *testing.T) {
	t.Parallel()
	needServer(t)
	l := newLine(t)
	m := openOver(t, l, mustParse(t, database).Host) // another way to the same one
	keep(t, m, textDoc(1, "A text about otters."))
	l.mute.Store(true)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if r, err := m.Recall(bounded(t), evidence.RecallQuery{Text: "otters"}); err != nil || len(r.Hits) != 1 {
				t.Errorf("Recall = %+v, %v", r.Hits, err)
			}
		})
	}
	all.Wait()
	if _, err := m.Put(bounded(t), textDoc(2, "A text about beavers."), evidence.Chunks{}); err != nil {
		t.Error(err)
	}
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// Nothing that is open keeps a memory from being closed when its server is silent.
func TestCloseOfSilentServer(t *testing.T) {
	t.Parallel()
	needServer(t)
	l := newLine(t)
	m := openOver(t, l)
	keep(t, m, textDoc(1, "A text about otters."))
	if ok, err := m.ClaimRun(t.Context(), contract.ClaimedRun{ID: "r_one", Begun: m.now(), Request: []byte("{}")}); !ok || err != nil {
		t.Fatalf("ClaimRun = %v, %v", ok, err)
	}
	l.mute.Store(true)
	gone, leave := context.WithCancel(t.Context())
	began := make(chan struct{})
	writing := make(chan error, 1)
	go func() {
		writing <- m.write(gone, "testing", func(tx attempt) error {
			close(began)
			_, err := tx.Exec(gone, "select 1")
			return err
		})
	}()
	select {
	case <-began:
		t.Fatal("a transaction began on a silent server")
	case <-time.After(silentAfter / 2):
	}
	leave()
	closed := make(chan struct{})
	go func() {
		_ = m.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-bounded(t).Done():
		t.Error("Close waits for a silent server")
	}
	if err := <-writing; err == nil {
		t.Error("a write to a silent server succeeded")
	}
}

// A statement that takes long is no silence.
func TestLongStatement(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := open(t)
	runs := 0
	err := m.read(t.Context(), "testing", func(tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(t.Context(), "select pg_sleep(4)")
		return err
	})
	if err != nil || runs != 1 {
		t.Errorf("a statement of 4 s was run %d times, %v", runs, err)
	}
}

// What a connection waits for is whether its server says anything to anybody: one that
// works is not given up, and one that is frozen ends all connections.
func TestLines(t *testing.T) {
	t.Parallel()
	var deaf, slow sync.Map // connections, by what the server has said
	serve := func(says bool, seen *sync.Map) string {
		in, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = in.Close() })
		go func() {
			for {
				c, err := in.Accept()
				if err != nil {
					return
				}
				seen.Store(c, true)
				go func() {
					buf := make([]byte, 8)
					n, err := io.ReadFull(c, buf)
					if says && err == nil && n == 8 && buf[3] == 8 { // a question for encryption
						_, _ = c.Write([]byte("N"))
					}
				}()
			}
		}()
		return in.Addr().String()
	}
	silent, working := serve(false, &deaf), serve(true, &slow)
	l := newLines(slog.New(slog.DiscardHandler))
	resets := make(chan struct{}, 10)
	l.onSilence(func() { resets <- struct{}{} })
	open := func(dial func(context.Context, string, string) (net.Conn, error), address string) net.Conn {
		c, err := dial(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	waiting, idle := open(l.dial, silent), open(l.dialToListen, silent)
	patient := open(l.dial, working)
	ended := make(chan error, 1)
	go func() { _, err := patient.Read(make([]byte, 1)); ended <- err }()
	for _, c := range []net.Conn{waiting, idle} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, errSilent{silent}) {
			t.Errorf("reading from a silent server = %v", err)
		}
	}
	<-resets
	if _, err := l.dial(t.Context(), "tcp", silent); !errors.Is(err, errSilent{silent}) {
		t.Errorf("dialling a silent server = %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("reading from a server that works for long = %v", err)
	case <-time.After(silentAfter + silentWithin + askAgain):
	}
	l.close()
	if err := <-ended; err == nil {
		t.Error("a connection outlives its lines")
	}
	if _, err := l.dial(t.Context(), "tcp", working); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialling after the end = %v", err)
	}
}

// A process that froze in the midst of a transaction keeps its locks for a minute at most, and
// one with a job for as long as the job may compute.
func TestIdleTransactions(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := open(t)
	setting := func(q querier, name string) (value string) {
		if err := q.QueryRow(t.Context(), "select current_setting($1)", name).Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	for name, want := range map[string]string{"idle_in_transaction_session_timeout": "1min", "tcp_keepalives_idle": "10", "tcp_keepalives_count": "3", "tcp_user_timeout": "60000"} {
		if got := setting(m.pool, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	j, err := m.tryLock(t.Context(), "testing")
	if err != nil {
		t.Fatal(err)
	}
	if got := setting(j.in.conn, "idle_session_timeout"); got != "15min" {
		t.Errorf("a job may be idle for %q", got)
	}
	conn := j.in.conn.Conn().PgConn().PID()
	j.release()
	var left int
	if err := m.pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where pid = $1", conn).Scan(&left); err != nil || left != 1 {
		t.Errorf("the connection of a job was ended, %v", err)
	}
	if got := setting(m.pool, "idle_session_timeout"); got != "0" {
		t.Errorf("after a job a connection may be idle for %q", got)
	}
}

// The lock of a process that does nothing in the midst of a transaction is freed, and what it
// does afterwards is tried again.
func TestFrozenWriter(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := open(t)
	u := with("search_path", m.server.schema+",public", "idle_in_transaction_session_timeout", "200ms")
	frozen := openURL(t, u)
	keep(t, m, textDoc(1, "A text about otters."))
	locked, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	runs := 0
	go func() {
		done <- frozen.write(t.Context(), "testing", func(tx attempt) error {
			if _, err := tx.Exec(t.Context(), "select 1 from doc where uid = 'd1' for update"); err != nil {
				return err
			}
			if runs++; runs == 1 {
				close(locked)
				<-goOn
			}
			_, err := tx.Exec(t.Context(), "update doc set title = 'of the one that froze' where uid = 'd1'")
			return err
		})
	}()
	<-locked
	if _, err := m.Put(bounded(t), textDoc(1, "A text about beavers."), evidence.Chunks{}); err != nil {
		t.Errorf("Put of what a frozen process has locked = %v", err)
	}
	close(goOn)
	if err := <-done; err != nil || runs != 2 {
		t.Errorf("the one that froze has run %d times, %v", runs, err)
	}
	d, found, err := m.Document(t.Context(), "d1")
	if err != nil || !found || d.Title != "of the one that froze" || !strings.Contains(d.Text, "beavers") {
		t.Errorf("Document = %+v, %v, %v", d, found, err)
	}
}

// slowWriter takes its time.
type slowWriter struct{ pause time.Duration }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(w.pause)
	return len(p), nil
}

// An export is not ended while whoever reads it is slow.
func TestSlowExport(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := open(t)
	for i := range 3 {
		keep(t, m, textDoc(i, noise(i, 100<<10)))
	}
	over := openURL(t, with("search_path", m.server.schema+",public", "idle_in_transaction_session_timeout", "100ms"))
	if moved, err := over.Export(t.Context(), slowWriter{300 * time.Millisecond}, contract.ExportOptions{}); err != nil || moved.Documents != 3 {
		t.Errorf("Export = %+v, %v", moved, err)
	}
}
