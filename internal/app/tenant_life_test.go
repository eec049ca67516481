package app

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/tools"
)

// openTenants are the tenants of a program with settings, and what uses one of them.
func openTenants(t *testing.T, settings map[string]string, o Options) (*tenants, func(name string) error) {
	t.Helper()
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), settings, o)
	all := a.newTenants(t.Context(), nil, nil)
	t.Cleanup(func() {
		all.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return all, func(name string) error {
		if _, err := all.handler(name); err != nil {
			return err
		}
		_, err := seat{all, name}.Runs(t.Context(), 1)
		return err
	}
}

// names of the open tenants.
func (t *tenants) names() string {
	var out []string
	for _, one := range t.opened(func(*tenant) bool { return true }) {
		out = append(out, one.name)
	}
	return strings.Join(out, " ")
}

// Tenants are closed when they are idle or when another needs the place, opened again by a
// call, and bounded in number.
func TestTenantsAreClosedAndBounded(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	all, use := openTenants(t, map[string]string{"server.http.max_tenants": "1"}, Options{Now: now})
	for _, bad := range []string{"", "..", "../blue", "Blue", "a/b", "nul"} {
		if err := use(bad); err == nil {
			t.Errorf("the tenant %q is served", bad)
		}
	}
	for _, name := range []string{"blue", "red", "blue"} { // the idle one makes room
		if err := use(name); err != nil || all.names() != name {
			t.Fatalf("%s: %v; open are %q", name, err, all.names())
		}
	}
	_, done, err := all.use(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	if err := use("red"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("beside one that is in use: %v, want a refusal", err)
	}
	later.Store(int64(time.Hour))
	all.sweep()
	if all.names() != "blue" {
		t.Errorf("one that is in use was closed: open are %q", all.names())
	}
	done()
	later.Store(int64(2 * time.Hour))
	all.sweep()
	if all.names() != "" {
		t.Errorf("after two hours open are %q", all.names())
	}
	if err := use("blue"); err != nil {
		t.Errorf("blue again: %v", err)
	}
}

// A process serves any number of tenants, one after the other.
func TestTenantsHaveNoLimitForLife(t *testing.T) {
	t.Parallel()
	all, use := openTenants(t, nil, Options{})
	if all.most < 1000 {
		t.Errorf("%d tenants have handlers", all.most)
	}
	all.most = 20
	if err := use("first"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * all.most {
		if _, err := all.handler(fmt.Sprintf("tenant-%d", i)); err != nil {
			t.Fatalf("tenant %d: %v", i, err)
		}
	}
	all.mu.Lock()
	known := len(all.all)
	all.mu.Unlock()
	if known > all.most {
		t.Errorf("%d tenants are kept, want %d at most", known, all.most)
	}
	for _, name := range []string{"first", "tenant-0", "tenant-59"} {
		if err := use(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The end closes a tenant whose call does not return.
func TestTheEndClosesATenantInUse(t *testing.T) {
	t.Parallel()
	all, use := openTenants(t, nil, Options{})
	a, done, err := all.use(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	all.Close()
	if all.names() != "" {
		t.Errorf("open are %q", all.names())
	}
	if _, err := a.memory.Stats(t.Context()); err == nil {
		t.Error("the memory of a call that did not return is open")
	}
	if err := use("blue"); err == nil {
		t.Error("a tenant is opened after the end")
	}
}

// Watches of subscriptions open a memory where there is room, keep it open, and neither take
// the place of another nor keep their own from a call.
func TestWatchesTakeNoPlace(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	all, use := openTenants(t, map[string]string{"server.http.max_tenants": "1"}, Options{Now: now})
	look := map[string]tools.Watch{}
	for _, name := range []string{"blue", "red"} {
		its := seat{all, name}
		for _, r := range tools.Resources(tools.Deps{Reader: its}) {
			if r.Watch != nil {
				look[name] = r.Watch("d_none")
			}
		}
	}
	if _, err := look["blue"](t.Context()); err != nil || all.names() != "blue" {
		t.Fatalf("the first look: %v; open are %q", err, all.names())
	}
	if _, err := look["red"](t.Context()); err == nil || all.names() != "blue" {
		t.Errorf("a look without room: %v; open are %q, want blue", err, all.names())
	}
	if err := use("red"); err != nil || all.names() != "red" {
		t.Errorf("a call beside a watch: %v; open are %q, want red", err, all.names())
	}
	later.Store(int64(time.Hour))
	if _, err := look["red"](t.Context()); err != nil {
		t.Error(err)
	}
	all.sweep()
	if all.names() != "red" {
		t.Errorf("one that is watched was closed: open are %q", all.names())
	}
}

// A call that the end overtakes between its entry and its opening opens nothing.
func TestNothingIsOpenedAfterTheEnd(t *testing.T) {
	t.Parallel()
	all, _ := openTenants(t, nil, Options{})
	one, err := all.enter("blue", false)
	if err != nil {
		t.Fatal(err)
	}
	used := make(chan error)
	one.mu.Lock()
	go func() {
		_, _, err := all.use(t.Context(), "blue")
		used <- err
	}()
	for busy := 1; busy < 2; { // until it has entered
		all.mu.Lock()
		busy = one.busy
		all.mu.Unlock()
		runtime.Gosched()
	}
	all.mu.Lock()
	all.closed = true
	all.mu.Unlock()
	one.mu.Unlock()
	if err := <-used; err == nil || one.app != nil {
		t.Errorf("after the end: %v, opened: %t", err, one.app != nil)
	}
}
