package postgres

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const patience = 30 * time.Second

// openBus opens a bus of the memory that a test calls dir, which has the tenants blue and red.
func openBus(t *testing.T, dir string) *Bus {
	t.Helper()
	m, err := openAt(t.Context(), contract.Config{Dir: dir}) // the schema
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"blue", "red"} {
		if _, err := m.AddTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return busAt(t, with("search_path", schemaOf(dir)+",public"))
}

func busAt(t *testing.T, url string) *Bus {
	t.Helper()
	b, err := OpenBus(t.Context(), contract.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// boxed is who follows a box and takes what begins with a word.
type boxed struct {
	mu    sync.Mutex
	seen  []string // offered
	taken chan string
}

func follow(t *testing.T, b *Bus, box contract.Box, idle bool, word string) *boxed {
	t.Helper()
	f := &boxed{taken: make(chan string, 1000)}
	stop := b.Follow(box, idle, func(message []byte) bool {
		f.mu.Lock()
		f.seen = append(f.seen, string(message))
		f.mu.Unlock()
		if !strings.HasPrefix(string(message), word) {
			return false
		}
		f.taken <- string(message)
		return true
	})
	t.Cleanup(stop)
	return f
}

func (f *boxed) saw() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func got[T any](t *testing.T, from <-chan T, what string) (out T) {
	t.Helper()
	select {
	case out = <-from:
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	return out
}

func pass(t *testing.T, b *Bus, box contract.Box, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := b.Pass(t.Context(), box, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, holds)
}

func eventuallyWithin(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

func (b *Bus) rows(t *testing.T, tenant string) (n int) {
	t.Helper()
	err := b.as(t.Context(), tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), "select count(*) from "+b.table+" where tenant = $1", tenant).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A message reaches who follows its box at another process and accepts it, after those that
// came before it, and is then gone; what nobody accepts stays.
func TestBus(t *testing.T) {
	t.Parallel()
	needServer(t)
	for name, deaf := range map[string]bool{"notified": false, "deaf": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			one, two := openBus(t, dir), openBus(t, dir)
			one.deaf.Store(deaf)
			box := contract.Box{Tenant: "blue", Owner: "ada", Session: "s"}
			pass(t, two, box, "a early", "b")
			f := follow(t, one, box, false, "a")
			if m := got(t, f.taken, "the message that waited"); m != "a early" {
				t.Errorf("got %q", m)
			}
			if !deaf {
				eventually(t, "it is notified", one.hears.Load)
			}
			pass(t, two, box, "a 1", "a 2")
			if first, second := got(t, f.taken, "a message"), got(t, f.taken, "the next"); first != "a 1" || second != "a 2" {
				t.Errorf("got %q and %q", first, second)
			}
			eventually(t, "what was taken is removed", func() bool { return one.rows(t, "blue") == 1 })
			if one.hears.Load() == deaf {
				t.Errorf("hears = %v", !deaf)
			}
			g := follow(t, two, box, true, "b")
			if m := got(t, g.taken, "what was left"); m != "b" {
				t.Errorf("got %q", m)
			}
		})
	}
}

// Nobody reaches a box of another tenant, owner or session, and a server's role sees no row
// of another tenant.
func TestBusKeepsBoxesApart(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	schema := schemaOf(dir)
	owner := openBus(t, dir)
	dropServerRole(t, schema)
	url, err := serverRole(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	b := busAt(t, url)
	box := contract.Box{Tenant: "blue", Owner: "blue/ada", Session: "s"}
	var others []*boxed
	for _, other := range []contract.Box{{Tenant: "red", Owner: "blue/ada", Session: "s"}, {Tenant: "blue", Owner: "blue/bob", Session: "s"}, {Tenant: "blue", Owner: "blue/ada", Session: "t"},
		{Owner: "blue/ada", Session: "s"}, {Tenant: "blue", Owner: "blue/adas"}, {Tenant: "blue", Session: "blue/adas"}} {
		for _, bus := range []*Bus{b, owner} {
			others = append(others, follow(t, bus, other, false, ""))
		}
	}
	pass(t, b, box, "for the session of ada alone")
	if n := b.rows(t, "blue"); n != 1 {
		t.Errorf("the role of a server sees %d messages of its tenant, want 1", n)
	}
	err = b.as(t.Context(), "red", func(tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), "select count(*) from "+b.table).Scan(&n); err != nil || n != 0 {
			t.Errorf("as red, the role of a server sees %d messages, %v", n, err)
		}
		if tag, err := tx.Exec(t.Context(), "delete from "+b.table); err != nil || tag.RowsAffected() != 0 {
			t.Errorf("as red, it removes %d messages, %v", tag.RowsAffected(), err)
		}
		_, err := tx.Exec(t.Context(), "insert into "+b.table+"(tenant, box, owner, id, message) values('blue', 'x', 'x', 'x', 'x')")
		return err
	})
	if codeOf(err) != insufficientPrivilege {
		t.Errorf("as red, a message for blue is %v", err)
	}
	right := follow(t, owner, box, false, "")
	got(t, right.taken, "the message")
	for _, o := range others {
		if saw := o.saw(); len(saw) > 0 {
			t.Errorf("another box has %q", saw)
		}
	}
}

// What a client sends for others cannot fill the database: neither by its length nor by its
// number, in one session or in many.
func TestBusIsBounded(t *testing.T) {
	t.Parallel()
	needServer(t)
	b := openBus(t, t.TempDir())
	b.bounds = bounds{box: 3, owner: 2, boxes: 3, all: 6}
	one := contract.Box{Tenant: "blue", Owner: "ada", Session: "one"}
	if err := b.Pass(t.Context(), one, []byte(strings.Repeat("x", passOne+1))); err == nil {
		t.Error("a long message was kept")
	}
	pass(t, b, one, "1", "2", "3", "4", "5")
	if n := b.rows(t, "blue"); n != 3 {
		t.Errorf("%d messages of one session wait, want 3", n)
	}
	put := func(owner, session string) error {
		return b.Pass(t.Context(), contract.Box{Tenant: "blue", Owner: owner, Session: session}, []byte("{}"))
	}
	if err := put("ada", "two"); err != nil {
		t.Errorf("the last session that may wait: %v", err)
	}
	if err := put("ada", "three"); err == nil || !strings.Contains(err.Error(), "wait already") {
		t.Errorf("messages for more sessions than may be wait: %v", err)
	}
	if err := put("bob", "one"); err != nil {
		t.Errorf("one caller took the room of another: %v", err)
	}
	if err := put("cy", "one"); err == nil {
		t.Error("messages for more sessions than may be of all callers wait")
	}
	if err := put("bob", "one"); err != nil {
		t.Errorf("a session that has its place: %v", err)
	}
	if err := put("bob", "one"); err == nil {
		t.Error("more messages wait than may be of a tenant")
	}
	if err := b.Pass(t.Context(), contract.Box{Tenant: "red", Owner: "ada", Session: "one"}, []byte("{}")); err != nil {
		t.Errorf("one tenant took the room of another: %v", err)
	}
}

// A message that nobody takes is not delivered later, and is removed: by a sweep, and by the
// next one of its tenant.
func TestBusForgetsWhatNobodyTakes(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	b, other := openBus(t, dir), openBus(t, dir)
	box := contract.Box{Tenant: "blue", Owner: "ada", Session: "s"}
	old := func() {
		t.Helper()
		admin(t, fmt.Sprintf("update %s.relay set at = at - interval '2 minutes'", schemaOf(dir)))
	}
	pass(t, b, box, "old")
	old()
	f := follow(t, other, box, false, "")
	pass(t, other, contract.Box{Tenant: "red", Owner: "ada", Session: "s"}, "x")
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.rows(t, "blue"); n != 0 {
		t.Errorf("%d messages are left after a sweep, want none", n)
	}
	pass(t, b, box, "old")
	got(t, f.taken, "a message")
	gone := contract.Box{Tenant: "blue", Owner: "ada", Session: "gone"}
	pass(t, b, gone, "old 1", "old 2")
	old()
	pass(t, b, gone, "new")
	if n := b.rows(t, "blue"); n != 1 {
		t.Errorf("%d messages are left after a new one, want that alone", n)
	}
	if saw := f.saw(); len(saw) != 1 {
		t.Errorf("offered: %q, want what was new alone", saw)
	}
}

// killListeners ends the connections that listen, as a restart of the server would.
func killListeners(t *testing.T) int {
	t.Helper()
	conn := admin(t)
	n := 0
	if err := conn.QueryRow(t.Context(), "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and query = 'listen "+busChannel+"'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A bus whose connections are lost is notified again, and has missed nothing.
func TestBusOutlivesItsConnections(t *testing.T) { //nolint:paralleltest // it ends connections of others
	needServer(t)
	dir := t.TempDir()
	one, two := openBus(t, dir), openBus(t, dir)
	box := contract.Box{Owner: "ada", Session: "s"}
	f := follow(t, one, box, false, "")
	eventually(t, "it is notified", one.hears.Load)
	changed := one.Changed("")
	if killListeners(t) == 0 {
		t.Fatal("nobody listens")
	}
	got(t, changed, "the call to look, since changes may have been missed")
	pass(t, two, box, "after")
	if m := got(t, f.taken, "a message"); m != "after" {
		t.Errorf("got %q", m)
	}
	eventually(t, "it is notified again", one.hears.Load)
}

// Another process hears of a write: of its tenant's, and of no other's.
func TestBusTellsOfChanges(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	b := openBus(t, dir)
	blue, red, none := b.Changed("blue"), b.Changed("red"), b.Changed("")
	eventually(t, "it is notified", b.hears.Load)
	got(t, blue, "the first call to look") // when it began to listen
	got(t, red, "the first call to look")
	got(t, none, "the first call to look")
	blue, red, none = b.Changed("blue"), b.Changed("red"), b.Changed("")
	m, err := openAt(t.Context(), contract.Config{Dir: dir, Tenant: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	keep(t, m, textDoc(1, "An otter swims."))
	got(t, blue, "the notice of a write")
	for name, c := range map[string]<-chan struct{}{"red": red, "no tenant": none} {
		select {
		case <-c:
			t.Errorf("%s was told of a write of blue", name)
		default:
		}
	}
	// A command that ends at once tells, too.
	last := b.Changed("red")
	short, err := openAt(t.Context(), contract.Config{Dir: dir, Tenant: "red"})
	if err != nil {
		t.Fatal(err)
	}
	keep(t, short, textDoc(1, "A beaver builds."))
	if err := short.Close(); err != nil {
		t.Fatal(err)
	}
	got(t, last, "the notice of a command")
}

// What was taken is not offered again while it cannot be removed.
func TestBusOffersOnce(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	b := openBus(t, dir)
	b.deaf.Store(true) // it looks all the time
	box := contract.Box{Tenant: "blue", Owner: "ada", Session: "s"}
	pass(t, b, box, "first")
	holder := admin(t, "begin", "select 1 from "+schemaOf(dir)+".relay for update")
	f := follow(t, b, box, false, "")
	got(t, f.taken, "the message")
	eventually(t, "it is found again", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for one := range b.followers {
			return len(one.found) > 0
		}
		return false
	})
	pass(t, b, box, "second")
	if _, err := holder.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	got(t, f.taken, "the next message")
	eventually(t, "both are removed", func() bool { return b.rows(t, "blue") == 0 })
	if saw := f.saw(); !slices.Equal(saw, []string{"first", "second"}) {
		t.Errorf("offered: %q, want each once", saw)
	}
}
