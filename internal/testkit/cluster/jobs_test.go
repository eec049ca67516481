package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// until waits until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, what)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
	t.Logf("after %.1f s: %s", time.Since(began).Seconds(), what)
}

// holding opens a connection to a database that holds locks until it is closed.
func holding(t *testing.T, database, statement string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return conn
}

// named is a server that says its name to the database.
func named(t *testing.T, name, source, database string, settings ...string) *server {
	t.Helper()
	return start(t, source, append([]string{"memory.backend=postgres", "log_level=info", "memory.url=" + database + "?application_name=" + name}, settings...)...)
}

// waiters is the condition that a server waits for a lock of a kind.
const waiters = "select count(*) from pg_stat_activity where datname = current_database() and application_name = $1 and wait_event = $2"

var removedByAge = regexp.MustCompile(`forgotten by age and size.*documents=([0-9]+)`)

// Of two servers one removes what is old. Killed in the midst of it, it leaves the rest to the
// other, and nothing is removed, or counted, twice.
func TestRetentionMoves(t *testing.T) {
	urls := needed(t, "FIRST_TEST_URL", binaryVariable)
	database := fresh(t, urls[0])
	source := newSource(t, nil)
	const documents, batch = 230, 200 // as Retain has it
	folder := t.TempDir()
	for i := range documents {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.md", i)), []byte(fmt.Sprintf("# Entry %d\n\nHarbour %d has a crane.\n", i, i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Getenv(binaryVariable), "remember", folder, "--data-dir", t.TempDir(), "--set", "memory.backend=postgres", "--set", "memory.url="+database, "--set", "models.builtin=off", "--set", "ollama.enabled=false")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("remember: %v\n%s", err, out)
	}
	holder := holding(t, database, "update doc set pinned = false, retrieved = now() - interval '9 days' + id * interval '1 minute'")
	if _, err := holder.Exec(t.Context(), "begin; select 1 from doc order by retrieved desc limit 1 for update"); err != nil {
		t.Fatal(err)
	}
	left := func() int { return query(t, database, "select count(*) from doc") }
	one := named(t, "one", source, database, "memory.max_age_days=1")
	until(t, "the first server has removed a batch and is at the next", func() bool {
		return query(t, database, waiters, "one", "transactionid") == 1 && left() == documents-batch
	})
	other := named(t, "other", source, database, "memory.max_age_days=1")
	until(t, "the second one waits for it", func() bool { return query(t, database, waiters, "other", "advisory") == 1 })
	one.kill()
	if _, err := holder.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	until(t, "the second one has removed the rest", func() bool { return left() == 0 })
	until(t, "it has said so", func() bool { return removedByAge.MatchString(other.log.String()) })
	if m := removedByAge.FindStringSubmatch(other.log.String()); m[1] != fmt.Sprint(documents-batch) {
		t.Errorf("the second server removed %s documents, want %d", m[1], documents-batch)
	}
	if n := query(t, database, "select coalesce(sum(documents), -1) from tally where model = 0"); n != 0 {
		t.Errorf("%d documents are counted, want none", n)
	}
}

var sessionID = regexp.MustCompile(`\bs_[a-z2-7]+\b`)

// Two servers answer in one session at once: each turn is folded into the summary once. One
// that is killed while it folds leaves that to the other.
func TestFoldingMoves(t *testing.T) {
	urls := needed(t, "FIRST_TEST_URL", binaryVariable)
	database := fresh(t, urls[0])
	source := newSource(t, nil)
	settings := []string{"session.fold_after=2", "session.fold_keep=1"}
	servers := []*server{named(t, "one", source, database, settings...), named(t, "other", source, database, settings...)}
	holder := holding(t, database, `create table folded(n int generated always as identity, was bigint, is_now bigint);
		create function note_fold() returns trigger language plpgsql as $$ begin
			perform pg_advisory_xact_lock_shared(4711);
			insert into folded(was, is_now) values(old.summary_to, new.summary_to);
			return null;
		end $$;
		create trigger note_fold after update of summary on session for each row execute function note_fold()`)
	session := ""
	ask := func(s *server, what string) {
		args := map[string]any{"question": what, "depth": "quick", "sources": []string{"hackernews"}}
		if session != "" {
			args["session"] = session
		}
		text, refused, err := s.call(t.Context(), "", "research", args)
		if err != nil || refused || !strings.Contains(text, answered) {
			t.Errorf("asked %q, a server says %.400s, %v", what, text, err)
		}
		if session == "" {
			session = sessionID.FindString(text)
		}
	}
	folds := func() int { return query(t, database, "select count(*) from folded") }
	ask(servers[0], "What makes the tides?")
	if session == "" {
		t.Fatal("the answer names no session")
	}
	for i := range 3 {
		var asking sync.WaitGroup
		for j, s := range servers {
			asking.Go(func() { ask(s, fmt.Sprintf("What makes the tides at harbour %d of coast %d?", i, j)) })
		}
		asking.Wait()
	}
	until(t, "the turns are folded", func() bool { return folds() > 0 })
	if _, err := holder.Exec(t.Context(), "select pg_advisory_lock(4711)"); err != nil {
		t.Fatal(err)
	}
	before := folds()
	ask(servers[0], "What makes the tides of the moon?")
	until(t, "the first server folds", func() bool { return query(t, database, waiters, "one", "advisory") > 0 })
	servers[0].kill()
	if _, err := holder.Exec(t.Context(), "select pg_advisory_unlock(4711)"); err != nil {
		t.Fatal(err)
	}
	until(t, "what it began is given up", func() bool {
		return query(t, database, "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'one' and state <> 'idle' and query ~ 'update session'") == 0
	})
	if n := folds(); n != before {
		t.Errorf("%d turns were folded by a killed server", n-before)
	}
	ask(servers[1], "What makes the tides of the sun?")
	const turns = 2 * (1 + 3*2 + 2)
	until(t, "the second one has folded", func() bool { return query(t, database, "select max(summary_to) from session") == turns-1 })
	if n := query(t, database, "select count(*) from turn"); n != turns {
		t.Errorf("there are %d turns, want %d", n, turns)
	}
	// Each fold began where the one before it had ended.
	if n := query(t, database, "select count(*) from (select was, is_now, lag(is_now, 1, 0::bigint) over(order by n) before from folded) f where was <> before or is_now <= was"); n != 0 {
		t.Errorf("%d folds do not go on from the one before", n)
	}
}
