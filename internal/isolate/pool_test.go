package isolate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// pidOf asks a child of the pool which process it is: a number drawn at its start, as
// all of them may be process 1 of their namespaces.
func pidOf(t *testing.T, p *isolate.Pool) int {
	t.Helper()
	var pid int
	if err := p.Run(bound(t), "pid", note{}, &pid); err != nil {
		t.Fatalf("Run(pid) = %v", err)
	}
	return pid
}

func TestPoolServesManyTasksWithOneProcess(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{MaxTasks: 100, Deadline: time.Hour})
	first := pidOf(t, p)
	for i := range 20 {
		var got note
		if err := p.Run(bound(t), "echo", note{Text: "a\nb <&> é", N: i}, &got); err != nil {
			t.Fatalf("Run(echo) = %v", err)
		}
		if want := (note{Text: "a\nb <&> é!", N: i + 1}); got != want {
			t.Errorf("Run(echo) = %+v, want %+v", got, want)
		}
		var te *isolate.TaskError
		if err := p.Run(bound(t), "fail", note{}, &got); !errors.As(err, &te) || *te != (isolate.TaskError{Task: "fail", Message: "no such page"}) {
			t.Errorf("Run(fail) = %v, want a TaskError", err)
		}
	}
	if last := pidOf(t, p); last != first {
		t.Errorf("the pool went from process %d to %d, want one child", first, last)
	}
}

func TestPoolReplacesAChildThatMisbehaves(t *testing.T) {
	t.Parallel()
	const soon = 300 * time.Millisecond
	for _, c := range []struct {
		task     string
		deadline time.Duration
		want     error
		text     string
	}{
		{task: "exit3", want: isolate.ErrCrashed, text: "exit status 3"},
		{task: "exit0", want: isolate.ErrCrashed, text: "without an answer"},
		{task: "panic", want: isolate.ErrCrashed, text: "exit status 2"},
		{task: "hang", deadline: soon, want: isolate.ErrTimeout, text: "300ms"},
		{task: "closeout", want: isolate.ErrCrashed, text: "closed its output"},
		{task: "garbage", want: isolate.ErrOutput, text: "bad frame"},
		{task: "half", want: isolate.ErrOutput, text: "bad frame"},
		{task: "stalled", deadline: soon, want: isolate.ErrTimeout},
		{task: "notaframe", want: isolate.ErrOutput, text: "invalid character"},
		{task: "wrongseq", want: isolate.ErrOutput, text: "request 999"},
		{task: "unknownfield", want: isolate.ErrOutput, text: "unknown field"},
		{task: "twovalues", want: isolate.ErrOutput, text: "follows"},
		{task: "empty", want: isolate.ErrOutput, text: "request 2, not"},
		{task: "flood", want: isolate.ErrOutput, text: "more than"},
		{task: "noisy", want: isolate.ErrCrashed, text: "exit status 4"},
		{task: "notjson", want: isolate.ErrOutput, text: "invalid character"},
		{task: "no-such-task", want: isolate.ErrCrashed, text: "exit status 70"},
	} {
		t.Run(c.task, func(t *testing.T) {
			t.Parallel()
			o := isolate.Options{Deadline: time.Hour, Parallel: 1}
			if c.deadline > 0 { // the other tasks have time on a busy machine
				o.Deadlines = map[string]time.Duration{c.task: c.deadline}
			}
			p := newPool(t, o)
			first := pidOf(t, p)
			var out any
			err := p.Run(bound(t), c.task, note{}, &out)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.task) {
				t.Errorf("Run(%s) = %v, want %v with %q", c.task, err, c.want, c.text)
			}
			for _, other := range []error{isolate.ErrCrashed, isolate.ErrOutput, isolate.ErrTimeout} {
				if !errors.Is(other, c.want) && errors.Is(err, other) {
					t.Errorf("Run(%s) = %v, which is %v too", c.task, err, other)
				}
			}
			if second := pidOf(t, p); second == first {
				t.Errorf("process %d goes on after %v", first, err)
			}
		})
	}
}

func TestPoolRetiresItsChildren(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]isolate.Options{
		"after so many tasks": {MaxTasks: 3},
		"after so many bytes": {MaxBytes: 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Parallel = 1
			p := newPool(t, o)
			first := pidOf(t, p)
			pidOf(t, p)
			pidOf(t, p)
			if last := pidOf(t, p); last == first {
				t.Errorf("process %d has not retired", first)
			}
		})
	}
}

// By default a child does 20 tasks, of whatever kind, and the next is another's.
func TestPoolRetiresAChildAfterTwentyTasks(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{Parallel: 1, Deadline: time.Hour})
	first := pidOf(t, p)
	for i := range 18 {
		if err := p.Run(bound(t), []string{"echo", "fail"}[i%2], note{}, &note{}); err != nil && i%2 == 0 {
			t.Fatal(err)
		}
	}
	if twentieth := pidOf(t, p); twentieth != first {
		t.Errorf("the 20th task is done by %d, want %d, as the first", twentieth, first)
	}
	if next := pidOf(t, p); next == first {
		t.Errorf("process %d does a 21st task", first)
	}
}

func TestPoolWarm(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{Parallel: 2})
	for range 3 {
		if err := p.Warm(bound(t)); err != nil {
			t.Fatalf("Warm = %v", err)
		}
	}
	// Both answer at once: each waits for the other's word.
	seen := map[int]bool{}
	for range 6 {
		seen[pidOf(t, p)] = true
	}
	if len(seen) > 2 {
		t.Errorf("%d processes in a pool of 2", len(seen))
	}
	bad := newPool(t, isolate.Options{Exe: filepath.Join(t.TempDir(), "none")})
	if err := bad.Warm(bound(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Warm of a missing binary = %v, want os.ErrNotExist", err)
	}
	if err := bad.Run(bound(t), "echo", note{}, &note{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run of a missing binary = %v, want os.ErrNotExist", err)
	}
}

func TestPoolWorksInParallelUpToItsSize(t *testing.T) {
	t.Parallel()
	p := newOpenPool(t, isolate.Options{Parallel: 2})
	in, conns := phone(t)
	ctx, cancel := context.WithCancel(bound(t))
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if err := p.Run(ctx, "callhang", in, &note{}); !errors.Is(err, context.Canceled) {
				t.Errorf("Run(callhang) = %v, want context.Canceled", err)
			}
		})
	}
	var calls []net.Conn
	for range 2 { // both are at work at the same time
		conn, err := conns()
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, conn)
	}
	waiting, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if err := p.Run(waiting, "echo", note{}, &note{}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, isolate.ErrTimeout) {
		t.Errorf("Run with no free child = %v, want its context's error", err)
	}
	cancel()
	for _, conn := range calls {
		hungUp(t, "a cancelled child", conn)
	}
	group.Wait()
}

func TestPoolStartsAnExtraChildBesideABusyOne(t *testing.T) {
	t.Parallel()
	p := newOpenPool(t, isolate.Options{Parallel: 1, Extra: 1})
	first := pidOf(t, p)
	in, conns := phone(t)
	ctx, cancel := context.WithCancel(bound(t))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, "callhang", in, &note{}) }()
	conn, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	if second, third := pidOf(t, p), pidOf(t, p); second == first || third == first || second == third {
		t.Errorf("processes %d, %d, %d, want an extra one for each task beside the busy one", first, second, third)
	}
	cancel()
	hungUp(t, "a cancelled child", conn)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run(callhang) = %v, want context.Canceled", err)
	}
}

func TestPoolHasDeadlinesByTask(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{Deadlines: map[string]time.Duration{"hang": 20 * time.Millisecond, "echo": time.Hour}})
	if err := p.Run(bound(t), "hang", note{}, &note{}); !errors.Is(err, isolate.ErrTimeout) || !strings.Contains(err.Error(), "20ms") {
		t.Errorf("Run(hang) = %v, want ErrTimeout after 20ms", err)
	}
	if err := p.Run(bound(t), "echo", note{}, &note{}); err != nil {
		t.Errorf("Run(echo) = %v", err)
	}
}

func TestPoolCloseEndsEverything(t *testing.T) {
	t.Parallel()
	p := newOpenPool(t, isolate.Options{})
	in, conns := phone(t)
	running := make(chan error, 1)
	go func() { running <- p.Run(bound(t), "callhang", in, &note{}) }()
	conn, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	hungUp(t, "a closed pool's child", conn)
	if err := <-running; !errors.Is(err, isolate.ErrClosed) {
		t.Errorf("Run during Close = %v, want ErrClosed", err)
	}
	for name, err := range map[string]error{"Run": p.Run(bound(t), "echo", note{}, &note{}), "Warm": p.Warm(bound(t))} {
		if !errors.Is(err, isolate.ErrClosed) {
			t.Errorf("%s after Close = %v, want ErrClosed", name, err)
		}
	}
	if _, err := p.Sandbox(bound(t)); !errors.Is(err, isolate.ErrClosed) {
		t.Errorf("Sandbox after Close = %v, want ErrClosed", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close again = %v", err)
	}
}

func TestPoolRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{Exe: os.Args[0], Env: []string{envMiddle + "=nonsense"}, Args: []string{"-test.run=^$", "--"}})
	var got note
	if err := p.Run(bound(t), "echo", note{Text: "x"}, &got); err != nil || got.Text != "x!" {
		t.Errorf("Run with arguments in front = %+v, %v", got, err)
	}
	if err := p.Run(bound(t), "echo", func() {}, &got); err == nil || !strings.Contains(err.Error(), "encoding the input") {
		t.Errorf("Run(echo, a func) = %v, want an error of encoding", err)
	}
	var number int
	if err := p.Run(bound(t), "echo", note{}, &number); !errors.Is(err, isolate.ErrOutput) {
		t.Errorf("Run(echo) into an int = %v, want ErrOutput", err)
	}
	err := p.Run(bound(t), "echo", "a string", &note{})
	var te *isolate.TaskError
	if !errors.As(err, &te) || !strings.Contains(te.Message, "reading the input") {
		t.Errorf("Run(echo, a string) = %v, want the task's error of reading it", err)
	}
}

func TestPoolTakesBigFrames(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{})
	var got note
	if err := p.Run(bound(t), "echo", note{Text: strings.Repeat("a", 4<<20)}, &got); err != nil || len(got.Text) != 4<<20+1 {
		t.Errorf("Run(echo of 4 MB) = %d bytes, %v", len(got.Text), err)
	}
}

// BenchmarkPool is the price of a small task in a child that is there.
func BenchmarkPool(b *testing.B) {
	p := newPool(b, isolate.Options{})
	if err := p.Warm(b.Context()); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		start := time.Now()
		if err := p.Run(b.Context(), "echo", note{Text: "a"}, &note{}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}

// poolTasks are those of the tests in this file.
func poolTasks() map[string]isolate.Task {
	number := rand.Int()
	return map[string]isolate.Task{
		"pid":          isolate.JSON(func(context.Context, note) (int, error) { return number, nil }),
		"exit0":        func(context.Context, []byte) ([]byte, error) { os.Exit(0); return nil, nil },
		"notaframe":    func(context.Context, []byte) ([]byte, error) { return sayRaw("\x00\x00\x00\x04what") },
		"stalled":      func(context.Context, []byte) ([]byte, error) { return sayRaw("\x00\x00\xff\xffwhat") },
		"wrongseq":     func(context.Context, []byte) ([]byte, error) { return sayFrame(`{"seq":999}`) },
		"unknownfield": func(context.Context, []byte) ([]byte, error) { return sayFrame(`{"result":1}`) },
		"twovalues":    func(context.Context, []byte) ([]byte, error) { return sayFrame(`{"seq":2} {"seq":2}`) },
		"empty":        func(context.Context, []byte) ([]byte, error) { return sayFrame(`{"seq":2}`, "") },
		"escape":       isolate.JSON(escape),
	}
}

// sayFrame writes frames to the real stdout and hangs.
func sayFrame(frames ...string) ([]byte, error) {
	out := ""
	for _, s := range frames {
		out += fmt.Sprintf("\x00\x00\x00%c%s", len(s), s)
	}
	return sayRaw(out)
}

// sayRaw writes to the real stdout and hangs.
func sayRaw(s string) ([]byte, error) {
	if _, err := rawOut().WriteString(s); err != nil {
		return nil, err
	}
	return hang()
}
