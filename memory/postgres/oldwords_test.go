package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// makeOld leaves the words of all documents as an older program may have made them: without
// other forms of words, here without any but the title's.
func makeOld(t *testing.T, m *Memory) {
	t.Helper()
	admin(t, "set search_path = "+m.server.path, "update passage set stems = 't'", "update doc set words = 1, terms = chunks", "update tally set terms = 0",
		"update tally set terms = (select sum(terms) from doc) where model = 0 and slot = (select min(slot) from tally where model = 0)")
}

// reopened opens the memory once more, as another process does.
func reopened(t *testing.T, m *Memory) *Memory {
	t.Helper()
	again, err := Open(t.Context(), contract.Config{URL: with("search_path", m.server.schema+",public", "pool_max_conns", "4")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	return again
}

func foundBy(t *testing.T, m *Memory, query string) string {
	t.Helper()
	r, err := m.Recall(t.Context(), evidence.RecallQuery{Text: query, Mode: evidence.ModeBM25})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Hits) == 0 {
		return ""
	}
	return r.Hits[0].Document.ID
}

func wantSound(t *testing.T, m *Memory, documents int) {
	t.Helper()
	if r, err := m.Check(t.Context()); err != nil || !r.OK || r.Documents != documents {
		t.Errorf("Check = %+v, %v, want %d documents", r, err, documents)
	}
}

// The words that an older program has stored are made anew when the memory is opened, and
// are those that Put makes.
func TestWordsOfAnOlderProgramAreMadeAnew(t *testing.T) {
	t.Parallel()
	m := open(t)
	texts := []string{"getUserById loads the row", "The C++ library", "A glacier moves", "Die Straße von Minsk nach Brest wurde im Jahr 1900 gebaut, und sie ist sehr lang."}
	for i, s := range texts {
		keep(t, m, textDoc(i+1, s))
	}
	made := storedStems(t, m)
	makeOld(t, m)
	if got := foundBy(t, m, "user by id"); got != "" {
		t.Fatalf("the old words find %q: the test proves nothing", got)
	}
	wantSound(t, m, 4)
	again := reopened(t, m)
	if !again.server.oldWords {
		t.Error("Open has not seen the old words")
	}
	if _, err := m.finishWords(t.Context(), 0); err != nil { // waits for the one that does it
		t.Fatal(err)
	}
	if got := storedStems(t, m); got != made {
		t.Errorf("the words are\n%s, want\n%s", got, made)
	}
	for query, want := range map[string]string{"user by id": "d1", "C++": "d2", "glaciers": "d3", "STRASSE": "d4"} {
		if got := foundBy(t, again, query); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	wantSound(t, m, 4)
	if reopened(t, m).server.oldWords {
		t.Error("some words are old still")
	}
}

func storedStems(t *testing.T, m *Memory) (all string) {
	t.Helper()
	err := m.pool.QueryRow(t.Context(), "select string_agg(doc || ' ' || ord || ' ' || stems, chr(10) order by doc, ord) from passage").Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What lost its text keeps nothing else from being done.
func TestOldWordsOfADocumentWithoutText(t *testing.T) {
	t.Parallel()
	m := open(t)
	keep(t, m, textDoc(1, "The C++ library"))
	keep(t, m, textDoc(2, "A glacier moves"))
	makeOld(t, m)
	if _, err := m.pool.Exec(t.Context(), "delete from body where doc = (select id from doc where uid = 'd1')"); err != nil {
		t.Fatal(err)
	}
	if n, err := m.finishWords(t.Context(), 0); n != 2 || err != nil {
		t.Errorf("finishWords = %d, %v, want 2", n, err)
	}
	if got := foundBy(t, m, "glaciers"); got != "d2" {
		t.Errorf("glaciers find %q", got)
	}
}

// A large memory is done in steps. Each is durable, recalls work between them, and whoever
// is next continues; Reindex leaves nothing.
func TestOldWordsAreMadeAnewInSteps(t *testing.T) {
	t.Parallel()
	m := open(t)
	const documents = 2*wordsDocs + 20
	for i := range documents {
		keep(t, m, textDoc(i, fmt.Sprintf("getUserById number%d", i)))
	}
	makeOld(t, m)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if _, err := m.finishWords(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("finishWords that was cancelled = %v", err)
		}
	})
	done := 0
	for done == 0 {
		if err := m.pool.QueryRow(t.Context(), "select count(*) from doc where words > 1").Scan(&done); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	working.Wait()
	if done != wordsDocs {
		t.Errorf("the first step did %d documents, want %d", done, wordsDocs)
	}
	if got, later := foundBy(t, m, "number3"), foundBy(t, m, fmt.Sprint("number", documents-1)); got != "d3" || later != "" {
		t.Errorf("after one step %q and %q are found, want d3 and nothing", got, later)
	}
	wantSound(t, m, documents)
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = []float32{1, 0}
		}
		return out, nil
	}
	if _, err := m.Reindex(t.Context(), evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindLexical}, embed, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := m.finishWords(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("Reindex left %d documents with old words, %v", n, err)
	}
	if got := foundBy(t, m, fmt.Sprint("number", documents-1)); got != fmt.Sprint("d", documents-1) {
		t.Errorf("the last document is not found: %q", got)
	}
	wantSound(t, m, documents)
}

// Several processes make each document anew once, while others replace, forget and retain
// documents and connections are killed: the counters are right afterwards.
func TestOldWordsAmongWriters(t *testing.T) {
	t.Parallel()
	m := open(t)
	const documents = 240
	for i := range documents {
		keep(t, m, textDoc(i, fmt.Sprintf("getUserById number%d", i)))
	}
	makeOld(t, m)
	replicas := []*Memory{m}
	for range 2 {
		again, err := Open(t.Context(), contract.Config{URL: with("search_path", m.server.schema+",public", "pool_max_conns", "4"), Keep: contract.Retention{MaxBytes: documents * 20}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = again.Close() })
		replicas = append(replicas, again)
	}
	killer := admin(t)
	var all sync.WaitGroup
	for _, r := range replicas {
		all.Go(func() {
			if _, err := r.finishWords(t.Context(), 0); err != nil {
				t.Errorf("finishWords = %v", err)
			}
		})
	}
	for i := range 30 {
		keep(t, replicas[1], textDoc(8*i, fmt.Sprintf("getUserById other%d with more words", i)))
		if i%10 == 3 {
			if _, err := m.Forget(t.Context(), contract.Selector{IDs: []string{fmt.Sprint("d", 8*i+1)}}); err != nil {
				t.Error(err)
			}
			if _, err := killer.Exec(t.Context(), `select pg_terminate_backend(a.pid) from pg_stat_activity a join pg_locks l on l.pid = a.pid
				where l.relation = $1::regclass and a.pid <> pg_backend_pid() limit 1`, m.server.schema+".passage"); err != nil {
				t.Error(err)
			}
		}
		if i == 15 {
			if _, err := replicas[2].Retain(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	all.Wait()
	st, err := m.Stats(t.Context())
	if err != nil || st.Documents == documents {
		t.Errorf("Stats = %d documents, %v, want fewer than %d", st.Documents, err, documents)
	}
	wantSound(t, m, st.Documents)
	if got := foundBy(t, m, "other29"); got != "d232" {
		t.Errorf("other29 finds %q", got)
	}
	if got := foundBy(t, m, "number235"); got != "d235" {
		t.Errorf("number235 finds %q", got)
	}
}

// Each document is made anew by one of the processes.
func TestOldWordsAreMadeAnewOnce(t *testing.T) {
	t.Parallel()
	m := open(t)
	const documents = 3 * wordsDocs
	for i := range documents {
		keep(t, m, textDoc(i, fmt.Sprintf("getUserById number%d", i)))
	}
	others := []*Memory{m, reopened(t, m), reopened(t, m)}
	makeOld(t, m)
	var done atomic.Int64
	var all sync.WaitGroup
	for _, r := range others {
		all.Go(func() {
			n, err := r.finishWords(t.Context(), 0)
			if err != nil {
				t.Error(err)
			}
			done.Add(int64(n))
		})
	}
	all.Wait()
	if n := done.Load(); n != documents {
		t.Errorf("%d documents were made anew, want each of %d once", n, documents)
	}
	wantSound(t, m, documents)
}

// What others are writing is left alone until they have done it, and nothing else waits.
func TestOldWordsOfWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	m := open(t)
	for i := range 4 {
		keep(t, m, textDoc(i, fmt.Sprintf("getUserById number%d", i)))
	}
	makeOld(t, m)
	putting, err := m.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer putting.Rollback(context.Background()) //nolint:errcheck // ends it, if it has not ended
	if _, err := putting.Exec(t.Context(), "select pg_advisory_xact_lock($1)", m.key(lockDoc+"d1")); err != nil {
		t.Fatal(err)
	}
	if _, err := putting.Exec(t.Context(), "select 1 from doc where uid = 'd2' for update"); err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	working.Go(func() {
		if n, err := m.finishWords(t.Context(), 0); n != 4 || err != nil {
			t.Errorf("finishWords = %d, %v, want 4", n, err)
		}
	})
	var done []string
	for len(done) < 2 {
		if done, err = column[string](t.Context(), m.pool, "select uid from doc where words > 1 order by uid"); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(done, []string{"d0", "d3"}) {
		t.Errorf("made anew are %q, want those that nobody writes", done)
	}
	if err := putting.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	working.Wait()
	wantSound(t, m, 4)
}
