package stdio

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asServer makes the test binary a server on stdio, so that signals and file
// descriptors are real ones.
const asServer = "SERVER_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		os.Exit(m.Run())
	}
	out := GuardStdout()
	fmt.Println("noise on standard output")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := Serve(ctx, testHandler(newHanging().research), os.Stdin, out, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is the test binary as a server.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *bytes.Buffer
}

func startProcess(t *testing.T) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), exe), stderr: &bytes.Buffer{}}
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	p.cmd.Stderr = p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.say(t, ping) // it is up, and its signal handler is set
	return p
}

// say sends a request and returns the answer.
func (p *process) say(t *testing.T, request string) string {
	t.Helper()
	fmt.Fprintln(p.in, request)
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v; stderr:\n%s", err, p.stderr)
	}
	return line
}

// wait returns what else was written to standard output, once the process has
// ended well.
func (p *process) wait(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v; stderr:\n%s", err, p.stderr)
	}
	if !strings.Contains(p.stderr.String(), "noise on standard output") {
		t.Errorf("noise is not on standard error:\n%s", p.stderr)
	}
	return string(rest)
}

func TestProcessEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		busy bool
		end  func(t *testing.T, p *process)
	}{
		{"input ends, idle", false, closeInput},
		{"input ends, busy", true, closeInput},
		{"SIGTERM, idle", false, terminate},
		{"SIGTERM, busy", true, terminate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t)
			if tt.busy {
				fmt.Fprintln(p.in, callTool(1, "research", `{"question":"q"}`))
				p.say(t, ping) // the call was read before this
			}
			tt.end(t, p)
			rest := p.wait(t)
			if tt.busy != strings.Contains(rest, "research was cancelled") || !tt.busy && rest != "" {
				t.Errorf("the rest of its output is %q", rest)
			}
		})
	}
}

func closeInput(t *testing.T, p *process) {
	t.Helper()
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
}

func terminate(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
