package cluster

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestReplicasBehindBalancer has two servers on data folders of their own, as on two machines,
// with one database, behind nginx, which gives each request to the next one.
func TestReplicasBehindBalancer(t *testing.T) {
	all := needed(t, "FIRST_TEST_URL", "CLUSTER_NGINX", binaryVariable)
	database := fresh(t, all[0])
	file := t.TempDir() + "/tokens.json"
	blue, red := token(t, file, "b", "blue"), token(t, file, "r", "red")
	source := newHeldSource(t)
	var servers []*server
	for range 2 {
		servers = append(servers, start(t, source.url, "memory.backend=postgres", "memory.url="+database, "server.http.tokens_file="+file))
	}
	// Who has never called a tool has no session to pass anything on to.
	query(t, database, "with added as (insert into tenant(name) values('red') returning 1) select count(*) from added")
	url := balance(t, all[1], servers)
	p := begin(t, url, blue)
	t.Run("progress", func(t *testing.T) { progress(t, source, p) })
	t.Run("cancel", func(t *testing.T) { cancelled(t, source, p, person{t, url, red, p.session}) })
	t.Run("run", func(t *testing.T) { resumed(t, source, p, database) })
	t.Run("subscription", func(t *testing.T) { subscribed(t, p) })
	if n := query(t, database, "select count(*) from relay where tenant <> 'blue'"); n != 1 {
		t.Errorf("%d messages wait for others than blue, want the one of red that nobody took", n)
	}
	t.Run("killed", func(t *testing.T) { killedInQuestion(t, source, p, servers, database) })
}

// progress of a call is complete and comes before its result, at either server.
func progress(t *testing.T, source *heldSource, p person) {
	t.Helper()
	seen := map[string]bool{}
	for i := range 4 {
		source.release <- struct{}{}
		a := p.ask(100+i, question(fmt.Sprintf("What makes the tides, %d?", i)))
		<-source.began
		body := receive(t, a.body, "the answer")
		seen[a.upstream] = true
		last := strings.LastIndex(body, "notifications/progress")
		if result := strings.Index(body, `"result"`); last < 0 || result < last || !strings.Contains(body, answered) {
			t.Errorf("%s sent %.600s", a.upstream, body)
		}
	}
	if len(seen) != 2 {
		t.Errorf("answered by %v, want both servers", seen)
	}
}

// cancelled by its own client at the other server a call ends; by another tenant's, which
// knows the id of the session, it does not.
func cancelled(t *testing.T, source *heldSource, p, stranger person) {
	t.Helper()
	a := p.ask(7, question("Why is the sea salt?"))
	receive(t, source.began, "the search")
	cancel := func() map[string]any {
		return map[string]any{"method": "notifications/cancelled", "params": map[string]any{"requestId": 7, "reason": "enough"}}
	}
	stranger.at(false, a.upstream, cancel)
	b := p.ask(8, question("Why is the sea blue?")) // what was passed on would have arrived by its end
	receive(t, source.began, "the search")
	source.release <- struct{}{}
	select { // one of the two searches; the other one goes on
	case <-source.cut:
		t.Error("a stranger cancelled the call")
	case body := <-a.body:
		t.Logf("the first call got the answer: %.100s", body)
		a = b
	case <-b.body:
	case <-time.After(patience):
		t.Fatal("no answer came")
	}
	id := map[bool]int{true: 8, false: 7}[a == b]
	p.at(false, a.upstream, func() map[string]any {
		return map[string]any{"method": "notifications/cancelled", "params": map[string]any{"requestId": id, "reason": "enough"}}
	})
	receive(t, source.cut, "the end of the search of a call that was cancelled at the other server")
	if body := receive(t, a.body, "the end of the cancelled call"); strings.Contains(body, `"result"`) {
		t.Errorf("a cancelled call has the result %.300s", body)
	}
}

// resumed is a run whose caller did not wait: it is waited for at the other server, which
// asks nothing, and its answer is read there.
func resumed(t *testing.T, source *heldSource, p person, database string) {
	t.Helper()
	res, upstream := p.send(http.MethodPost, call(20, "research", question("Why do tides differ?")))
	receive(t, source.began, "the search")
	id := claimed(t, database, "Why do tides differ?")
	_ = res.Body.Close() // the caller has left
	n := 20
	again := func(more ...any) map[string]any {
		n++
		args := map[string]any{"run_id": id}
		for i := 0; i < len(more); i += 2 {
			args[more[i].(string)] = more[i+1]
		}
		return call(n, "research", args)
	}
	if body := p.at(false, upstream, func() map[string]any { return again("budget_seconds", 1) }); !strings.Contains(body, id) || strings.Contains(body, answered) {
		t.Errorf("a wait that is too short: %.600s; want that %s is worked on", body, id)
	}
	source.release <- struct{}{}
	body := p.at(false, upstream, func() map[string]any { return again() })
	if !strings.Contains(body, answered) || !strings.Contains(body, id) {
		t.Errorf("run %s at the other server: %.600s", id, body)
	}
	body = p.at(false, upstream, func() map[string]any {
		n++
		return map[string]any{"id": n, "method": "resources/read", "params": map[string]any{"uri": "research://runs/" + id}}
	})
	if !strings.Contains(body, answered) {
		t.Errorf("the answer of %s at the other server: %.600s", id, body)
	}
	if len(source.began) > 0 {
		t.Error("the source was asked again")
	}
}

// claimed returns the id of the run that works on a question of blue.
func claimed(t *testing.T, database, question string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for end := time.Now().Add(patience); time.Now().Before(end); pause(t.Context(), 20*time.Millisecond) {
		var id string
		if conn.QueryRow(t.Context(), "select id from claim where tenant = 'blue' and question = $1", question).Scan(&id) == nil {
			return id
		}
	}
	t.Fatalf("nobody works on %q", question)
	return ""
}

// subscribed has its stream at one server, subscribes at the other one, and is told.
func subscribed(t *testing.T, p person) {
	t.Helper()
	_, kept := p.done(call(30, "remember", map[string]any{"title": "Heron", "text": "The heron of the northern lock sleeps on one leg."}))
	doc := documentID.FindString(kept)
	stream, upstream := p.send(http.MethodGet, nil)
	defer stream.Body.Close()
	n := 30
	p.at(false, upstream, func() map[string]any {
		n++
		return map[string]any{"id": n, "method": "resources/subscribe", "params": map[string]any{"uri": "memory://documents/" + doc}}
	})
	told := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), "resources/updated") {
				told <- lines.Text()
				return
			}
		}
		close(told)
	}()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for tag := 0; ; tag++ { // until the stream has seen the subscription
		n++
		p.done(call(n, "remember", map[string]any{"title": "Heron", "text": "The heron of the northern lock sleeps on one leg.", "tags": []string{fmt.Sprint("t", tag)}}))
		select {
		case line := <-told:
			if !strings.Contains(line, doc) {
				t.Errorf("told %q", line)
			}
			return
		case <-ctx.Done():
			t.Fatal("nothing is told of a changed document")
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// killedInQuestion kills the server of a question; the balancer's next one takes it up under
// its id.
func killedInQuestion(t *testing.T, source *heldSource, p person, servers []*server, database string) {
	t.Helper()
	a := p.ask(50, question("Why does the sea rise twice a day?"))
	receive(t, source.began, "the search")
	id := claimed(t, database, "Why does the sea rise twice a day?")
	for _, s := range servers {
		if s.address() == a.upstream {
			s.kill()
		}
	}
	if body := receive(t, a.body, "the end of the cut call"); strings.Contains(body, `"result"`) {
		t.Errorf("the question of the killed server has the answer %.300s", body)
	}
	receive(t, source.cut, "the end of its search")
	source.release <- struct{}{}
	began := time.Now()
	b := p.ask(51, question("Why does the sea rise twice a day?"))
	if body := receive(t, b.body, "the answer"); !strings.Contains(body, answered) || !strings.Contains(body, id) || b.upstream == a.upstream {
		t.Errorf("asked again, %s says %.600s; want the answer of %s", b.upstream, body, id)
	}
	t.Logf("the question of the killed server was answered by the other one in %.1f s", time.Since(began).Seconds())
	if n := query(t, database, "select count(*) from claim"); n != 0 {
		t.Errorf("%d claims are left", n)
	}
}
