package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// A reindex whose connections are killed goes on where it was: all of them after each batch
// that was embedded, the one of its job with them, and now and then one in the midst of
// storing vectors.
func TestReindexWithKilledConnections(t *testing.T) {
	t.Parallel()
	m, _, schema := two(t, contract.Retention{})
	const docs = 200
	fillDocs(t, m, docs)
	var all, writing atomic.Int64
	killer := admin(t)
	var killing sync.Mutex
	kill := func(ctx context.Context, count *atomic.Int64, which string, args ...any) {
		killing.Lock()
		defer killing.Unlock()
		var n int64
		err := killer.QueryRow(ctx, "select count(pg_terminate_backend(pid, 10000)) from ("+which+") one", args...).Scan(&n)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		count.Add(n)
	}
	ctx, stop := context.WithCancel(t.Context())
	var beside sync.WaitGroup
	beside.Go(func() {
		for writing.Load() < 20 { // so that it ends
			select {
			case <-ctx.Done():
				return
			case <-time.After(15 * time.Millisecond):
			}
			kill(ctx, &writing, `select a.pid from pg_stat_activity a join pg_locks l on l.pid = a.pid join pg_class c on c.oid = l.relation
				where a.application_name = $1 and c.relname = 'vec_1' and l.mode = 'RowExclusiveLock' limit 1`, schema)
		}
	})
	made := newEmbedded()
	close(made.gate)
	_, err := m.Reindex(t.Context(), jobModel, func(ctx context.Context, texts []string) ([][]float32, error) {
		kill(ctx, &all, "select pid from pg_stat_activity where application_name = $1", schema)
		return made.embed(ctx, texts)
	}, nil)
	stop()
	beside.Wait()
	if err != nil {
		t.Errorf("Reindex = %v", err)
	}
	if n := vectorsOf(t, m, schema); n != docs {
		t.Errorf("%d vectors are stored, want %d", n, docs)
	}
	if s, err := m.Stats(t.Context()); err != nil || len(s.Models) != 1 || !s.Models[0].Active || s.Models[0].Documents != docs {
		t.Errorf("the model is not in use for all: %+v, %v", s.Models, err)
	}
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
	if n := made.texts.Load(); n < docs || all.Load() < docs/reindexDocs {
		t.Errorf("%d texts were embedded and %d connections killed", n, all.Load())
	}
	t.Logf("killed: %d connections, and %d that stored vectors; %d texts were embedded for %d vectors", all.Load(), writing.Load(), made.texts.Load(), docs)
}
