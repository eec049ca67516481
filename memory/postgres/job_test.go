package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

var jobModel = evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}

// two opens a memory twice, as two processes do.
func two(t *testing.T, keep contract.Retention) (one, other *Memory, schema string) {
	t.Helper()
	needServer(t)
	dir := t.TempDir()
	open := func() *Memory {
		m, err := openAt(t.Context(), contract.Config{Dir: dir, Keep: keep}, "application_name", schemaOf(dir))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	return open(), open(), schemaOf(dir)
}

// endHolder ends the connection that has an advisory lock of m, as the death of its process
// would.
func endHolder(t *testing.T, m *Memory, purpose string) {
	t.Helper()
	key := uint64(m.key(purpose)) //nolint:gosec // bits, not a number
	conn := admin(t)
	var pid *int32
	eventually(t, "somebody has the lock "+purpose, func() bool {
		err := conn.QueryRow(t.Context(), "select max(pid) from pg_locks where locktype = 'advisory' and granted and classid = $1 and objid = $2", key>>32, key&0xffffffff).Scan(&pid)
		return err == nil && pid != nil
	})
	if _, err := conn.Exec(t.Context(), "select pg_terminate_backend($1, 10000)", *pid); err != nil { // it waits for the end
		t.Fatal(err)
	}
}

// embedded counts texts, and waits before each batch until gate is closed.
type embedded struct {
	gate  chan struct{}
	begun chan struct{}
	texts atomic.Int64
}

func newEmbedded() *embedded {
	return &embedded{gate: make(chan struct{}), begun: make(chan struct{}, 1000)}
}

func (e *embedded) embed(ctx context.Context, texts []string) ([][]float32, error) {
	e.begun <- struct{}{}
	select {
	case <-e.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.texts.Add(int64(len(texts)))
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{1, 0}
	}
	return out, nil
}

func fillDocs(t *testing.T, m *Memory, n int) {
	t.Helper()
	for i := range n {
		keep(t, m, textDoc(i, fmt.Sprintf("Text %d of the ledger.", i)))
	}
}

// vectorsOf counts the vectors of a model, and the documents that have all of them.
func vectorsOf(t *testing.T, m *Memory, schema string) (vectors int) {
	t.Helper()
	if err := admin(t).QueryRow(t.Context(), "select count(*) from "+schema+".vec_1").Scan(&vectors); err != nil {
		t.Fatal(err)
	}
	if q, err := m.MissingVectors(t.Context(), jobModel); err != nil || q.Chunks != 0 {
		t.Errorf("missing: %+v, %v", q, err)
	}
	return vectors
}

// One process writes vectors at a time. When it dies, another one takes the queue over; one
// that has only lost its connection stops, and what it had made is not stored twice.
func TestVectorsMoveToAnotherProcess(t *testing.T) {
	t.Parallel()
	one, other, schema := two(t, contract.Retention{})
	const docs = 40
	fillDocs(t, one, docs)
	first, second := newEmbedded(), newEmbedded()
	close(second.gate)
	ended := make(chan error, 1)
	go func() {
		_, err := one.FillVectors(t.Context(), jobModel, first.embed, nil)
		ended <- err
	}()
	got(t, first.begun, "the first batch")
	if _, err := other.FillVectors(t.Context(), jobModel, second.embed, nil); !errors.Is(err, contract.ErrFilling) {
		t.Errorf("while the first is at it: %v", err)
	}
	endHolder(t, one, lockFill+jobModel.Key())
	if _, err := other.FillVectors(t.Context(), jobModel, second.embed, nil); err != nil {
		t.Errorf("after the death of the first: %v", err)
	}
	if n := second.texts.Load(); n != docs {
		t.Errorf("the second embedded %d texts, want %d", n, docs)
	}
	close(first.gate) // it comes back with what it had
	if err := got(t, ended, "the end of the first"); !errors.Is(err, contract.ErrFilling) {
		t.Errorf("the first, whose lock was lost: %v", err)
	}
	if n := vectorsOf(t, other, schema); n != docs {
		t.Errorf("%d vectors are stored, want %d", n, docs)
	}
}

// Of several processes that shall change the model one embeds; when it dies, another one
// goes on where it ended.
func TestReindexMovesToAnotherProcess(t *testing.T) {
	t.Parallel()
	one, other, schema := two(t, contract.Retention{})
	const docs = 40
	fillDocs(t, one, docs)
	first, second := newEmbedded(), newEmbedded()
	close(second.gate)
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() {
		_, err := one.Reindex(ctx, jobModel, first.embed, nil)
		ended <- err
	}()
	got(t, first.begun, "the first batch")
	go func() {
		_, err := other.Reindex(t.Context(), jobModel, second.embed, nil)
		ended <- err
	}()
	first.gate <- struct{}{} // a batch of 32, which is kept
	got(t, first.begun, "the second batch")
	if n := second.texts.Load(); n != 0 {
		t.Errorf("a second process embedded %d texts at the same time", n)
	}
	endHolder(t, one, lockFill+jobModel.Key())
	kill()
	for range 2 {
		if err := got(t, ended, "an end"); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if a, b := first.texts.Load(), second.texts.Load(); a != 32 || b != docs-32 {
		t.Errorf("embedded %d and %d texts, want each of %d once", a, b, docs)
	}
	if n := vectorsOf(t, other, schema); n != docs {
		t.Errorf("%d vectors are stored, want %d", n, docs)
	}
	if s, err := other.Stats(t.Context()); err != nil || len(s.Models) != 1 || !s.Models[0].Active {
		t.Errorf("the model is not in use: %+v, %v", s.Models, err)
	}
}

// Retention, and the log of removals with it, is one process's at a time; when that dies,
// another one that waits does it, and each document is removed and counted once.
func TestRetentionMovesToAnotherProcess(t *testing.T) {
	t.Parallel()
	one, other, schema := two(t, contract.Retention{MaxAge: time.Hour})
	const docs = 30
	for i := range docs {
		doc := textDoc(i, fmt.Sprintf("Text %d.", i))
		doc.Retrieved = time.Now().Add(-2 * time.Hour)
		keep(t, one, doc)
	}
	holder := admin(t, "begin", fmt.Sprintf("select pg_advisory_xact_lock(%d)", one.key(lockRetain)))
	removed := make(chan int, 2)
	for _, m := range []*Memory{one, other} {
		go func() {
			r, err := m.Retain(t.Context())
			if err != nil {
				t.Error(err)
			}
			removed <- r.Documents
		}()
	}
	waiting := admin(t)
	eventually(t, "both wait", func() bool {
		n := 0
		err := waiting.QueryRow(t.Context(), "select count(*) from pg_stat_activity where application_name = $1 and wait_event = 'advisory'", schema).Scan(&n)
		return err == nil && n == 2
	})
	if n := len(removed); n != 0 {
		t.Errorf("%d processes did it beside the one that has the lock", n)
	}
	if _, err := waiting.Exec(t.Context(), "select pg_terminate_backend($1)", int32(holder.PgConn().PID())); err != nil { //nolint:gosec // a process id
		t.Fatal(err)
	}
	if a, b := got(t, removed, "a receipt"), got(t, removed, "a receipt"); a+b != docs {
		t.Errorf("removed %d and %d documents, want %d together", a, b, docs)
	}
	if s, err := one.Stats(t.Context()); err != nil || s.Documents != 0 {
		t.Errorf("%d documents are left, %v", s.Documents, err)
	}
}

// Two processes fold one session at once, while a third writes to it and the one that had it
// locked dies: one summary is stored, and no turn is lost or doubled.
func TestFoldingAtTwoProcesses(t *testing.T) {
	t.Parallel()
	one, other, schema := two(t, contract.Retention{})
	s, err := one.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	say := func(m *Memory, from, to int) {
		for i := from; i <= to; i++ {
			if err := m.Append(t.Context(), s.ID, evidence.Turn{Role: evidence.RoleUser, Text: fmt.Sprint("turn ", i)}); err != nil {
				t.Error(err)
			}
		}
	}
	say(one, 1, 8)
	holder := admin(t, "begin", fmt.Sprintf("select 1 from %s.session where uid = '%s' for update", schema, s.ID))
	var folded atomic.Int64
	var working sync.WaitGroup
	for i, m := range []*Memory{one, other, one, other} {
		working.Go(func() {
			ok, err := m.Fold(t.Context(), s.ID, 0, int64(4+i%2), fmt.Sprint("summary ", i))
			if err != nil {
				t.Error(err)
			}
			if ok {
				folded.Add(1)
			}
		})
	}
	working.Go(func() { say(other, 9, 12) })
	waiting := admin(t)
	eventually(t, "they wait for the one that has it", func() bool {
		n := 0
		err := waiting.QueryRow(t.Context(), "select count(*) from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'", schema).Scan(&n)
		return err == nil && n >= 4
	})
	if _, err := waiting.Exec(t.Context(), "select pg_terminate_backend($1)", int32(holder.PgConn().PID())); err != nil { //nolint:gosec // a process id
		t.Fatal(err)
	}
	working.Wait()
	if n := folded.Load(); n != 1 {
		t.Errorf("%d folds succeeded, want 1", n)
	}
	after, err := other.Open(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if after.Messages != 12 || after.Summary == "" || len(after.Turns) != 12-int(after.SummaryTo) {
		t.Fatalf("%d messages, a summary %q to %d, %d turns", after.Messages, after.Summary, after.SummaryTo, len(after.Turns))
	}
	for i, turn := range after.Turns {
		if want := after.SummaryTo + int64(i) + 1; turn.Seq != want || turn.Text != fmt.Sprint("turn ", want) {
			t.Errorf("turn %d is %d, %q", want, turn.Seq, turn.Text)
		}
	}
}

// Every process sees that another one has forgotten something, and nothing else changes it.
func TestForgetMark(t *testing.T) {
	t.Parallel()
	one, other, _ := two(t, contract.Retention{})
	fillDocs(t, one, 3)
	mark := func() string {
		t.Helper()
		s, err := other.ForgetMark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := mark()
	keep(t, one, textDoc(9, "Another."))
	if after := mark(); after != before {
		t.Errorf("a new document makes %q of %q", after, before)
	}
	if _, err := one.Forget(t.Context(), contract.Selector{IDs: []string{"d1"}}); err != nil {
		t.Fatal(err)
	}
	if after := mark(); after == before {
		t.Errorf("a removal leaves %q", after)
	}
}

// Two jobs in a process leave a connection for what they do: with as many as its connections
// they would wait for one for ever.
func TestJobsLeaveAConnection(t *testing.T) {
	t.Parallel()
	needServer(t)
	m, err := openAt(t.Context(), contract.Config{Dir: t.TempDir()}, "pool_max_conns", fmt.Sprint(fewestConns))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	fillDocs(t, m, 20)
	e, other := newEmbedded(), jobModel
	other.Name = "other"
	filled := make(chan error, 3)
	go func() { _, err := m.FillVectors(t.Context(), jobModel, e.embed, nil); filled <- err }()
	got(t, e.begun, "the first batch")
	go func() { _, err := m.FillVectors(t.Context(), other, e.embed, nil); filled <- err }()
	got(t, e.begun, "that of another model")
	go func() { _, err := m.Reindex(t.Context(), other, e.embed, nil); filled <- err }()
	close(e.gate)
	for range 3 {
		if err := got(t, filled, "an end"); err != nil {
			t.Errorf("a job = %v", err)
		}
	}
	for _, model := range []evidence.Model{jobModel, other} {
		if q, err := m.MissingVectors(t.Context(), model); err != nil || q.Chunks != 0 {
			t.Errorf("missing of %s: %+v, %v", model.Name, q, err)
		}
	}
}

// Counters that say for ever that a document is without vectors end a reindex.
func TestReindexWithDamagedCounters(t *testing.T) {
	t.Parallel()
	m := open(t)
	fillDocs(t, m, 1)
	admin(t, "update "+m.server.schema+".tally set documents = documents + 1 where model = 0")
	e := newEmbedded()
	close(e.gate)
	_, err := m.Reindex(t.Context(), jobModel, e.embed, nil)
	if wantProblem(t, err, "1 of 2 documents", "memory check"); !errors.Is(err, contract.ErrDamaged) {
		t.Errorf("Reindex = %v, want ErrDamaged", err)
	}
}
