package app_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// line passes connections on to a server until it is cut, or nothing more is heard of it.
type line struct {
	net.Listener
	silent atomic.Bool
	mu     sync.Mutex
	open   []net.Conn
}

func newLine(t *testing.T, server string) *line {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Listener: in}
	t.Cleanup(l.cut)
	go func() {
		for {
			client, err := in.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			l.mu.Lock()
			l.open = append(l.open, client, out)
			l.mu.Unlock()
			go l.pass(out, client)
			go l.pass(client, out)
		}
	}()
	return l
}

func (l *line) pass(to, from net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		if l.silent.Load() { // it takes all, and says nothing
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			break
		}
	}
	_ = to.Close()
}

func (l *line) cut() {
	_ = l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close()
	}
}

// behindLine starts the program with a database of its own, behind a line.
func behindLine(t *testing.T) (*app.App, *line) {
	t.Helper()
	server := os.Getenv("POSTGRES_TEST_URL")
	if server == "" {
		t.Skip("not run: POSTGRES_TEST_URL is not set")
	}
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("research_app_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "create database "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(ctx)
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(t, u.Host)
	u.Host, u.Path = l.Addr().String(), "/"+name
	w := apptest.StartWorld(t, world.Options{})
	a := apptest.Start(t, apptest.Settings(t, w.URLs(), map[string]string{"memory.backend": "postgres", "memory.url": u.String()}))
	t.Cleanup(func() { _ = a.Close() }) // its database is gone
	return a, l
}

// wantAnswer asks, and returns the warnings of the answer, which show no password.
func wantAnswer(t *testing.T, a *app.App, observe func(research.Event)) string {
	t.Helper()
	got, err := a.Engine().Ask(t.Context(), research.Request{Question: "What is a transformer in machine learning?", Budget: 10 * time.Second}, observe)
	if err != nil {
		t.Fatal(err)
	}
	warnings := strings.Join(got.Warnings, "\n")
	if got.Answer == "" || got.Status == evidence.Pending || len(got.Citations) == 0 {
		t.Errorf("the answer is %q (%s), with warnings %q", got.Answer, got.Status, warnings)
	}
	if u, err := url.Parse(os.Getenv("POSTGRES_TEST_URL")); err == nil {
		if password, _ := u.User.Password(); password != "" && strings.Contains(warnings, password) {
			t.Error("the warnings show the password")
		}
	}
	return warnings
}

// A question is answered although the database of the memory is gone, within its
// budget, and the answer says so.
func TestQuestionWithoutItsPostgres(t *testing.T) {
	t.Parallel()
	a, l := behindLine(t)
	if warnings := wantAnswer(t, a, nil); strings.Contains(warnings, "memory") {
		t.Errorf("with its database: %q", warnings)
	}
	l.cut()
	if warnings := wantAnswer(t, a, nil); !strings.Contains(warnings, "cannot be reached") {
		t.Errorf("without its database: %q", warnings)
	}
}

// The same, if the database goes while the question is under way, also if nothing says so:
// its machine has stopped, or the network between.
func TestQuestionThatLosesItsPostgres(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(l *line){
		"gone":   (*line).cut,
		"silent": func(l *line) { l.silent.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, l := behindLine(t)
			var once sync.Once
			if warnings := wantAnswer(t, a, func(research.Event) { once.Do(func() { lose(l) }) }); !strings.Contains(warnings, "cannot be reached") {
				t.Errorf("the warnings are %q", warnings)
			}
		})
	}
}
