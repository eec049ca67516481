package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// line is a connection to the server that can be cut.
type line struct {
	addr    string
	cutting atomic.Int32 // of so many commits the answers are lost
	lost    atomic.Int32 // that were lost
	down    atomic.Bool  // connections are ended
	mute    atomic.Bool  // nothing gets through, and nothing is ended

	mu   sync.Mutex
	open []net.Conn
}

// newLine puts a line between a test and the server.
func newLine(t *testing.T) *line {
	t.Helper()
	server := mustParse(t, database).Host
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: in.Addr().String()}
	t.Cleanup(func() { _ = in.Close(); l.cut() })
	go func() {
		for {
			client, err := in.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil || l.down.Load() {
				_ = client.Close()
				continue
			}
			l.mu.Lock()
			l.open = append(l.open, client, out)
			l.mu.Unlock()
			mute := &atomic.Bool{}
			go l.forward(out, client, mute)
			go l.back(client, out, mute)
		}
	}()
	return l
}

// forward passes on what the client says, and sees its commits.
func (l *line) forward(to, from net.Conn, mute *atomic.Bool) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if bytes.Contains(buf[:n], []byte("Q\x00\x00\x00\x0bcommit\x00")) && l.cutting.Load() > 0 {
			l.cutting.Add(-1)
			mute.Store(true)
		}
		if n > 0 && !l.mute.Load() {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// back passes on the answers, but for that of a commit.
func (l *line) back(to, from net.Conn, mute *atomic.Bool) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if mute.Load() && n > 0 {
			l.lost.Add(1)
			_, _ = to.Close(), from.Close()
			return
		}
		if n > 0 && !l.mute.Load() {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// cut ends all connections.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close()
	}
	l.open = nil
}

// openOver opens a memory over a line, which may be the first of several hosts.
func openOver(t *testing.T, l *line, more ...string) *Memory {
	t.Helper()
	m := open(t) // makes the schema
	u := mustParse(t, with("search_path", m.server.schema+",public", "pool_max_conns", "4"))
	u.Host = strings.Join(append([]string{l.addr}, more...), ",")
	over, err := Open(t.Context(), contract.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = over.Close() })
	return over
}

// A commit whose answer is lost is done again, and stores nothing twice.
func TestLostCommitsDoubleNothing(t *testing.T) {
	t.Parallel()
	needServer(t)
	l := newLine(t)
	m := openOver(t, l)
	s, err := m.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	run := evidence.Answer{Answer: "a", Question: "q"}
	for i, call := range []func() error{
		func() error {
			_, err := m.Put(t.Context(), memorytest.Doc("a", "One.\n\nTwo."), memorytest.Chunks("One.\n\nTwo."))
			return err
		},
		func() error {
			return m.Append(t.Context(), s.ID, evidence.Turn{Role: evidence.RoleUser, Text: "q"}, evidence.Turn{Role: evidence.RoleAssistant, Text: "a", Run: &run})
		},
		func() error {
			ok, err := m.Fold(t.Context(), s.ID, 0, 1, "They asked.")
			if !ok {
				err = errors.Join(err, errors.New("Fold = false"))
			}
			return err
		},
		func() error {
			ok, err := m.ClaimRun(t.Context(), contract.ClaimedRun{ID: "r_claimed", Begun: m.now(), Request: []byte("{}")})
			if !ok {
				err = errors.Join(err, errors.New("ClaimRun = false"))
			}
			return err
		},
		func() error { _, err := m.Open(t.Context(), ""); return err },
		func() error {
			r, err := m.Forget(t.Context(), contract.Selector{IDs: []string{"a"}})
			if r.Documents != 1 || r.Chunks != 2 {
				err = errors.Join(err, fmt.Errorf("Forget = %+v, want one document", r))
			}
			return err
		},
	} {
		if i == 0 { // the space of the vectors is made in a transaction before
			l.cutting.Store(2)
		} else {
			l.cutting.Store(1)
		}
		if err := call(); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
		if st, err := m.Stats(t.Context()); i == 0 && (err != nil || st.Documents != 1 || st.Chunks != 2) {
			t.Errorf("after Put: %d documents, %d chunks, %v", st.Documents, st.Chunks, err)
		}
	}
	if n := l.lost.Load(); n != 7 {
		t.Errorf("the answers of %d commits were lost, want 7", n)
	}
	st, err := m.Stats(t.Context())
	if err != nil || st.Documents != 0 || st.Turns != 2 || st.Runs != 1 || st.Sessions != 2 || len(st.Models) != 1 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// A report counts what was done once, also if the answer of its commit was lost.
func TestLostCommitsAreReported(t *testing.T) {
	t.Parallel()
	needServer(t)
	from, l := open(t), newLine(t)
	const docs = 5
	for i := range docs {
		keep(t, from, textDoc(i, fmt.Sprint("words of the sea ", i)))
	}
	var export bytes.Buffer
	if _, err := from.Export(t.Context(), &export, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	m := openOver(t, l)
	l.cutting.Store(1)
	if moved, err := m.Import(t.Context(), &export, contract.ImportOptions{}); err != nil || moved.Documents != docs || moved.Chunks != docs || moved.Skipped != 0 {
		t.Errorf("Import = %+v, %v, want %d documents", moved, err, docs)
	}
	m.cfg.Keep = contract.Retention{MaxAge: time.Hour}
	m.cfg.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	l.cutting.Store(1)
	if r, err := m.Retain(t.Context()); err != nil || r.Documents != docs || len(r.IDs) != docs || r.Remaining != 0 {
		t.Errorf("Retain = %+v, %v, want %d documents", r, err, docs)
	}
	if n := l.lost.Load(); n != 2 {
		t.Errorf("the answers of %d commits were lost, want 2", n)
	}
}

// Connections that are killed in the midst of writes lose nothing that was acknowledged,
// and leave nothing half.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := open(t)
	killer := admin(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	kills := 0
	wg.Go(func() {
		for kills < 20 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond): // so that some get through
			}
			var n int
			err := killer.QueryRow(ctx, `select count(pg_terminate_backend(pid)) from (select a.pid from pg_stat_activity a join pg_locks l on l.pid = a.pid
				where l.relation = $1::regclass and a.pid <> pg_backend_pid() limit 1) one`, m.server.schema+".doc").Scan(&n)
			if err == nil {
				kills += n
			}
		}
	})
	var acked atomic.Int32
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 15 {
				body := strings.Repeat(fmt.Sprintf("Text %d of writer %d.\n\n", i, w), 5)
				if _, err := m.Put(t.Context(), memorytest.Doc(fmt.Sprintf("w%d_%d", w, i), body), memorytest.Chunks(body)); err != nil {
					t.Errorf("Put = %v", err)
					return
				}
				acked.Add(1)
			}
		})
	}
	writers.Wait()
	stop()
	wg.Wait()
	st, err := m.Stats(t.Context())
	if err != nil || st.Documents != int(acked.Load()) || st.Documents != 45 || st.Chunks != 45*6 {
		t.Errorf("%d documents with %d chunks are stored, %v, of %d acknowledged", st.Documents, st.Chunks, err, acked.Load())
	}
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
	if kills == 0 {
		t.Error("no connection was killed")
	}
}

// While the server is away a call fails when its context ends, with an error that says
// so; when it is back, everything goes on.
func TestServerAway(t *testing.T) {
	t.Parallel()
	needServer(t)
	l := newLine(t)
	m := openOver(t, l)
	keep(t, m, textDoc(1, "A text about otters."))
	l.down.Store(true)
	l.cut()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := m.Put(ctx, textDoc(2, "A text about beavers."), evidence.Chunks{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put without a server = %v, want its deadline", err)
	}
	_, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "otters"})
	wantProblem(t, err, "cannot be reached", "pg_isready")
	l.down.Store(false)
	keep(t, m, textDoc(2, "A text about beavers."))
	if r, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "otters"}); err != nil || len(r.Hits) != 1 {
		t.Errorf("Recall when it is back = %+v, %v", r.Hits, err)
	}
}

// On a full disk nothing is half-written, and what is stored can be read.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := smallDisk(t)
	name := "small_" + strings.TrimPrefix(schemaOf(t.TempDir()), "m_")
	conn := admin(t)
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("create tablespace %s location '%s'", name, dir)); err != nil {
		t.Skipf("not run: the server cannot use a small disk: %v", err)
	}
	addExtension(t)
	admin(t, "create schema "+name)
	t.Cleanup(func() {
		for _, x := range []string{"drop schema " + name + " cascade", "drop tablespace " + name} {
			if _, err := conn.Exec(context.Background(), x); err != nil {
				t.Error(err)
			}
		}
	})
	m, err := Open(t.Context(), contract.Config{URL: with("search_path", name+",public", "default_tablespace", name)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	stored := 0
	for i := range 200 {
		if _, err = m.Put(t.Context(), textDoc(i, noise(i, 100<<10)), evidence.Chunks{}); err != nil {
			break
		}
		stored++
	}
	wantProblem(t, err, "disk", "full", "nothing was written")
	if !errors.Is(err, contract.ErrFull) || stored == 0 {
		t.Errorf("Put on a full disk after %d documents = %v", stored, err)
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != stored {
		t.Errorf("%d documents are stored, %v, want %d", st.Documents, err, stored)
	}
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// noise is a text of n bytes that does not compress well.
func noise(seed, n int) string {
	x, b := uint64(seed)*0x9e3779b97f4a7c15+1, make([]byte, n)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if b[i] = byte('a' + x%26); i%9 == 8 {
			b[i] = ' '
		}
	}
	return string(b)
}

// While a server is away, a user is warned from time to time, and not at each attempt.
func TestWarningsOfAttemptsAreFew(t *testing.T) {
	t.Parallel()
	var w warned
	now := time.Now()
	for i, c := range []struct {
		after time.Duration
		want  slog.Level
	}{{0, slog.LevelWarn}, {time.Millisecond, slog.LevelDebug}, {warnAgain - time.Second, slog.LevelDebug}, {warnAgain, slog.LevelWarn}, {warnAgain + time.Second, slog.LevelDebug}} {
		if got := w.level(now.Add(c.after)); got != c.want {
			t.Errorf("attempt %d has the level %v, want %v", i, got, c.want)
		}
	}
}
