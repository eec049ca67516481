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
	"runtime"
	"strings"
	"testing"
	"time"

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
		"upper": upper,
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
		"garbage": func(context.Context, []byte) ([]byte, error) { return printRaw("<html>not JSON</html>") },
		"half":    func(context.Context, []byte) ([]byte, error) { return printRaw(`{"out":{"Text":"ha`) },
		"notjson": func(context.Context, []byte) ([]byte, error) { return []byte("not JSON"), nil },
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
	maps.Copy(t, linuxTasks())
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

func newPool(t testing.TB, o isolate.Options) *isolate.Pool {
	t.Helper()
	p, err := isolate.NewPool(o)
	if err != nil {
		t.Fatalf("NewPool(%+v) = %v", o, err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return p
}

// newOpenPool has no sandbox, for tasks that call the test or start programs.
func newOpenPool(t testing.TB, o isolate.Options) *isolate.Pool {
	t.Helper()
	o.NoSandbox = true
	return newPool(t, o)
}

// bound is the generous limit for everything that must not hang.
func bound(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Not parallel: it measures what the whole process allocates.
func TestRunStopsAFloodWithoutKeepingIt(t *testing.T) {
	p := newPool(t, isolate.Options{Parallel: 1})
	if err := p.Warm(bound(t)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var out string
	err := p.Run(bound(t), "flood", note{}, &out)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, isolate.ErrOutput) {
		t.Errorf("Run(flood) = %v, want ErrOutput", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("a child that writes 1 GB made the parent allocate %d MB", grown>>20)
	}
}

func TestMaxOutputIsTheLimit(t *testing.T) {
	t.Parallel()
	const size = 2<<20 + 2 // the string and its quotes
	var out string
	if err := newPool(t, isolate.Options{MaxOutput: size}).Run(bound(t), "bigtext", note{}, &out); err != nil || len(out) != 2<<20 {
		t.Errorf("Run(bigtext) just within the limit = %d bytes, %v", len(out), err)
	}
	err := newPool(t, isolate.Options{MaxOutput: size - 1}).Run(bound(t), "bigtext", note{}, &out)
	if !errors.Is(err, isolate.ErrOutput) || !strings.Contains(err.Error(), "more than 2097153 bytes") {
		t.Errorf("Run(bigtext) one byte over the limit = %v, want ErrOutput with the limit", err)
	}
}

func TestStderrGoesToTheLogAlone(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	p := newPool(t, isolate.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	err := p.Run(bound(t), "noisy", note{}, &note{})
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
	if err := newPool(t, isolate.Options{Env: []string{"GIVEN=yes"}}).Run(bound(t), "environ", note{}, &got); err != nil {
		t.Fatalf("Run(environ) = %v", err)
	}
	allowed := map[string]bool{
		"GIVEN": true, "RESEARCH_MCP_ISOLATED": true, "RESEARCH_MCP_ISOLATED_MEMORY": true,
		"RESEARCH_MCP_ISOLATED_SANDBOX": true, "GOGC": true, "GOMEMLIMIT": true, "GOTRACEBACK": true, "SYSTEMROOT": true,
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
	if err := newPool(t, isolate.Options{}).Run(bound(t), "deadline", note{}, &has); err != nil || !has {
		t.Errorf("Run(deadline) = %v, %v, want a context with a deadline", has, err)
	}
}

func TestContextEndsTheRun(t *testing.T) {
	t.Parallel()
	t.Run("cancelled before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := newPool(t, isolate.Options{}).Run(ctx, "echo", note{}, &note{})
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
		err := newOpenPool(t, isolate.Options{}).Run(ctx, "callhang", in, &note{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, isolate.ErrCrashed) {
			t.Errorf("Run = %v, want context.Canceled and no crash", err)
		}
	})
	t.Run("its deadline", func(t *testing.T) {
		t.Parallel()
		p := newPool(t, isolate.Options{})
		if err := p.Warm(bound(t)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := p.Run(ctx, "hang", note{}, &note{})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, isolate.ErrTimeout) {
			t.Errorf("Run = %v, want both the context's error and ErrTimeout", err)
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
