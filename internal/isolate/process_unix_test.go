//go:build unix

package isolate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
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
// so ("run ADDRESS", "pool ADDRESS").
func middle() int {
	what, addr, _ := strings.Cut(os.Getenv(envMiddle), " ")
	if what == "run" || what == "pool" {
		fmt.Fprintln(os.Stderr, runAsParent(what, addr))
		return 1
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, conn) // until the test hangs up, if nobody kills us
	return 0
}

func runAsParent(what, addr string) error {
	o := isolate.Options{NoWalls: true}
	if what == "pool" {
		p, err := isolate.NewPool(isolate.PoolOptions{Options: o})
		if err != nil {
			return err
		}
		return p.Run(context.Background(), "callhang", note{Text: addr}, &note{})
	}
	r, err := isolate.NewRunner(o)
	if err != nil {
		return err
	}
	return r.Run(context.Background(), "callhang", note{Text: addr}, &note{})
}

// unreaped names children of the test process that nobody waited for.
func unreaped() string {
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.ECHILD) {
		return ""
	}
	return fmt.Sprintf("a child is left behind: pid %d, %v", pid, err)
}

func TestRunSurvivesSignals(t *testing.T) {
	t.Parallel()
	err := newRunner(t, isolate.Options{}).Run(bound(t), "killself", note{}, &note{})
	if !errors.Is(err, isolate.ErrCrashed) || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Run(killself) = %v, want ErrCrashed by a signal", err)
	}
	err = newRunner(t, isolate.Options{Deadline: 300 * time.Millisecond}).Run(bound(t), "stubborn", note{}, &note{})
	if !errors.Is(err, isolate.ErrTimeout) {
		t.Errorf("Run(stubborn) = %v, want ErrTimeout", err)
	}
}

func TestRunKillsGrandchildren(t *testing.T) {
	t.Parallel()
	in, conns := phone(t)
	var got note
	// It may answer before the grandchild has called; then the call never comes,
	// because the grandchild is dead, and Accept ends by hanging up the phone.
	if err := newRunner(t, isolate.Options{}).Run(bound(t), "parents", in, &got); err != nil || got.Text != "done" {
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

func TestAGrandchildOutOfReachDoesNotHoldUsUp(t *testing.T) {
	t.Parallel()
	in, conns := phone(t)
	in.N = 1
	var got note
	if err := newRunner(t, isolate.Options{}).Run(bound(t), "parents", in, &got); err != nil || got.Text != "done" {
		t.Fatalf("Run(parents) = %+v, %v, want its answer", got, err)
	}
	conn, err := conns()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // it lives, and ends by this
}

func TestHugeInputThatIsNeverRead(t *testing.T) {
	t.Parallel()
	// The child dies of an unknown task before it reads 16 MB.
	err := newRunner(t, isolate.Options{}).Run(bound(t), "no-such-task", note{Text: strings.Repeat("a", 16<<20)}, &note{})
	if !errors.Is(err, isolate.ErrCrashed) {
		t.Errorf("Run = %v, want ErrCrashed", err)
	}
	// A binary that is not ours and reads nothing until it is killed.
	r := newRunner(t, isolate.Options{Exe: "/bin/sh", Args: []string{"-c", "while :; do sleep 60; done"}, Deadline: 300 * time.Millisecond})
	err = r.Run(bound(t), "any", note{Text: strings.Repeat("a", 16<<20)}, &note{})
	if !errors.Is(err, isolate.ErrTimeout) {
		t.Errorf("Run of a shell = %v, want ErrTimeout", err)
	}
}

func TestHugeInputThatIsRead(t *testing.T) {
	t.Parallel()
	var got note
	err := newRunner(t, isolate.Options{MaxOutput: 64 << 20}).Run(bound(t), "echo", note{Text: strings.Repeat("a", 4<<20)}, &got)
	if err != nil || len(got.Text) != 4<<20+1 {
		t.Errorf("Run(echo of 4 MB) = %d bytes, %v", len(got.Text), err)
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"run", "pool"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			in, conns := phone(t)
			parent := exec.CommandContext(bound(t), exe)
			parent.Env = []string{envMiddle + "=" + how + " " + in.Text}
			parent.Stderr = os.Stderr
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			child, err := conns()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Process.Kill(); err != nil { // SIGKILL: the parent can do nothing about it
				t.Fatal(err)
			}
			_ = parent.Wait()
			hungUp(t, "the child", child)
		})
	}
}

// What a person gets who starts a child by hand and ends its stdin.
func TestChildEndsWhenStdinDoes(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, stdin := range map[string]string{"no line": "{}", "a line": "{}\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(bound(t), exe, isolate.Command, "hang")
			cmd.Env = []string{"RESEARCH_MCP_ISOLATED=1", "RESEARCH_MCP_ISOLATED_MEMORY=100000000"}
			cmd.Stdin = strings.NewReader(stdin)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) {
				t.Errorf("hang without stdin = %v, want it to end badly", err)
			}
		})
	}
}

func TestChildMainKeepsTheProtocol(t *testing.T) {
	// Not parallel: it sets the environment, os.Stdout, and lasting limits, so
	// it runs a whole conversation in a child and looks at the bytes.
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(bound(t), exe, "-x", isolate.Command, "echo")
	cmd.Env = []string{"RESEARCH_MCP_ISOLATED=1", "RESEARCH_MCP_ISOLATED_MEMORY=100000000"}
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
	if _, err := io.WriteString(stdin, `{"Text":"hi","N":1}`+"\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if want := `{"out":{"Text":"hi!","N":2}}` + "\n"; err != nil || line != want {
		t.Errorf("stdout = %q, %v, want %q", line, err, want)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit = %v", err)
	}
}
