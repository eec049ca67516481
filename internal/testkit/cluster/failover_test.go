package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	mostWritePause = 30 * time.Second // Patroni's lease is 20 s
	mostReadPause  = 2 * time.Second
	streamsWithin  = 90 * time.Second // a revived server, rewound
)

// patroni runs a command of patroni.sh.
func patroni(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(os.Getenv("PATRONI_TEST_SCRIPT"), args...).Output()
	if err != nil {
		t.Fatalf("patroni.sh %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// leader waits until the cluster has a primary and two standbys that follow it.
func leader(t *testing.T) string {
	t.Helper()
	for end := time.Now().Add(streamsWithin); time.Now().Before(end); pause(t.Context(), 200*time.Millisecond) {
		found, following := "", 0
		out, err := exec.Command(os.Getenv("PATRONI_TEST_SCRIPT"), "members").Output()
		if err != nil {
			continue // no member answers yet
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) == 3 && f[1] == "leader" && f[2] == "running" {
				found = f[0]
			}
			if len(f) == 3 && f[1] == "quorum_standby" && f[2] == "streaming" {
				following++
			}
		}
		if found != "" && following == 2 {
			return found
		}
	}
	t.Fatalf("the cluster is not complete after %s:\n%s", streamsWithin, patroni(t, "members"))
	return ""
}

// load is what goes on while servers die.
type load struct {
	name      string // of what is written and asked
	written   *acked
	reads     moments
	questions moments
}

func (l *load) read(ctx context.Context, s *server) {
	for ctx.Err() == nil {
		began := time.Now()
		text, refused, err := s.call(ctx, "", "recall", map[string]any{"query": "harbour crane of granite", "k": 3})
		switch {
		case ctx.Err() != nil:
		case err != nil || refused || !documentID.MatchString(text):
			l.reads.fail(fmt.Sprint(text, err))
		default:
			l.reads.add(began)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func (l *load) ask(ctx context.Context, s *server) {
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		text, refused, err := s.call(ctx, "", "research", map[string]any{"question": fmt.Sprintf("What makes the tides of harbour %s-%d?", l.name, n), "depth": "quick", "sources": []string{"hackernews"}, "budget_seconds": 15})
		switch {
		case ctx.Err() != nil:
		case err != nil || refused || !strings.Contains(text, answered):
			l.questions.fail(fmt.Sprint(text, err))
		default:
			l.questions.add(began)
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// TestFailover kills the primary of three, with its Patroni, under three writers, two readers
// and one that asks, all through one server. FAILOVER_KILLS says how often; the bounds of the
// pauses hold with FAILOVER_BOUNDS, on a machine that does nothing else.
func TestFailover(t *testing.T) {
	url := needed(t, "PATRONI_TEST_URL", "PATRONI_TEST_SCRIPT", binaryVariable)[0]
	kills, err := strconv.Atoi(os.Getenv("FAILOVER_KILLS"))
	if err != nil {
		kills = 1
	}
	leader(t)
	url = fresh(t, url)
	s := start(t, newSource(t, nil), "memory.backend=postgres", "memory.url="+url)
	l := &load{written: newAcked(), name: "x"}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() { l.written.write(ctx, s, "", fmt.Sprint(l.name, "w", i)) })
	}
	for l.written.count() == 0 { // there is something to find
		pause(ctx, 20*time.Millisecond)
	}
	running.Go(func() { l.read(ctx, s) })
	running.Go(func() { l.read(ctx, s) })
	running.Go(func() { l.ask(ctx, s) })
	pause(ctx, 2*time.Second)
	for k := range kills {
		victim, killed, before := leader(t), time.Now(), l.written.count()
		patroni(t, "kill", victim)
		for l.written.count() < before+10 && time.Since(killed) < 2*mostWritePause {
			pause(ctx, 50*time.Millisecond)
		}
		pause(ctx, time.Second)
		writes, reads, questions := l.written.pause(killed), l.reads.pause(killed), l.questions.pause(killed)
		t.Logf("kill %d, of %s: %d acknowledged before; writes paused for %.1f s, reads for %.1f s, answers for %.1f s", k+1, victim, before, writes.Seconds(), reads.Seconds(), questions.Seconds())
		bounded(t, "writes", writes, mostWritePause)
		bounded(t, "reads", reads, mostReadPause)
		if kills == 1 { // the way back takes longer than all of it
			break
		}
		patroni(t, "revive", victim)
		leader(t)
		t.Logf("%s follows the new primary %.1f s after the kill", victim, time.Since(killed).Seconds())
	}
	stop()
	running.Wait()
	t.Logf("slowest read %.2f s of %d, slowest answer %.2f s of %d; writes that were repeated: %v", l.reads.slowest.Seconds(), len(l.reads.at), l.questions.slowest.Seconds(), len(l.questions.at), l.written.errs)
	if len(l.questions.failed) > 0 || len(l.questions.at) == 0 {
		t.Errorf("%d questions were not answered: %q", len(l.questions.failed), l.questions.failed[:min(3, len(l.questions.failed))])
	}
	if len(l.reads.failed) > 0 {
		t.Errorf("%d reads failed: %q", len(l.reads.failed), l.reads.failed[:min(3, len(l.reads.failed))])
	}
	sound(t, url, l.written)
	if t.Failed() {
		log := s.log.String()
		t.Logf("the server's log ends with:\n%s", log[max(0, len(log)-3000):])
	}
}

func bounded(t *testing.T, what string, got, most time.Duration) {
	t.Helper()
	if os.Getenv("FAILOVER_BOUNDS") != "" && got > most {
		t.Errorf("%s paused for %s, want %s at most", what, got, most)
	}
}

// sound checks that of what was acknowledged nothing is lost, torn or doubled.
func sound(t *testing.T, url string, written *acked) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), "select uid from doc")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, id := range stored {
		have[id] = true
	}
	lost := 0
	for id := range written.ids {
		if !have[id] {
			lost++
		}
	}
	counts := map[string]int{"lost": lost}
	for name, query := range map[string]string{
		"torn": `select count(*) from doc d where d.chunks = 0 or d.chunks <> (select count(*) from passage p where p.tenant = d.tenant and p.doc = d.id)
			or not exists(select 1 from body b where b.tenant = d.tenant and b.doc = d.id)`,
		"doubled":       "select coalesce(sum(n - 1), 0) from (select count(*) n from body group by tenant, text having count(*) > 1) x",
		"doubled turns": "select coalesce(sum(n - 1), 0) from (select count(*) n from turn where role = 'user' group by tenant, text having count(*) > 1) x",
		"miscounted":    "select count(*) from (select (select sum(documents) from tally where model = 0) a, (select count(*) from doc) b) x where a <> b",
	} {
		var n int
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		counts[name] = n
	}
	t.Logf("%d acknowledged, %d documents stored: %v", len(written.ids), len(stored), counts)
	for name, n := range counts {
		if n != 0 {
			t.Errorf("%d %s, want 0", n, name)
		}
	}
}
