package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// sharing opens tenants that have their connections, four at most, in common.
func sharing(t *testing.T, names ...string) (all []*Memory, schema string) {
	t.Helper()
	needServer(t)
	dir, shared := t.TempDir(), &contract.Shared{}
	schema = schemaOf(dir)
	dropServerRole(t, schema)
	for _, name := range names {
		m, err := openTenant(t.Context(), name, contract.Config{Dir: dir, Shared: shared})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		all = append(all, m)
	}
	return all, schema
}

// connected counts the connections of the role of servers.
func connected(t *testing.T, conn *pgx.Conn, schema string) (n int) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), "select count(*) from pg_stat_activity where usename = $1", "server_"+schema).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// Many tenants work at once over a few connections, whose transactions end in every way there
// is: none sees or changes anything of another, and outside of transactions a connection is
// nobody's.
func TestTenantsShareConnections(t *testing.T) {
	t.Parallel()
	names := []string{"it's", `back\slash`, "ünï", "t4", "t5", "t6", "t7", "t8"}
	all, schema := sharing(t, names...)
	killer := admin(t)
	stop := make(chan struct{})
	var watching, working sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond): // so that some get through
			}
			if n := connected(t, killer, schema); n > 4 {
				t.Errorf("there are %d connections, want 4 at most", n)
			}
			if _, err := killer.Exec(context.Background(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 order by random() limit 1", "server_"+schema); err != nil {
				t.Error(err)
			}
		}
	})
	for i, m := range all {
		working.Go(func() { workShared(t, m, names, i) })
	}
	working.Wait()
	close(stop)
	watching.Wait()
	for i, m := range all {
		if st, err := m.Stats(t.Context()); err != nil || st.Documents != 10 {
			t.Errorf("%q has %d documents, %v, want 10", names[i], st.Documents, err)
		}
	}
	for range 20 { // whichever connection it is
		var whose string
		var seen int
		if err := all[0].pool.QueryRow(t.Context(), "select current_setting('research.tenant'), (select count(*) from doc)").Scan(&whose, &seen); err != nil || whose != nobody || seen != 0 {
			t.Errorf("a connection is of %q and sees %d documents, %v", whose, seen, err)
		}
	}
	for i, m := range all[:7] {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "ledger"}); !errors.Is(err, errClosed) {
			t.Errorf("Recall of %q when it is closed = %v", names[i], err)
		}
	}
	if _, found, err := all[7].Document(t.Context(), "d1"); err != nil || !found {
		t.Errorf("when others are closed, Document = %v, %v", found, err)
	}
	if err := all[7].Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the last one closes the connections", func() bool { return connected(t, killer, schema) == 0 })
}

// workShared writes, reads, fails and gives up as one of several tenants.
func workShared(t *testing.T, m *Memory, names []string, me int) {
	failed := errors.New("of the test")
	for i := range 10 {
		keep(t, m, textDoc(i, fmt.Sprintf("Page %d of the ledger of %s.", i, names[me])))
		if err := m.write(t.Context(), "testing", func(tx attempt) error {
			_, err := tx.Exec(t.Context(), "update doc set title = 'changed'")
			return errors.Join(failed, err)
		}); !errors.Is(err, failed) && !isLost(err) {
			t.Errorf("a write that fails = %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := m.read(ctx, "testing", func(tx pgx.Tx) error {
			cancel()
			_, err := tx.Exec(ctx, "select pg_sleep(1)")
			return err
		})
		if cancel(); !errors.Is(err, context.Canceled) {
			t.Errorf("a read that was given up = %v", err)
		}
		var r evidence.RecallResult
		eventually(t, "it is recalled", func() bool { // connections are killed all the time
			var err error
			r, err = m.Recall(t.Context(), evidence.RecallQuery{Text: "page of the ledger", K: 100})
			return err == nil
		})
		others := func(h evidence.Hit) bool {
			return !strings.HasSuffix(h.Document.Text, "of "+names[me]+".") && !strings.HasSuffix(h.Passage.Text, "of "+names[me]+".") || h.Document.Title == "changed"
		}
		if len(r.Hits) != i+1 || slices.ContainsFunc(r.Hits, others) {
			t.Errorf("after %d documents, %q recalls %d: %+v", i+1, names[me], len(r.Hits), r.Hits)
		}
	}
}

// A tenant whose writes wait leaves others connections, and so do its jobs.
func TestTenantThatWaitsLeavesConnections(t *testing.T) {
	t.Parallel()
	all, schema := sharing(t, "blue", "red")
	blue, red := all[0], all[1]
	keep(t, blue, textDoc(1, "The ledger of blue."))
	keep(t, red, textDoc(1, "The ledger of red."))
	conn := admin(t)
	locking, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locking.Exec(t.Context(), "select 1 from "+schema+".doc where tenant = 'blue' for update"); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for i := range 8 {
		waiting.Go(func() {
			if _, err := blue.Put(t.Context(), textDoc(1, fmt.Sprintf("The ledger of blue, edition %d.", i)), evidence.Chunks{}); err != nil {
				t.Error(err)
			}
		})
	}
	watcher := admin(t)
	eventually(t, "writes wait", func() bool {
		var n int
		err := watcher.QueryRow(t.Context(), "select count(*) from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'", "server_"+schema).Scan(&n)
		return err == nil && n == cap(blue.seats)
	})
	job, err := blue.tryLock(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	keep(t, red, textDoc(2, "Another ledger of red."))
	if r, err := red.Recall(bounded(t), evidence.RecallQuery{Text: "ledger"}); err != nil || len(r.Hits) != 2 {
		t.Errorf("Recall = %+v, %v", r.Hits, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := blue.Recall(ctx, evidence.RecallQuery{Text: "ledger"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Recall of the tenant whose writes wait = %v, want its deadline", err)
	}
	job.release()
	if err := locking.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	waiting.Wait()
}

// Who waits for a connection when the memory is closed gets an error; what is at work ends.
func TestCloseEndsWhoWaits(t *testing.T) {
	t.Parallel()
	all, schema := sharing(t, "blue", "red")
	blue := all[0]
	keep(t, blue, textDoc(1, "The ledger of blue."))
	locking, err := admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locking.Exec(t.Context(), "select 1 from "+schema+".doc where tenant = 'blue' for update"); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 5)
	for i := range 5 {
		go func() {
			_, err := blue.Put(t.Context(), textDoc(1, fmt.Sprintf("The ledger of blue, edition %d.", i)), evidence.Chunks{})
			results <- err
		}()
	}
	eventually(t, "the others wait for a connection", func() bool { return len(blue.seats) == cap(blue.seats) })
	closed := make(chan error, 1)
	go func() { closed <- blue.Close() }()
	for range 5 - cap(blue.seats) {
		if err := <-results; !errors.Is(err, errClosed) {
			t.Errorf("Put that waited = %v, want %v", err, errClosed)
		}
	}
	if err := locking.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	for range cap(blue.seats) {
		if err := <-results; err != nil {
			t.Errorf("Put that was at work = %v", err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := all[1].Stats(t.Context()); err != nil {
		t.Errorf("Stats of another tenant = %v", err)
	}
}

// Two tenants whose writes wait, and the jobs of both, leave a third one the connection by
// which its claims live.
func TestClaimsBesideTenantsThatWait(t *testing.T) {
	t.Parallel()
	all, schema := sharing(t, "blue", "red", "green")
	green := all[2]
	run := contract.ClaimedRun{ID: "r_1", Question: "q?", Request: []byte("{}"), Begun: time.Now()}
	if got, err := green.ClaimRun(t.Context(), run); err != nil || !got {
		t.Fatalf("ClaimRun = %v, %v", got, err)
	}
	conn := admin(t)
	for _, m := range all[:2] {
		keep(t, m, textDoc(1, "The ledger."))
		j, err := m.tryLock(t.Context(), "one")
		if err != nil {
			t.Fatal(err)
		}
		defer j.release()
	}
	locking, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locking.Exec(t.Context(), "select 1 from "+schema+".doc for update"); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for i := range 4 {
		for _, m := range all[:2] {
			waiting.Go(func() {
				if _, err := m.Put(t.Context(), textDoc(1, fmt.Sprintf("edition %d.", i)), evidence.Chunks{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "all transactions that there may be wait", func() bool { return len(green.conns.room) == cap(green.conns.room) })
	watcher := admin(t, "update "+schema+".claim set sign = '-infinity'")
	if err := green.renewClaims(bounded(t)); err != nil {
		t.Errorf("renewClaims = %v", err)
	}
	var alive bool
	if err := watcher.QueryRow(t.Context(), "select sign > '-infinity' from "+schema+".claim").Scan(&alive); err != nil || !alive {
		t.Errorf("the claim is alive: %v, %v", alive, err)
	}
	if err := locking.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	waiting.Wait()
}

// The signs of claims do not wait for a removal that has one of them.
func TestClaimsBesideARemoval(t *testing.T) {
	t.Parallel()
	all, schema := sharing(t, "blue")
	blue := all[0]
	for _, id := range []string{"r_1", "r_2"} {
		run := contract.ClaimedRun{ID: id, Question: "q?", Request: []byte("{}"), Begun: time.Now()}
		if got, err := blue.ClaimRun(t.Context(), run); err != nil || !got {
			t.Fatalf("ClaimRun = %v, %v", got, err)
		}
	}
	removing := admin(t, "update "+schema+".claim set sign = '-infinity'", "begin", "delete from "+schema+".claim where id = 'r_1'")
	if err := blue.renewClaims(bounded(t)); err != nil {
		t.Errorf("renewClaims = %v", err)
	}
	if _, err := removing.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	var alive []string
	if err := removing.QueryRow(t.Context(), "select array_agg(id) from "+schema+".claim where sign > '-infinity'").Scan(&alive); err != nil || !slices.Equal(alive, []string{"r_2"}) {
		t.Errorf("alive are %v, %v", alive, err)
	}
}

// A memory that is the only one of its connections has more than a tenant's share of them.
func TestShareOfTheOnlyMemory(t *testing.T) {
	t.Parallel()
	all, _ := sharing(t, "blue", "red")
	blue, red := all[0], all[1]
	if most := cap(blue.conns.room); most <= cap(blue.seats) {
		t.Fatalf("a share is %d of %d", cap(blue.seats), most)
	}
	blue.seats <- struct{}{} // its share is in use
	if err := red.Close(); err != nil {
		t.Error(err)
	}
	if _, err := blue.Stats(bounded(t)); err != nil {
		t.Errorf("Stats of the only memory = %v", err)
	}
	<-blue.seats
}

// The time that a call waits for its turn is not one in which it fails.
func TestWaitedIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &Memory{log: slog.New(slog.DiscardHandler), ctx: t.Context()}
		turn := func(_ context.Context, fn func() error) error {
			time.Sleep(time.Hour)
			return fn()
		}
		n := 0
		err := m.retriedIn(t.Context(), "testing", readFor, turn, func() error {
			if n++; n < 3 {
				return &pgconn.PgError{Code: serializationFailure}
			}
			return nil
		})
		if err != nil || n != 3 {
			t.Errorf("%d attempts, %v, want 3", n, err)
		}
		began := time.Now()
		err = m.retried(t.Context(), "testing", readFor, func() error {
			time.Sleep(time.Second)
			return &pgconn.PgError{Code: serializationFailure}
		})
		if took := time.Since(began); err == nil || took > 2*readFor {
			t.Errorf("what fails was tried for %s, %v", took, err)
		}
	})
}

// Who opens a memory where other tenants have all connections is told so.
func TestOpeningBesideOthers(t *testing.T) {
	t.Parallel()
	all, _ := sharing(t, "blue", "red")
	blue := all[0]
	for range cap(blue.conns.room) {
		blue.conns.room <- struct{}{} // transactions of others
	}
	wantProblem(t, blue.begins(t.Context(), time.Millisecond), "all 4 connections", "other tenants", "pool_max_conns", "pg_stat_activity")
	blue.inTurn.Add(1) // now one of them is its own: it is the server that it waits for
	within, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := blue.begins(within, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a transaction of its own = %v, want the end of its time", err)
	}
	blue.inTurn.Add(-1)
	for range cap(blue.conns.room) {
		<-blue.conns.room
	}
	if err := blue.begins(t.Context(), fullFor); err != nil {
		t.Errorf("later = %v", err)
	}
}
