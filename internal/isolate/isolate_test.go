package isolate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// The test binary is the child too: TestMain gives way to the tasks.
func TestMain(m *testing.M) {
	if exit, isChild := isolate.ChildMain(os.Args, tasks(), os.Stdin, os.Stdout, os.Stderr); isChild {
		os.Exit(exit)
	}
	if os.Getenv(envMiddle) != "" {
		os.Exit(middle())
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if left := unreaped(); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

type note struct {
	Text string
	N    int
}

// rawOut is the real stdout: ChildMain has pointed os.Stdout elsewhere.
func rawOut() *os.File { return os.NewFile(1, "stdout") }

func tasks() map[string]isolate.Task {
	t := map[string]isolate.Task{
		"echo": isolate.JSON(func(_ context.Context, in note) (note, error) {
			fmt.Println("this goes to stderr")
			return note{Text: in.Text + "!", N: in.N + 1}, nil
		}),
		"environ": isolate.JSON(func(context.Context, note) ([]string, error) { return os.Environ(), nil }),
		"fail":    isolate.JSON(func(context.Context, note) (note, error) { return note{}, errors.New("no such page") }),
		"exit3":   func(context.Context, []byte) ([]byte, error) { os.Exit(3); return nil, nil },
		"panic":   func(context.Context, []byte) ([]byte, error) { panic("boom") },
		"hang":    func(context.Context, []byte) ([]byte, error) { return hang() },
		"deadline": func(ctx context.Context, _ []byte) ([]byte, error) {
			_, ok := ctx.Deadline()
			return json.Marshal(ok)
		},
		"flood": func(context.Context, []byte) ([]byte, error) {
			block := []byte(strings.Repeat("a", 1<<20))
			for range 1 << 10 {
				if _, err := rawOut().Write(block); err != nil {
					return nil, err
				}
			}
			return []byte(`"wrote 1 GB"`), nil
		},
		"bigtext": func(context.Context, []byte) ([]byte, error) {
			return json.Marshal(strings.Repeat("a", 2<<20))
		},
		"garbage":  func(context.Context, []byte) ([]byte, error) { return printRaw("<html>not JSON</html>") },
		"half":     func(context.Context, []byte) ([]byte, error) { return printRaw(`{"out":{"Text":"ha`) },
		"silent":   func(context.Context, []byte) ([]byte, error) { return printRaw("") },
		"two":      func(context.Context, []byte) ([]byte, error) { return printRaw(`{"out":1} {"out":2}`) },
		"stranger": func(context.Context, []byte) ([]byte, error) { return printRaw(`{"result":1}`) },
		"neither":  func(context.Context, []byte) ([]byte, error) { return printRaw(`{}`) },
		"notjson":  func(context.Context, []byte) ([]byte, error) { return []byte("not JSON"), nil },
		"closeout": func(context.Context, []byte) ([]byte, error) {
			_ = rawOut().Close()
			return hang()
		},
		"noisy": func(context.Context, []byte) ([]byte, error) {
			for range 1 << 10 {
				fmt.Fprintln(os.Stderr, strings.Repeat("noise", 200))
			}
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(4)
			return nil, nil
		},
		"hog": func(context.Context, []byte) ([]byte, error) {
			var all [][]byte
			for range 1 << 10 {
				block := make([]byte, 1<<20)
				for i := 0; i < len(block); i += 4096 {
					block[i] = 1
				}
				all = append(all, block)
			}
			return json.Marshal(len(all))
		},
	}
	maps.Copy(t, unixTasks())
	maps.Copy(t, poolTasks())
	return t
}

func printRaw(s string) ([]byte, error) {
	if _, err := io.WriteString(rawOut(), s); err != nil {
		return nil, err
	}
	os.Exit(0)
	return nil, nil
}

func hang() ([]byte, error) {
	for { // a timer keeps the runtime from calling it a deadlock
		time.Sleep(time.Hour)
	}
}

func newRunner(t testing.TB, o isolate.Options) *isolate.Runner {
	t.Helper()
	o.NoWalls = true // tasks call the test, and start programs
	r, err := isolate.NewRunner(o)
	if err != nil {
		t.Fatalf("NewRunner(%+v) = %v", o, err)
	}
	return r
}

// bound is the generous limit for everything that must not hang.
func bound(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestRunGivesTheTasksAnswer(t *testing.T) {
	t.Parallel()
	var got note
	err := newRunner(t, isolate.Options{}).Run(bound(t), "echo", note{Text: "a\nb <&> é", N: 1}, &got)
	if err != nil {
		t.Fatalf("Run(echo) = %v", err)
	}
	if want := (note{Text: "a\nb <&> é!", N: 2}); got != want {
		t.Errorf("Run(echo) = %+v, want %+v", got, want)
	}
}

func TestRunSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	const soon = 300 * time.Millisecond // how long a child that hangs may
	for _, c := range []struct {
		task     string
		deadline time.Duration
		want     error
		text     string
	}{
		{task: "exit3", want: isolate.ErrCrashed, text: "exit status 3"},
		{task: "panic", want: isolate.ErrCrashed, text: "exit status 2"},
		{task: "hang", deadline: soon, want: isolate.ErrTimeout, text: "300ms"},
		{task: "closeout", deadline: soon, want: isolate.ErrTimeout},
		{task: "garbage", want: isolate.ErrOutput, text: "invalid character"},
		{task: "half", want: isolate.ErrOutput, text: "unexpected EOF"},
		{task: "silent", want: isolate.ErrOutput, text: "EOF"},
		{task: "two", want: isolate.ErrOutput, text: "follows"},
		{task: "stranger", want: isolate.ErrOutput, text: "unknown field"},
		{task: "neither", want: isolate.ErrOutput, text: "neither"},
		{task: "notjson", want: isolate.ErrCrashed, text: "exit status 70"},
		{task: "no-such-task", want: isolate.ErrCrashed, text: "exit status 70"},
	} {
		t.Run(c.task, func(t *testing.T) {
			t.Parallel()
			var out any
			err := newRunner(t, isolate.Options{Deadline: c.deadline}).Run(bound(t), c.task, note{}, &out)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Run(%s) = %v, want %v with %q", c.task, err, c.want, c.text)
			}
			if !strings.Contains(err.Error(), c.task) {
				t.Errorf("Run(%s) = %v, want the task's name in it", c.task, err)
			}
			for _, other := range []error{isolate.ErrCrashed, isolate.ErrOutput, isolate.ErrTimeout} {
				if !errors.Is(other, c.want) && errors.Is(err, other) {
					t.Errorf("Run(%s) = %v, which is %v too", c.task, err, other)
				}
			}
		})
	}
}

func TestRunGivesTheTasksError(t *testing.T) {
	t.Parallel()
	err := newRunner(t, isolate.Options{}).Run(bound(t), "fail", note{}, &note{})
	var te *isolate.TaskError
	if !errors.As(err, &te) {
		t.Fatalf("Run(fail) = %v, want a TaskError", err)
	}
	if diff := cmp.Diff(&isolate.TaskError{Task: "fail", Message: "no such page"}, te); diff != "" {
		t.Errorf("Run(fail) (-want +got):\n%s", diff)
	}
}

func TestRunRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	r := newRunner(t, isolate.Options{})
	if err := r.Run(bound(t), "echo", func() {}, &note{}); err == nil || !strings.Contains(err.Error(), "encoding the input") {
		t.Errorf("Run(echo, a func) = %v, want an error of encoding", err)
	}
	var number int
	if err := r.Run(bound(t), "echo", note{}, &number); !errors.Is(err, isolate.ErrOutput) {
		t.Errorf("Run(echo) into an int = %v, want ErrOutput", err)
	}
	err := r.Run(bound(t), "echo", "a string", &note{})
	var te *isolate.TaskError
	if !errors.As(err, &te) || !strings.Contains(te.Message, "reading the input") {
		t.Errorf("Run(echo, a string) = %v, want the task's error of reading it", err)
	}
	if err := newRunner(t, isolate.Options{Exe: filepath.Join(t.TempDir(), "none")}).Run(bound(t), "echo", note{}, &note{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run of a missing binary = %v, want os.ErrNotExist", err)
	}
}

// Not parallel: it looks at what the whole process allocates.
func TestRunStopsAFloodWithoutKeepingIt(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var out string
	err := newRunner(t, isolate.Options{}).Run(bound(t), "flood", note{}, &out)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, isolate.ErrOutput) || !strings.Contains(err.Error(), "more than 8388608 bytes") {
		t.Errorf("Run(flood) = %v, want ErrOutput that names the limit", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("a child that writes 1 GB made the parent allocate %d MB", grown>>20)
	}
}

func TestMaxOutputIsTheLimit(t *testing.T) {
	t.Parallel()
	var out string
	const envelope = 11 // {"out":…} and the line's end around the 2 MiB string and its quotes
	if err := newRunner(t, isolate.Options{MaxOutput: 2<<20 + envelope}).Run(bound(t), "bigtext", note{}, &out); err != nil || len(out) != 2<<20 {
		t.Errorf("Run(bigtext) just within the limit = %d bytes, %v", len(out), err)
	}
	if err := newRunner(t, isolate.Options{MaxOutput: 2<<20 + envelope - 1}).Run(bound(t), "bigtext", note{}, &out); !errors.Is(err, isolate.ErrOutput) {
		t.Errorf("Run(bigtext) one byte over the limit = %v, want ErrOutput", err)
	}
}

func TestStderrGoesToTheLogAlone(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := newRunner(t, isolate.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	err := r.Run(bound(t), "noisy", note{}, &note{})
	if !errors.Is(err, isolate.ErrCrashed) || strings.Contains(err.Error(), "noise") {
		t.Errorf("Run(noisy) = %v, want ErrCrashed without the noise", err)
	}
	if got := log.String(); !strings.Contains(got, "last words") || len(got) > 10<<10 {
		t.Errorf("log of %d bytes, want at most 10 kB with the last words", len(got))
	}
}

func TestChildGetsAMinimalEnvironment(t *testing.T) {
	t.Setenv("RESEARCH_MCP_API_KEY", "secret")
	var got []string
	if err := newRunner(t, isolate.Options{Env: []string{"GIVEN=yes"}}).Run(bound(t), "environ", note{}, &got); err != nil {
		t.Fatalf("Run(environ) = %v", err)
	}
	allowed := map[string]bool{
		"GIVEN": true, "RESEARCH_MCP_ISOLATED": true, "RESEARCH_MCP_ISOLATED_MEMORY": true,
		"RESEARCH_MCP_ISOLATED_DEADLINE": true, "RESEARCH_MCP_ISOLATED_WALLS": true, "GOMEMLIMIT": true, "GOTRACEBACK": true, "SYSTEMROOT": true,
	}
	given := false
	for _, kv := range got {
		name, _, _ := strings.Cut(kv, "=")
		given = given || kv == "GIVEN=yes"
		if !allowed[name] {
			t.Errorf("the child sees %s", kv)
		}
	}
	if !given {
		t.Errorf("environment %q lacks GIVEN=yes", got)
	}
}

func TestTaskSeesTheDeadline(t *testing.T) {
	t.Parallel()
	var has bool
	if err := newRunner(t, isolate.Options{}).Run(bound(t), "deadline", note{}, &has); err != nil || !has {
		t.Errorf("Run(deadline) = %v, %v, want a context with a deadline", has, err)
	}
}

func TestContextEndsTheRun(t *testing.T) {
	t.Parallel()
	t.Run("cancelled before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := newRunner(t, isolate.Options{}).Run(ctx, "echo", note{}, &note{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, isolate.ErrTimeout) {
			t.Errorf("Run = %v, want context.Canceled and no timeout", err)
		}
	})
	t.Run("cancelled during", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(bound(t))
		in, conns := phone(t)
		go func() { // the child calls as soon as its task runs
			conn, err := conns()
			cancel(errors.New("the user left"))
			if err == nil {
				_ = conn.Close()
			}
		}()
		err := newRunner(t, isolate.Options{}).Run(ctx, "callhang", in, &note{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, isolate.ErrCrashed) {
			t.Errorf("Run = %v, want context.Canceled and no crash", err)
		}
	})
	t.Run("its deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := newRunner(t, isolate.Options{}).Run(ctx, "hang", note{}, &note{})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, isolate.ErrTimeout) {
			t.Errorf("Run = %v, want both the context's error and ErrTimeout", err)
		}
	})
	t.Run("while it waits for a slot", func(t *testing.T) {
		t.Parallel()
		r := newRunner(t, isolate.Options{Parallel: 1})
		ctx, cancel := context.WithCancel(bound(t))
		in, conns := phone(t)
		first := make(chan error, 1)
		go func() { first <- r.Run(ctx, "callhang", in, &note{}) }()
		if _, err := conns(); err != nil {
			t.Fatal(err)
		}
		waiting, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if err := r.Run(waiting, "echo", note{}, &note{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run with no free slot = %v, want its context's error", err)
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("Run(callhang) = %v, want context.Canceled", err)
		}
	})
}

// phone gives a task an address to call, so that a test sees that it is alive
// and, by the end of the connection, that it is dead.
func phone(t *testing.T) (note, func() (net.Conn, error)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return note{Text: l.Addr().String()}, func() (net.Conn, error) {
		conn, err := l.Accept()
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(time.Minute))
			t.Cleanup(func() { _ = conn.Close() })
		}
		return conn, err
	}
}

// hungUp waits for the far end of conn to die.
func hungUp(t *testing.T, who string, conn net.Conn) {
	t.Helper()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s is still alive: %v", who, err)
	}
}
