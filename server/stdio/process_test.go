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

	"github.com/research-mcp/research-mcp/tools"
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
	in := &watched{Reader: os.Stdin, ended: make(chan struct{})}
	if err := Serve(ctx, testHandler(in.research), in, out, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// watched is an input that tells when it has ended.
type watched struct {
	io.Reader
	ended chan struct{}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err == io.EOF {
		close(w.ended)
	}
	return n, err
}

// research answers "the end" when the input has ended, and any other question never.
func (w *watched) research(ctx context.Context, question string, observe tools.Observe) (tools.Result, error) {
	ended := w.ended
	if question != "the end" {
		ended = nil
	}
	select {
	case <-ended:
		return atOnce(ctx, question, observe)
	case <-ctx.Done():
		return tools.Result{}, ctx.Err()
	}
}

// process is the test binary as a server.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stdout io.ReadCloser
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
	p.stdout, p.out = out, bufio.NewReader(out)
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
		name, question string // the question of the call that is under way; empty: none
		end            func(t *testing.T, p *process)
		want           string // in the answer to the call
	}{
		{"input ends, idle", "", closeInput, ""},
		{"input ends, busy", "the end", closeInput, "It is so."},
		{"SIGTERM, idle", "", terminate, ""},
		{"SIGTERM, busy", "q", terminate, "research was cancelled"},
		{"input ends, then SIGTERM", "q", func(t *testing.T, p *process) { closeInput(t, p); terminate(t, p) }, "research was cancelled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t)
			if tt.question != "" {
				fmt.Fprintln(p.in, strings.Replace(callTool(1, "research", fmt.Sprintf(`{"question":%q}`, tt.question)), `"progressToken":"p1"`, "", 1))
				p.say(t, ping) // the call was read before this
			}
			tt.end(t, p)
			if rest := p.wait(t); !strings.Contains(rest, tt.want) || tt.want == "" && rest != "" {
				t.Errorf("the rest of its output is %q", rest)
			}
		})
	}
}

// TestProcessWithoutReaderEnds: once nobody can read its output, calls that the end of
// input left under way do not keep the process.
func TestProcessWithoutReaderEnds(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	fmt.Fprintln(p.in, callTool(1, "research", `{"question":"q"}`))
	p.say(t, ping)
	closeInput(t, p)
	if err := p.stdout.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v; stderr:\n%s", err, p.stderr)
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
