package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/research-mcp/research-mcp/internal/config"
)

// typist is somebody at a terminal in which the program runs.
type typist struct {
	t    *testing.T
	tty  *os.File
	seen string
}

// sit starts the program on a terminal.
func sit(t *testing.T, env []string, args ...string) (person *typist, wait func() error) {
	t.Helper()
	cmd := onTerminal(newHome(t), args...)
	cmd.Env = append(cmd.Env, env...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 40})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		f.Close()
	})
	return &typist{t: t, tty: f}, cmd.Wait
}

func (p *typist) write(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// until reads until the screen has shown want, and forgets what was before.
func (p *typist) until(want string) {
	p.t.Helper()
	buf := make([]byte, 4096)
	for {
		plain := escapes.ReplaceAllString(p.seen, "")
		if i := strings.Index(plain, want); i >= 0 {
			p.seen = plain[i+len(want):]
			return
		}
		n, err := p.tty.Read(buf)
		p.seen += string(buf[:n])
		if err != nil {
			p.t.Fatalf("the screen ended with %v before %q:\n%s", err, want, p.seen)
		}
	}
}

const (
	enter  = "\r"
	upKey  = "\x1b[A"
	tabKey = "\t"
	ctrlC  = "\x03"
	ctrlD  = "\x04"
)

// TestChatAtATerminal: the line editor has history and completes commands, an empty
// line does nothing, Ctrl-C gives a line up and Ctrl-D ends the chat.
func TestChatAtATerminal(t *testing.T) {
	t.Parallel()
	p, wait := sit(t, nil, "chat", "--sources", "files")
	p.until("/help lists the commands")
	p.until(prompt)
	p.write("Who built the Quillon engine?" + enter)
	p.until("Ottoline Verrier")
	p.until("session s_")
	p.until(prompt)
	p.write(enter)
	p.until(prompt)
	p.write(upKey + enter)
	p.until("Ottoline Verrier")
	p.until("session s_")
	p.until(prompt)
	p.write("not this" + ctrlC)
	p.until("Ctrl-D ends the chat")
	p.until(prompt)
	p.write("/op" + tabKey + " 1" + enter)
	p.until("riveted by hand")
	p.until(prompt)
	p.write(ctrlD)
	p.until("continues this session")
	if err := wait(); err != nil {
		t.Errorf("the chat ended with %v", err)
	}
}

// TestInterruptATurn: Ctrl-C ends the question that is being answered, and not the chat.
func TestInterruptATurn(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 16)
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	p, wait := sit(t, []string{config.EnvName("sources.hackernews.url") + "=" + hangs.URL}, "chat", "--sources", "hackernews")
	p.until(prompt)
	p.write("What is a goroutine?" + enter)
	<-asked
	p.until("waiting for hackernews")
	p.write(ctrlC)
	p.until("interrupted;")
	p.until(prompt)
	p.write("exit" + enter)
	if err := wait(); err != nil {
		t.Errorf("the chat ended with %v", err)
	}
}
