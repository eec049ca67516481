package postgres

import (
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// What is for a tenant that is being removed waits, and holds up no other tenant, also where
// there is one connection for messages.
func TestPassDuringARemoval(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	_ = openBus(t, dir) // with the tenants
	b := busAt(t, with("search_path", schemaOf(dir)+",public", "pool_max_conns", "3"))
	if n := cap(b.m.conns.room); n != 1 {
		t.Fatalf("there may be %d transactions, want 1", n)
	}
	removal := admin(t, "begin")
	if _, err := removal.Exec(t.Context(), "select pg_advisory_xact_lock($1)", lockKey(b.m.server.schema, "blue", lockRelay)); err != nil {
		t.Fatal(err)
	}
	to := func(tenant string) contract.Box { return contract.Box{Tenant: tenant, Owner: "ada", Session: "s"} }
	passed := make(chan error, 1)
	go func() { passed <- b.Pass(t.Context(), to("blue"), []byte("{}")) }()
	eventually(t, "the message for blue waits", func() bool { return len(b.m.conns.room) == 1 })
	for range 3 {
		if err := b.Pass(bounded(t), to("red"), []byte("{}")); err != nil {
			t.Errorf("the message for red = %v", err)
		}
	}
	select {
	case err := <-passed:
		t.Errorf("the message for blue did not wait: %v", err)
	default:
	}
	if _, err := removal.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	if err := got(t, passed, "the end of the message for blue"); err != nil {
		t.Errorf("the message for blue = %v", err)
	}
	if blue, red := b.rows(t, "blue"), b.rows(t, "red"); blue != 1 || red != 3 {
		t.Errorf("%d and %d messages wait, want 1 and 3", blue, red)
	}
}
