package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// The servers of a URL are those to read from, with and without TLS where sslmode says so.
func TestStandbysOfURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int{"postgres://a/x": 0, "postgres://a,b,c:5433/x": 3, "postgres://a,b/x?sslmode=require": 2, "postgres://a,a/x": 0} {
		cfg, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		s := newStandbys(cfg)
		if s == nil {
			if want != 0 {
				t.Errorf("%s has no standbys, want %d", url, want)
			}
			continue
		}
		if len(s.hosts) != want {
			t.Errorf("%s has %d servers, want %d", url, len(s.hosts), want)
		}
		for _, h := range s.hosts {
			plain := 0
			for _, f := range h.ConnConfig.Fallbacks {
				if f.Host != h.ConnConfig.Host {
					t.Errorf("%s: the server %s falls back to %s", url, h.ConnConfig.Host, f.Host)
				}
				if f.TLSConfig == nil {
					plain++
				}
			}
			if h.ConnConfig.ValidateConnect != nil || plain != 1 && url != "postgres://a,b/x?sslmode=require" {
				t.Errorf("%s: %s has %d attempts without TLS", url, h.ConnConfig.Host, plain)
			}
		}
	}
}

// Whatever the URL says of targets, a connection for writes is never one to a standby.
func TestTargetOfURL(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{"": true, "?target_session_attrs=read-write": true, "?target_session_attrs=primary": true,
		"?target_session_attrs=any": true, "?target_session_attrs=prefer-standby": true} {
		cfg, err := parse("postgres://a,b/x" + query)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.ConnConfig.ValidateConnect != nil; got != want {
			t.Errorf("%q checks its connections: %v, want %v", query, got, want)
		}
	}
}

// A standby has everything when it shows as much as was received, or all but a part of a
// record. One that is paused, or that somebody's query holds up, has not.
func TestStandbyHas(t *testing.T) {
	t.Parallel()
	const page = 3 * walPage
	for name, tt := range map[string]struct {
		state
		want int64
		has  bool
	}{
		"everything":                       {state{received: 100, shown: 100}, 100, true},
		"more":                             {state{received: 120, shown: 110}, 100, true},
		"everything, and it is paused":     {state{received: 120, shown: 110, paused: true}, 100, true},
		"the primary":                      {state{primary: true}, 100, true},
		"less":                             {state{received: 100, shown: 99}, 100, false},
		"less for long, of whole records":  {state{received: 100, shown: 99, still: standbyStill}, 100, false},
		"a part of a record, not for long": {state{received: page, shown: page - 50, still: 1}, page, false},
		"a part of a record":               {state{received: page, shown: page - 50, still: standbyStill}, page, true},
		"a part, and it is paused":         {state{received: page, shown: page - 50, still: standbyStill, paused: true}, page, false},
		"a part, and others received more": {state{received: page, shown: page - 50, still: standbyStill}, page + 1, false},
		"too long for a part":              {state{received: 100 * page, shown: page, still: standbyStill}, 100 * page, false},
	} {
		if got := tt.state.has(tt.want); got != tt.has {
			t.Errorf("%s: has(%d) = %v, want %v", name, tt.want, got, tt.has)
		}
	}
}

// hostsOfPatroni are pools of the three servers that patroni.sh has started, for what is
// done to each of them.
func hostsOfPatroni(t *testing.T, url string) (all []*pgxpool.Pool) {
	t.Helper()
	cfg, err := parse(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range newStandbys(cfg).hosts {
		p, err := pgxpool.NewWithConfig(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		all = append(all, p)
	}
	return all
}

// newOnPatroni makes a database on the cluster that patroni.sh has started.
func newOnPatroni(t *testing.T) (database, script string) {
	t.Helper()
	server, script := os.Getenv("PATRONI_TEST_URL"), os.Getenv("PATRONI_TEST_SCRIPT")
	if server == "" {
		t.Skip("not run: PATRONI_TEST_URL is not set; internal/testkit/scripts/cluster.sh sets it")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = fmt.Sprintf("/standby_%d", time.Now().UnixNano())
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "create database "+u.Path[1:]); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	for _, host := range hostsOfPatroni(t, u.String()) {
		eventuallyWithin(t, clusterPatience, "each server has the database", func() bool { return host.Ping(t.Context()) == nil })
	}
	return u.String(), script
}

// TestStandby has two servers on a cluster whose standbys receive what is written and do not
// show it, and kills the primary: until a standby shows it, no read does without it.
func TestStandby(t *testing.T) { //nolint:paralleltest // it kills a server
	u, script := newOnPatroni(t)
	var standbys []*pgxpool.Pool
	for _, host := range hostsOfPatroni(t, u) {
		standby := false
		if err := host.QueryRow(t.Context(), "select pg_is_in_recovery()").Scan(&standby); err != nil {
			t.Fatal(err)
		}
		if standby {
			standbys = append(standbys, host)
		}
	}
	writer, reader := openURL(t, u), openURL(t, u)
	keep(t, writer, textDoc(1, "An otter swims."))
	primary, followers := members(t, script)
	follower := &feedReader{m: reader}
	follower.read(t)
	endless(t, u)
	for _, name := range followers { // Patroni would let its server go on, and choose another primary
		patroni(t, script, "hold", name)
	}
	pauseAll(t, standbys)
	keep(t, writer, textDoc(2, "A beaver builds.")) // acknowledged by a standby that does not show it
	if err := writer.Append(t.Context(), "s_one", evidence.Turn{Role: evidence.RoleUser, Text: "Who builds?"}); err != nil {
		t.Fatal(err)
	}
	patroni(t, script, "kill", primary)
	reads := map[string]int{}
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); {
		reads[shown(t, reader)]++
	}
	t.Logf("while no standby shows what was acknowledged: %v", reads)
	if reads["error"] == 0 || len(reads) != 1 {
		t.Errorf("reads = %v, want errors alone", reads)
	}
	if _, err := standbys[1].Exec(t.Context(), "select pg_wal_replay_resume()"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one standby that goes on is enough", func() bool {
		got := shown(t, reader)
		if got == "old" {
			t.Error("a read shows less than what was acknowledged")
		}
		return got == "all" || t.Failed()
	})
	follower.wants(t, "the standby", "d2")
	follower.wants(t, "the standby again")
	for i, s := range standbys {
		standby, state := false, ""
		if err := s.QueryRow(t.Context(), "select pg_is_in_recovery(), pg_get_wal_replay_pause_state()").Scan(&standby, &state); err != nil || !standby || (state == "paused") != (i == 0) {
			t.Errorf("a server that was read: in recovery %v, %q, %v", standby, state, err)
		}
	}
	// What this reader did not write is there, too, with the primary that comes next.
	if _, err := standbys[0].Exec(t.Context(), "select pg_wal_replay_resume()"); err != nil {
		t.Error(err)
	}
	for _, name := range followers {
		patroni(t, script, "let", name)
	}
	keep(t, reader, textDoc(3, "A heron stands."))
	if got := shown(t, writer); got != "all" {
		t.Errorf("the new primary shows %s", got)
	}
	follower.wants(t, "the new primary", "d3") // what the standby showed is neither missed nor repeated
	follower.wants(t, "the new primary again")
	patroni(t, script, "revive", primary)
	members(t, script) // the next test begins with all
}

// endless begins a transaction that does not end: no snapshot after it is without gaps.
func endless(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "begin; create table endless(x int)"); err != nil {
		t.Fatal(err)
	}
}

// feedReader follows the changes of a memory.
type feedReader struct {
	m  *Memory
	at contract.Position
}

func (f *feedReader) read(t *testing.T) []string {
	t.Helper()
	c, err := f.m.Changes(t.Context(), f.at)
	if err != nil || c.Reset {
		t.Errorf("Changes = %+v, %v", c, err)
	}
	f.at = c.Next
	ids := []string{}
	for _, d := range c.Documents {
		ids = append(ids, d.ID)
	}
	return ids
}

func (f *feedReader) wants(t *testing.T, where string, want ...string) {
	t.Helper()
	if got := f.read(t); !slices.Equal(got, want) {
		t.Errorf("the changes at %s are %q, want %q", where, got, want)
	}
}

// TestFrozenPrimary stops the machine of a primary where it is, so that no connection to it is
// ended: everything that was acknowledged is read from a standby, and writes go on with the
// next primary.
func TestFrozenPrimary(t *testing.T) { //nolint:paralleltest // it stops a server
	u, script := newOnPatroni(t)
	m := openURL(t, u)
	keep(t, m, textDoc(1, "An otter swims."))
	primary, _ := members(t, script)
	keep(t, m, textDoc(2, "A beaver builds."))
	if err := m.Append(t.Context(), "s_one", evidence.Turn{Role: evidence.RoleUser, Text: "Who builds?"}); err != nil {
		t.Fatal(err)
	}
	patroni(t, script, "freeze", primary)
	for i := range 20 {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), mostSilence)
		_, found, err := m.Document(ctx, "d2")
		cancel()
		if err != nil || !found {
			t.Errorf("read %d of a frozen primary = %v, %v", i, found, err)
		}
		if took := time.Since(began); i < 3 || took > time.Second {
			t.Logf("read %d took %v", i, took.Round(time.Millisecond))
		}
	}
	began := time.Now()
	keep(t, m, textDoc(3, "A heron stands."))
	t.Logf("the next write took %v", time.Since(began).Round(time.Millisecond))
	if got := shown(t, m); got != "all" {
		t.Errorf("the next primary shows %s", got)
	}
	patroni(t, script, "thaw", primary)
	members(t, script) // it follows
	if r, err := m.Check(t.Context()); err != nil || !r.OK || r.Documents != 3 {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

func openURL(t *testing.T, url string) *Memory {
	t.Helper()
	m, err := Open(t.Context(), contract.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func pauseAll(t *testing.T, standbys []*pgxpool.Pool) {
	t.Helper()
	if len(standbys) != 2 {
		t.Fatalf("there are %d standbys, want 2", len(standbys))
	}
	for _, s := range standbys {
		if _, err := s.Exec(t.Context(), "select pg_wal_replay_pause()"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is paused", func() bool {
			state := ""
			return s.QueryRow(t.Context(), "select pg_get_wal_replay_pause_state()").Scan(&state) == nil && state == "paused"
		})
	}
}

func patroni(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := exec.Command(script, args...).Output()
	if err != nil {
		t.Fatalf("patroni.sh %v: %v", args, err)
	}
	return string(out)
}

// clusterPatience is how long a killed server may take to follow again: Patroni rewinds it.
const clusterPatience = 4 * patience

// members waits until there is a primary with two standbys, and names them.
func members(t *testing.T, script string) (primary string, standbys []string) {
	t.Helper()
	eventuallyWithin(t, clusterPatience, "the cluster is complete", func() bool {
		primary, standbys = "", nil
		for line := range strings.Lines(patroni(t, script, "members")) {
			switch f := strings.Fields(line); {
			case len(f) == 3 && f[1] == "leader" && f[2] == "running":
				primary = f[0]
			case len(f) == 3 && f[1] == "quorum_standby" && f[2] == "streaming":
				standbys = append(standbys, f[0])
			}
		}
		return primary != "" && len(standbys) == 2
	})
	return primary, standbys
}

// shown is what a read shows of what the test has written.
func shown(t *testing.T, m *Memory) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, found, err := m.Document(ctx, "d2")
	if err == nil && found {
		_, err = m.Open(ctx, "s_one")
	}
	var p *evidence.Problem
	switch {
	case err == nil && found:
		return "all"
	case err == nil, errors.As(err, &p) && p.Usage: // "there is no session"
		return "old"
	}
	return "error"
}

// When as many reads are at work as there are connections to each server, the next one waits.
// It does not take the servers for dead.
func TestStandbyReadsWaitForEachOther(t *testing.T) {
	t.Parallel()
	needServer(t)
	m := openBesideNothing(t)
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	hold := func(pgx.Tx) error {
		begun <- struct{}{}
		<-end
		return nil
	}
	most := cap(m.standbys.turns)
	for range most {
		go func() { ended <- m.readStandby(t.Context(), hold) }()
	}
	for range most {
		<-begun
	}
	short, cancel := context.WithTimeout(t.Context(), 2*standbyWait) // longer than it takes to give up a server
	defer cancel()
	nothing := func(pgx.Tx) error { return nil }
	if err := m.readStandby(short, nothing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read beside %d others ends with %v", most, err)
	}
	go func() { ended <- m.readStandby(t.Context(), nothing) }()
	close(end)
	for range most + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// openBesideNothing opens a memory whose URL names the test server, and one that does not run.
func openBesideNothing(t *testing.T) *Memory {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	at := open(t)
	host := fmt.Sprintf("127.0.0.1:%d", at.server.port)
	both := strings.Replace(at.cfg.URL, host, host+","+l.Addr().String(), 1)
	if both == at.cfg.URL {
		t.Fatalf("the test server is not at %s", host)
	}
	return openURL(t, both)
}
