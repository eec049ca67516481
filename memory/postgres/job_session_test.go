package postgres

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// The jobs of a process have one connection together, and none waits for another one: with
// one for each, those of some tenants would keep the others from theirs for hours.
func TestJobsOfManyTenants(t *testing.T) {
	t.Parallel()
	all, schema := sharing(t, "blue", "red", "green", "grey", "pink", "teal")
	watcher := admin(t)
	e := newEmbedded()
	filled := make(chan error, len(all))
	for _, m := range all[1:] {
		fillDocs(t, m, 2)
		go func() { _, err := m.FillVectors(t.Context(), jobModel, e.embed, nil); filled <- err }()
		got(t, e.begun, "the first batch of each")
	}
	var holding int
	locks := "select count(distinct pid) from pg_locks join pg_stat_activity using(pid) where locktype = 'advisory' and usename = $1"
	if err := watcher.QueryRow(t.Context(), locks, "server_"+schema).Scan(&holding); err != nil || holding != 1 {
		t.Errorf("%d connections have the locks of jobs, %v, want 1", holding, err)
	}
	for _, m := range all[1:] { // its own is another thing
		if _, err := m.FillVectors(t.Context(), jobModel, e.embed, nil); !errors.Is(err, contract.ErrFilling) {
			t.Errorf("a second FillVectors of one = %v, want ErrFilling", err)
		}
	}
	quick := newEmbedded()
	close(quick.gate)
	fillDocs(t, all[0], 2)
	if _, err := all[0].Reindex(bounded(t), jobModel, quick.embed, nil); err != nil {
		t.Errorf("Reindex beside the fills of others = %v", err)
	}
	close(e.gate)
	for range all[1:] {
		if err := got(t, filled, "an end"); err != nil {
			t.Errorf("FillVectors = %v", err)
		}
	}
	for i, m := range all {
		if q, err := m.MissingVectors(t.Context(), jobModel); err != nil || q.Chunks != 0 {
			t.Errorf("missing of %d: %+v, %v", i, q, err)
		}
	}
	noJobs(t, all[0])
}

// When the session of jobs is lost, each of them ends, and the next ones have another.
func TestJobsOfALostSession(t *testing.T) {
	t.Parallel()
	all, _ := sharing(t, "blue", "red", "green")
	first, second := newEmbedded(), newEmbedded()
	close(second.gate)
	ended := make(chan error, 2)
	for _, m := range all[:2] {
		fillDocs(t, m, 12)
		go func() { _, err := m.FillVectors(t.Context(), jobModel, first.embed, nil); ended <- err }()
		got(t, first.begun, "the first batch of each")
	}
	endHolder(t, all[0], lockFill+jobModel.Key())
	fillDocs(t, all[2], 2)
	if _, err := all[2].FillVectors(t.Context(), jobModel, second.embed, nil); err != nil {
		t.Errorf("the next job = %v", err)
	}
	// Those that have not noticed keep no connection from others.
	eventually(t, "no connection is in use", func() bool { return all[0].pool.Stat().AcquiredConns() == 0 })
	close(first.gate)
	for range 2 {
		if err := got(t, ended, "an end"); !errors.Is(err, contract.ErrFilling) {
			t.Errorf("a job that was lost = %v, want ErrFilling", err)
		}
	}
	for i, m := range all {
		if _, err := m.FillVectors(t.Context(), jobModel, second.embed, nil); err != nil {
			t.Errorf("FillVectors of %d later = %v", i, err)
		}
	}
	noJobs(t, all[0])
}

// A job that waits for a connection ends with its memory.
func TestCloseEndsJobThatWaits(t *testing.T) {
	t.Parallel()
	all, _ := sharing(t, "blue", "red")
	blue, red := all[0], all[1]
	var conns []*pgxpool.Conn
	for range red.pool.Config().MaxConns {
		conn, err := red.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	e := newEmbedded()
	filled, closed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := blue.FillVectors(t.Context(), jobModel, e.embed, nil); filled <- err }()
	eventually(t, "it begins", func() bool { return len(blue.conns.jobs.looking) == 1 })
	go func() { closed <- blue.Close() }()
	if err := got(t, filled, "the end of the job"); !errors.Is(err, errClosed) {
		t.Errorf("FillVectors = %v, want %v", err, errClosed)
	}
	if err := got(t, closed, "the end of Close"); err != nil {
		t.Error(err)
	}
	for _, conn := range conns {
		conn.Release()
	}
}

// noJobs makes sure that nothing is kept of jobs that have ended: notices use connections, too.
func noJobs(t *testing.T, m *Memory) {
	t.Helper()
	a := m.conns.jobs
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil || len(a.keys) != 0 {
		t.Errorf("without jobs, the session %v and %d locks are kept", a.session, len(a.keys))
	}
	eventually(t, "their connection is given back", func() bool { return m.pool.Stat().AcquiredConns() == 0 })
}
