package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func inDatabase(t *testing.T, u *url.URL) *App {
	t.Helper()
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"memory.backend": "postgres", "memory.url": u.String()}, Options{})
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// To list the tenants does not make one again that another machine has removed, though this
// one has a folder of it.
func TestPostgresListLeavesTenantsRemoved(t *testing.T) {
	t.Parallel()
	u := mustURL(t, newDatabase(t))
	in, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(context.WithoutCancel(t.Context())) })
	a, b := inDatabase(t, u), inDatabase(t, u)
	own, err := b.forTenant(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.tenantDir("blue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := a.RemoveTenant(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	list, err := b.Tenants(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "blue" {
		t.Errorf("Tenants = %+v, %v, want blue, of which there is a folder", list, err)
	}
	if own, err := b.Tenant(t.Context(), "blue"); err == nil {
		t.Error("the removed tenant was opened")
		_ = own.Close()
	}
	var n int
	if err := in.QueryRow(t.Context(), "select count(*) from tenant").Scan(&n); err != nil || n != 0 {
		t.Errorf("there are %d tenants, %v, want none", n, err)
	}
	if _, err := b.RemoveTenant(t.Context(), "blue"); err != nil {
		t.Errorf("removing its folder = %v", err)
	}
	if _, err := b.RemoveTenant(t.Context(), "blue"); err == nil {
		t.Error("a tenant that there is not was removed")
	}
}

// A tenant that is removed while a server has it open is let go: its folder does not come back,
// nothing is written for it, and who has a token of it later begins anew.
func TestPostgresRemovedTenantIsLetGo(t *testing.T) {
	t.Parallel()
	u := mustURL(t, newDatabase(t))
	a, admin := inDatabase(t, u), inDatabase(t, u)
	all := a.newTenants(t.Context(), nil, nil)
	t.Cleanup(all.Close)
	note := library.RememberRequest{Text: "The obelisk is 33 metres tall."}
	open, done, err := all.use(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.RemoveTenant(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	if _, err := open.library.Remember(t.Context(), note); !errors.Is(err, contract.ErrTenantRemoved) {
		t.Fatalf("a write for the removed tenant = %v", err)
	}
	done()
	all.sweep()
	if open := all.names(); open != "" {
		t.Errorf("open are %q", open)
	}
	if _, _, err := all.use(tools.Look(t.Context()), "blue"); err == nil {
		t.Error("a watch made the tenant again")
	}
	if there, err := admin.hasMemory(t.Context(), "blue"); err != nil || there {
		t.Errorf("after that it is there: %v, %v", there, err)
	}
	if err := admin.AddTenant(t.Context(), "blue"); err != nil {
		t.Error(err)
	}
	if _, err := (seat{all, "blue"}).Remember(t.Context(), note); err != nil {
		t.Errorf("a call for the tenant that was added anew = %v", err)
	}
}

// Who begins to follow while the database is away hears what comes when it is back.
func TestPostgresFollowBeginsWithoutADatabase(t *testing.T) {
	t.Parallel()
	u := mustURL(t, newDatabase(t))
	other := inDatabase(t, u).newBuses(t.Context())
	t.Cleanup(other.Close)
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, address := u.Host, in.Addr().String()
	_ = in.Close() // nobody listens there for now
	a := inDatabase(t, u)
	cfg := *a.cfg
	behind := *u
	behind.Host = address
	cfg.Memory.URL = behind.String()
	a.cfg = &cfg
	one := a.newBuses(t.Context())
	t.Cleanup(one.Close)
	failed := make(said, 10)
	one.log = slog.New(slog.NewTextHandler(failed, nil))
	heard := make(chan string, 1)
	to := http.Address{Caller: "ada", Session: "s"}
	t.Cleanup(one.Follow(to, true, func(m []byte) bool { heard <- string(m); return true }))
	<-failed
	if err := one.Put(t.Context(), to, []byte("{}")); err == nil {
		t.Fatal("a message was passed on without a database")
	}
	if in, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	go passOn(in, server)
	if err := other.Put(t.Context(), to, []byte("late")); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-heard:
		if m != "late" {
			t.Errorf("heard %q", m)
		}
	case <-time.After(30 * time.Second):
		t.Error("what another server passed on was not heard")
	}
}

// said receives the lines of a log.
type said chan string

func (s said) Write(line []byte) (int, error) {
	select {
	case s <- string(line):
	default:
	}
	return len(line), nil
}

// passOn gives the connections of a listener to a server.
func passOn(in net.Listener, server string) {
	for {
		c, err := in.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", server)
		if err != nil {
			_ = c.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, c); _ = out.Close() }()
		go func() { _, _ = io.Copy(c, out); _ = c.Close() }()
	}
}
