package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// lockedOut holds the write lock of the file until release is called.
func lockedOut(t *testing.T, l *Local) (release func()) {
	t.Helper()
	db, err := openDB(l.path, false)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// waitFor waits until so many documents wait to be stored together.
func waitFor(t *testing.T, l *Local, n int) {
	t.Helper()
	for {
		l.puts.mu.Lock()
		have := len(l.puts.waiting)
		l.puts.mu.Unlock()
		if have == n {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%d documents wait, want %d", have, n)
		}
	}
}

func TestConcurrentPutsAreStoredTogether(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	release := lockedOut(t, l)
	defer release()
	const n = 40
	receipts, errs := make([]evidence.Receipt, n), make([]error, n)
	var wg sync.WaitGroup
	put := func(i int) {
		wg.Go(func() {
			d := textDoc(i+1, fmt.Sprintf("passage %d", i%30)) // the last ten repeat the text of others
			receipts[i], errs[i] = l.Put(t.Context(), d, memorytest.Chunks(d.Text))
		})
	}
	put(0)
	for !leading(l) || waiting(l) != 0 { // the first one stores, and waits for the lock
		if t.Context().Err() != nil {
			t.Fatal("the first document is not being stored")
		}
	}
	for i := range n - 1 {
		put(i + 1)
	}
	waitFor(t, l, n-1)
	release()
	wg.Wait()
	for i, err := range errs {
		if err != nil || receipts[i].Documents != 1 || receipts[i].Chunks != 1 || receipts[i].DocumentID != textDoc(i+1, "").ID {
			t.Errorf("Put %d = %+v, %v", i, receipts[i], err)
		}
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Documents != n {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if r, err := l.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

func leading(l *Local) bool {
	l.puts.mu.Lock()
	defer l.puts.mu.Unlock()
	return l.puts.leading
}

func waiting(l *Local) int {
	l.puts.mu.Lock()
	defer l.puts.mu.Unlock()
	return len(l.puts.waiting)
}

// TestOneBadDocumentOfAGroup: what cannot be stored fails its own caller alone.
func TestOneBadDocumentOfAGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	execOn(t, filepath.Join(dir, fileName), "CREATE TRIGGER no BEFORE INSERT ON doc WHEN new.title='bad' BEGIN SELECT raise(ABORT, 'not this one'); END")
	group := make([]*grouped, 5)
	for i := range group {
		d := textDoc(i+1, fmt.Sprintf("passage %d", i))
		if i == 2 {
			d.Title = "bad"
		}
		e, err := l.prepareEntry(d, memorytest.Chunks(d.Text))
		if err != nil {
			t.Fatal(err)
		}
		group[i] = &grouped{ctx: t.Context(), e: e, done: make(chan struct{})}
	}
	l.storeGroup(group)
	for i, g := range group {
		<-g.done
		if bad := i == 2; (g.err != nil) != bad || !bad && g.r.Documents != 1 {
			t.Errorf("document %d: %+v, %v", i, g.r, g.err)
		}
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Documents != 4 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

// TestACallerOfAGroupGivesUp: a document that waits is taken back, and the others are stored.
func TestACallerOfAGroupGivesUp(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	release := lockedOut(t, l)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			d, at := textDoc(i+1, fmt.Sprintf("passage %d", i)), t.Context()
			if i == 3 {
				at = ctx
			}
			_, errs[i] = l.Put(at, d, memorytest.Chunks(d.Text))
		})
		for leadingOrWaiting(l) != i+1 {
			if t.Context().Err() != nil {
				t.Fatal("the documents do not wait")
			}
		}
	}
	cancel()
	waitFor(t, l, 2)
	release()
	wg.Wait()
	for i, err := range errs {
		if want := i == 3; errors.Is(err, context.Canceled) != want || !want && err != nil {
			t.Errorf("Put %d: %v", i, err)
		}
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Documents != 3 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	// The one that leads may give up, too: the next one leads.
	release = lockedOut(t, l)
	defer release()
	ctx, cancel = context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := l.Put(ctx, textDoc(10, "the first"), memorytest.Chunks("the first"))
		first <- err
	}()
	for leadingOrWaiting(l) != 1 {
		continue
	}
	go func() {
		_, err := l.Put(t.Context(), textDoc(11, "the second"), memorytest.Chunks("the second"))
		second <- err
	}()
	waitFor(t, l, 1)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) { // while the file is still locked
		t.Errorf("the first: %v", err)
	}
	release()
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
}

func leadingOrWaiting(l *Local) int {
	l.puts.mu.Lock()
	defer l.puts.mu.Unlock()
	n := len(l.puts.waiting)
	if l.puts.leading && n == 0 || l.puts.leading && n > 0 && !isLead(l.puts.waiting[0]) {
		n++ // the one that is being stored has left the queue
	}
	return n
}

func isLead(g *grouped) bool {
	select {
	case <-g.lead:
		return true
	default:
		return false
	}
}

var _ contract.Store = (*Local)(nil)

// TestPanicEndsItsCallOnly: if the call that stores the group panics, the other calls return.
func TestPanicEndsItsCallOnly(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	bad := &grouped{ctx: context.Background(), lead: make(chan struct{}), done: make(chan struct{})} // without a document
	beside := &grouped{ctx: context.Background(), lead: make(chan struct{}), done: make(chan struct{})}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		l.storeGroup([]*grouped{bad, beside})
	}()
	select {
	case <-beside.done:
		if !errors.Is(beside.err, errPanicked) {
			t.Errorf("beside = %v", beside.err)
		}
	default:
		t.Error("the caller beside it waits")
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = l.putGrouped(t.Context(), nil)
	}()
	d := textDoc(1, "text")
	if _, err := l.Put(t.Context(), d, evidence.Chunks{Items: []evidence.Chunk{{End: len(d.Text)}}}); err != nil {
		t.Error(err)
	}
}

// TestBusyIsOneErrorForAll: what is busy is recognised also where it is explained.
func TestBusyIsOneErrorForAll(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	defer lockedOut(t, l)()
	db, err := openDB(l.path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA busy_timeout=1"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("DELETE FROM change")
	if explained := explain(l.path, err); !isBusy(err) || !isBusy(explained) {
		t.Errorf("isBusy(%v) = %v, isBusy(%v) = %v", err, isBusy(err), explained, isBusy(explained))
	}
	if isBusy(explain(l.path, errPanicked)) || isBusy(nil) {
		t.Error("other errors are busy")
	}
}
