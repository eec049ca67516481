//go:build unix

package isolate_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

func unixTasks() map[string]isolate.Task {
	return map[string]isolate.Task{
		"killself": func(context.Context, []byte) ([]byte, error) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			return hang()
		},
		"inherited": isolate.JSON(func(context.Context, note) (int, error) {
			files := 0
			for fd := 3; fd < 40; fd++ {
				var is syscall.Stat_t
				if syscall.Fstat(fd, &is) == nil && is.Mode&syscall.S_IFMT == syscall.S_IFREG && is.Size == int64(len(secret)) {
					files++
				}
			}
			return files, nil
		}),
		"stubborn": func(context.Context, []byte) ([]byte, error) {
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
			return hang()
		},
		// callhang calls the address in its input and hangs.
		"callhang": isolate.JSON(func(_ context.Context, in note) (note, error) {
			if _, err := net.Dial("tcp", in.Text); err != nil {
				return note{}, err
			}
			_, err := hang()
			return note{}, err
		}),
		// parents answers properly and leaves a grandchild that holds stdin,
		// stdout and stderr and calls the address. With N, it has a session of
		// its own, out of the group's reach.
		"parents": isolate.JSON(func(_ context.Context, in note) (note, error) {
			cmd := exec.Command("/proc/self/exe")
			if runtime.GOOS != "linux" {
				cmd = exec.Command(os.Args[0])
			}
			cmd.Env = []string{envMiddle + "=call " + in.Text}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, rawOut(), os.Stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: in.N == 1}
			return note{Text: "done"}, cmd.Start()
		}),
	}
}

// envMiddle makes the test binary somebody between the test and a child.
const envMiddle = "ISOLATE_TEST_MIDDLE"

// middle hangs after a call ("call ADDRESS"), or is a parent whose child does
// so ("parent ADDRESS").
func middle() int {
	what, addr, _ := strings.Cut(os.Getenv(envMiddle), " ")
	if what == "parent" {
		p, err := isolate.NewPool(isolate.Options{NoSandbox: true})
		if err == nil {
			err = p.Run(context.Background(), "callhang", note{Text: addr}, &note{})
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, conn) // until the test hangs up, if we are not killed
	return 0
}

// unreaped names a child of the test process that was not waited for.
func unreaped() string {
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.ECHILD) {
		return ""
	}
	return fmt.Sprintf("a child is left behind: pid %d, %v", pid, err)
}

func TestSignals(t *testing.T) {
	t.Parallel()
	err := newOpenPool(t, isolate.Options{}).Run(bound(t), "killself", note{}, &note{})
	if !errors.Is(err, isolate.ErrCrashed) || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Run(killself) = %v, want ErrCrashed by a signal", err)
	}
	err = newPool(t, isolate.Options{Deadline: 100 * time.Millisecond}).Run(bound(t), "stubborn", note{}, &note{})
	if !errors.Is(err, isolate.ErrTimeout) {
		t.Errorf("Run(stubborn) = %v, want ErrTimeout", err)
	}
}

// A child that is replaced takes with it what it has started.
func TestGrandchildrenAreKilled(t *testing.T) {
	t.Parallel()
	in, conns := phone(t)
	var got note
	// It may answer before the grandchild has called; then the call never comes,
	// because the grandchild is dead, and the next connection is the test's own.
	if err := newOpenPool(t, isolate.Options{MaxTasks: 1}).Run(bound(t), "parents", in, &got); err != nil || got.Text != "done" {
		t.Fatalf("Run(parents) = %+v, %v, want its answer", got, err)
	}
	conn, err := net.Dial("tcp", in.Text) // queued behind the grandchild's call, if there was one
	if err != nil {
		t.Fatal(err)
	}
	first, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	if first.RemoteAddr().String() == conn.LocalAddr().String() {
		return // the grandchild died before it could call
	}
	hungUp(t, "the grandchild", first)
}

// A grandchild in a session of its own holds the child's pipes open.
func TestAGrandchildOutOfReachDelaysNothing(t *testing.T) {
	t.Parallel()
	in, conns := phone(t)
	in.N = 1
	var got note
	if err := newOpenPool(t, isolate.Options{MaxTasks: 1}).Run(bound(t), "parents", in, &got); err != nil || got.Text != "done" {
		t.Fatalf("Run(parents) = %+v, %v, want its answer", got, err)
	}
	conn, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // it lives, and ends by this
}

func TestHugeInput(t *testing.T) {
	t.Parallel()
	err := newPool(t, isolate.Options{}).Run(bound(t), "no-such-task", note{Text: strings.Repeat("a", 16<<20)}, &note{})
	if !errors.Is(err, isolate.ErrCrashed) {
		t.Errorf("Run = %v, want ErrCrashed", err)
	}
}

// A program that is not ours, and neither reads nor writes.
func TestAStartWithoutAnAnswerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{Exe: "/bin/sh", Args: []string{"-c", "while :; do sleep 60; done"}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := p.Run(ctx, "any", note{}, &note{})
	if !errors.Is(err, isolate.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run of a shell = %v, want ErrTimeout", err)
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, conns := phone(t)
	parent := exec.CommandContext(bound(t), exe)
	parent.Env = []string{envMiddle + "=parent " + in.Text}
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	child, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil { // SIGKILL: the parent cannot react to it
		t.Fatal(err)
	}
	_ = parent.Wait()
	hungUp(t, "the child", child)
}

// frame is the form of a message on a child's pipes.
func frame(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// childCommand is a child that is started by hand, without a sandbox.
func childCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(bound(t), exe, append(args, isolate.Command)...)
	cmd.Env = []string{"RESEARCH_MCP_ISOLATED=1", "RESEARCH_MCP_ISOLATED_MEMORY=100000000", "RESEARCH_MCP_ISOLATED_SANDBOX=off"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func TestChildEndsWhenStdinDoes(t *testing.T) {
	t.Parallel()
	hang := frame(`{"seq":1,"task":"hang","millis":60000}`) + frame("{}")
	for name, stdin := range map[string]string{"nothing": "", "half a frame": hang[:9], "a task under way": hang} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := childCommand(t)
			cmd.Stdin = strings.NewReader(stdin)
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) {
				t.Errorf("a child without stdin = %v, want it killed", err)
			}
		})
	}
}

const secret = "a secret of the parent"

// Whoever starts the server may leave files open in it, which its children inherit.
func TestChildClosesWhatItInherits(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	cmd := childCommand(t)
	for range 20 {
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := frame(`{"version":1,"sandbox":[]}`+"\n") + frame(`{"seq":7}`+"\n") + frame("0\n")
	got := make([]byte, len(want))
	if _, err := io.WriteString(stdin, frame(`{"seq":7,"task":"inherited","millis":60000}`)+frame(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, got); err != nil || string(got) != want {
		t.Errorf("stdout = %q, %v, want %q: no file of the parent's", got, err, want)
	}
	_ = stdin.Close()
	_ = cmd.Wait()
}

func TestChildMainKeepsTheProtocol(t *testing.T) {
	t.Parallel()
	cmd := childCommand(t, "-x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := frame(`{"version":1,"sandbox":[]}`+"\n") + frame(`{"seq":7}`+"\n") + frame(`{"Text":"hi!","N":2}`+"\n") +
		frame(`{"seq":8,"err":"no such page"}`+"\n")
	got := make([]byte, len(want))
	if _, err := io.WriteString(stdin, frame(`{"seq":7,"task":"echo","millis":60000}`)+frame(`{"Text":"hi","N":1}`)+
		frame(`{"seq":8,"task":"fail","millis":60000}`)+frame(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, got); err != nil || string(got) != want {
		t.Errorf("stdout = %q, %v, want %q", got, err, want)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("the child survives the end of its stdin")
	}
}
