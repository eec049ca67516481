package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// A claim whose end could not be stored ends with its signs, although its process lives on.
func TestAClaimWhoseEndWasLost(t *testing.T) {
	t.Parallel()
	m := open(t)
	for _, id := range []string{"r_ended", "r_works"} {
		if ok, err := m.ClaimRun(t.Context(), contract.ClaimedRun{ID: id, Question: "q?", Request: []byte("{}"), Begun: time.Now()}); !ok || err != nil {
			t.Fatalf("ClaimRun(%s) = %v, %v", id, ok, err)
		}
	}
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.ReleaseRun(away, "r_ended"); err == nil {
		t.Fatal("the end was stored although nobody waited for it")
	}
	if _, err := m.pool.Exec(t.Context(), "update claim set sign = clock_timestamp() - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	if err := m.renewClaims(t.Context()); err != nil {
		t.Fatal(err)
	}
	alive := map[string]bool{}
	all, err := m.ClaimedRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range all {
		alive[run.ID] = run.Alive
	}
	if len(alive) != 2 || alive["r_ended"] || !alive["r_works"] {
		t.Errorf("alive are %v, want r_works alone", alive)
	}
}
