package cluster

import (
	"context"
	"fmt"
	neturl "net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// token makes a token of a tenant in the file of a server, and returns it.
func token(t *testing.T, file, name, tenant string) string {
	t.Helper()
	cmd := exec.Command(os.Getenv(binaryVariable), "token", "add", name, "--tenant", tenant, "--set", "server.http.tokens_file="+file, "--data-dir", t.TempDir())
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// fresh makes a database for this run on the server of a URL.
func fresh(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("replicas_", time.Now().UnixNano())
	if _, err := conn.Exec(t.Context(), "create database "+name); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context()) // the primary may be another one at the end
	t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), url); err == nil { // else the server has gone before
			_, _ = conn.Exec(context.Background(), "drop database "+name+" with (force)")
			_ = conn.Close(context.Background())
		}
	})
	u, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	for { // a standby that is asked first may not have it yet
		conn, err := pgx.Connect(t.Context(), u.String())
		if err == nil {
			_ = conn.Close(t.Context())
			return u.String()
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		pause(t.Context(), 50*time.Millisecond)
	}
}

// query returns a number from a database.
func query(t *testing.T, url, sql string, args ...any) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReplicas has two servers on data folders of their own, as on two machines, and two
// tenants, of which one has a database of its own. They are used for REPLICAS_SECONDS; then
// one server is killed in the middle of a question.
func TestReplicas(t *testing.T) {
	urls := needed(t, "FIRST_TEST_URL", "SECOND_TEST_URL", binaryVariable)
	first, second := fresh(t, urls[0]), fresh(t, urls[1])
	seconds, err := strconv.Atoi(os.Getenv("REPLICAS_SECONDS"))
	if err != nil {
		seconds = 15
	}
	file := t.TempDir() + "/tokens.json"
	tokens := map[string]string{"blue": token(t, file, "b", "blue"), "red": token(t, file, "r", "red")}
	databases := map[string]string{"blue": first, "red": second}
	var hold atomic.Pointer[chan struct{}]
	source := newSource(t, &hold)
	servers := make([]*server, 2)
	for i := range servers {
		servers[i] = start(t, source, "memory.backend=postgres", "memory.url="+first, "memory.tenant_urls=red="+second, "server.http.tokens_file="+file,
			"server.http.tenant_requests_per_minute=0", "models.builtin=on")
	}
	written := map[string]*acked{"blue": newAcked(), "red": newAcked()}
	var reads, questions moments
	ctx, stop := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
	defer stop()
	var running sync.WaitGroup
	for i, s := range servers {
		for tenant, secret := range tokens {
			running.Go(func() { written[tenant].write(ctx, s, secret, fmt.Sprint(tenant, i)) })
			running.Go(func() { seeOwn(ctx, s, secret, tenant, &reads) })
			running.Go(func() { askFor(ctx, s, secret, tenant, &questions) })
		}
	}
	running.Wait()
	for tenant, w := range written {
		if len(w.errs) > 0 {
			t.Errorf("writes of %s that were refused: %v", tenant, w.errs)
		}
	}
	t.Logf("%d s: %d and %d notes, %d recalls (slowest %.2f s), %d answers (slowest %.2f s)", seconds, written["blue"].count(), written["red"].count(), len(reads.at), reads.slowest.Seconds(), len(questions.at), questions.slowest.Seconds())
	if failed := append(reads.failed, questions.failed...); len(failed) > 0 {
		t.Errorf("%d calls failed: %q", len(failed), failed[:min(3, len(failed))])
	}
	killOne(t, servers, tokens["blue"], databases["blue"], written["blue"], &hold)
	for tenant, w := range written {
		var held []string
		for id := range w.ids {
			held = append(held, id)
		}
		if n := query(t, databases[tenant], "select count(*) from doc where tenant = $1 and uid = any($2)", tenant, held); n != len(held) {
			t.Errorf("of %d acknowledged notes of %s, %d are in its database", len(held), tenant, n)
		}
		for other, database := range databases {
			if n := query(t, database, "select count(*) from doc where tenant = $1", tenant); other != tenant && n != 0 {
				t.Errorf("%d documents of %s are in the database of %s", n, tenant, other)
			}
		}
	}
}

// seeOwn recalls what every tenant has, and must get its own alone.
func seeOwn(ctx context.Context, s *server, secret, tenant string, reads *moments) {
	other := map[string]string{"blue": "red", "red": "blue"}[tenant]
	for ctx.Err() == nil {
		began := time.Now()
		text, refused, err := s.call(ctx, secret, "recall", map[string]any{"query": "ledger harbour crane", "k": 5})
		switch {
		case ctx.Err() != nil:
		case err != nil || refused || strings.Contains(text, "entry "+other):
			reads.fail(fmt.Sprint(text, err))
		default:
			reads.add(began)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func askFor(ctx context.Context, s *server, secret, tenant string, questions *moments) {
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		text, refused, err := s.call(ctx, secret, "research", map[string]any{"question": fmt.Sprintf("What makes the tides, %s %d?", tenant, n), "depth": "quick", "sources": []string{"hackernews"}})
		switch {
		case ctx.Err() != nil:
		case err != nil || refused || !strings.Contains(text, answered):
			questions.fail(fmt.Sprint(text, err))
		default:
			questions.add(began)
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// killOne kills the first server in the middle of a question: the second one takes the
// question up, what was acknowledged is there, and the second one makes the vectors.
func killOne(t *testing.T, servers []*server, secret, database string, written *acked, hold *atomic.Pointer[chan struct{}]) {
	t.Helper()
	block := make(chan struct{})
	hold.Store(&block)
	question := map[string]any{"question": "Why does the sea rise twice a day?", "depth": "quick", "sources": []string{"hackernews"}}
	cut := make(chan error, 1)
	go func() {
		_, _, err := servers[0].call(t.Context(), secret, "research", question)
		cut <- err
	}()
	for query(t, database, "select count(*) from claim where tenant = 'blue' and question like 'Why does the sea%'") == 0 {
		pause(t.Context(), 50*time.Millisecond)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { written.write(ctx, servers[0], secret, "last") })
	for before := written.count(); written.count() < before+3; {
		pause(t.Context(), 20*time.Millisecond)
	}
	servers[0].kill()
	stop()
	writing.Wait()
	if err := <-cut; err == nil {
		t.Error("the question of the killed server has an answer")
	}
	close(block)
	hold.Store(nil)
	began := time.Now()
	text, refused, err := servers[1].call(t.Context(), secret, "research", question)
	if err != nil || refused || !strings.Contains(text, answered) {
		t.Errorf("asked again, the other server says %.400s, %v", text, err)
	}
	t.Logf("the question of the killed server was answered by the other one in %.1f s", time.Since(began).Seconds())
	const missing = "select count(*) from doc d where d.tenant = 'blue' and not exists(select 1 from embedded e join model m on m.tenant = e.tenant and m.id = e.model where e.tenant = d.tenant and e.doc = d.id and m.kind = 'transformer')"
	queued := query(t, database, missing)
	for end := time.Now().Add(patience); query(t, database, missing) >= queued && queued > 0; pause(t.Context(), 200*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d documents wait for vectors of the encoder, and none gets any after the server that made them was killed", queued)
		}
	}
	t.Logf("the other server makes vectors: of %d documents without, %d are left", queued, query(t, database, missing))
}
