package app_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// line passes connections on to a server until it is cut.
type line struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
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
			go func() { _, _ = io.Copy(out, client); _ = out.Close() }()
			go func() { _, _ = io.Copy(client, out); _ = client.Close() }()
		}
	}()
	return l
}

func (l *line) cut() {
	_ = l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close()
	}
}

// A question is answered although the database of the memory is gone, within its
// budget, and the answer says so.
func TestQuestionWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	server := os.Getenv("POSTGRES_TEST_URL")
	if server == "" {
		t.Skip("not run: POSTGRES_TEST_URL is not set")
	}
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("research_app_%d", os.Getpid())
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
	defer a.Close() //nolint:errcheck // its database is gone
	ask := func() (answer string, warnings string) {
		t.Helper()
		got, err := a.Engine().Ask(t.Context(), research.Request{Question: "What is a transformer in machine learning?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Answer, strings.Join(got.Warnings, "\n")
	}
	if answer, warnings := ask(); answer == "" || strings.Contains(warnings, "memory") {
		t.Errorf("with its database: %q, %q", answer, warnings)
	}
	l.cut()
	answer, warnings := ask()
	if answer == "" || !strings.Contains(warnings, "cannot be reached") && !strings.Contains(warnings, "memory is busy") {
		t.Errorf("without its database: %q, %q", answer, warnings)
	}
	if password, _ := u.User.Password(); password != "" && strings.Contains(warnings, password) {
		t.Error("the warnings show the password")
	}
}
