package isolate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// wholeFrames reads n frames, calls then, and gives the frames out.
type wholeFrames struct {
	from io.Reader
	n    int
	then func()
	got  bytes.Buffer
}

func (f *wholeFrames) Read(p []byte) (int, error) {
	for ; f.n > 0; f.n-- {
		raw, err := readFrame(f.from, 1<<20)
		if err != nil {
			return 0, err
		}
		f.got.Write(framed(raw))
		if f.n == 1 {
			f.then()
		}
	}
	return f.got.Read(p)
}

// TestCancellationWithTheAnswerReplacesTheChild cancels a task when its answer has
// arrived and before Run returns it. The next task must get another child.
func TestCancellationWithTheAnswerReplacesTheChild(t *testing.T) {
	t.Parallel()
	p, err := NewPool(Options{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := p.idle[0]
	w.reader = bufio.NewReader(&wholeFrames{from: w.out, n: 2, then: cancel})
	var first, second int
	if err := p.Run(ctx, "pid", struct{}{}, &first); err != nil || ctx.Err() == nil {
		t.Fatalf("Run = %v with %v, want the answer and a cancellation", err, ctx.Err())
	}
	if err := p.Run(t.Context(), "pid", struct{}{}, &second); err != nil || second == first {
		t.Errorf("the next task: %v from process %d after %d, want another", err, second, first)
	}
}

// A child whose task ended well is nevertheless replaced if it has sent more than the
// answer, or if it took most of its time.
func TestAnomalyWithTheAnswerReplacesTheChild(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then     func(*worker, *wholeFrames)
		replaced bool
	}{
		"none":                       {func(*worker, *wholeFrames) {}, false},
		"a byte more":                {func(_ *worker, f *wholeFrames) { f.got.WriteByte(0) }, true},
		"an answer that nobody asks": {func(_ *worker, f *wholeFrames) { f.got.Write(framed([]byte(`{"seq":1}`))) }, true},
		"its time is over by half":   {func(w *worker, _ *wholeFrames) { w.allowed = 1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := NewPool(Options{Parallel: 1, Deadline: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := p.idle[0]
			frames := &wholeFrames{from: w.out, n: 2}
			frames.then = func() { c.then(w, frames) }
			w.reader = bufio.NewReader(frames)
			var first, second int
			if err := p.Run(t.Context(), "pid", struct{}{}, &first); err != nil {
				t.Fatalf("Run = %v, want the answer", err)
			}
			w.reader = bufio.NewReader(w.out)
			if err := p.Run(t.Context(), "pid", struct{}{}, &second); err != nil || (second != first) != c.replaced {
				t.Errorf("the next task: %v from process %d after %d, want another: %v", err, second, first, c.replaced)
			}
		})
	}
}

// Nobody can tell the number of a task from those before it.
func TestTasksHaveRandomNumbers(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{}
	for range 1000 {
		id := newID()
		if seen[id] || seen[id-1] || seen[id+1] {
			t.Fatalf("newID = %d, near one before it", id)
		}
		seen[id] = true
	}
}

// TestCancellationWithTheHelloGivesNoChild is the same while a child starts.
func TestCancellationWithTheHelloGivesNoChild(t *testing.T) {
	t.Parallel()
	p, err := NewPool(Options{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w, err := startWorker(t.Context(), &p.opts, p.name)
	if err != nil {
		t.Fatal(err)
	}
	defer w.stop()
	raw, err := encode(hello{Version: helloVersion, Sandbox: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.reader = bufio.NewReader(&wholeFrames{from: bytes.NewReader(framed(raw)), n: 1, then: cancel})
	if err := w.handshake(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("handshake = %v, want a cancellation", err)
	}
}
