package http_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// deadlines is a listener whose connections note the deadline of each write.
type deadlines struct {
	net.Listener
	mu     sync.Mutex
	writes []time.Time
}

func (l *deadlines) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: c, of: l}, nil
}

func (l *deadlines) last() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes[len(l.writes)-1]
}

type deadlineConn struct {
	net.Conn
	of *deadlines
	mu sync.Mutex
	at time.Time
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.at = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *deadlineConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	at := c.at
	c.mu.Unlock()
	c.of.mu.Lock()
	c.of.writes = append(c.of.writes, at)
	c.of.mu.Unlock()
	return c.Conn.Write(p)
}

// bounded starts a server without tools, and returns its address.
func bounded(t *testing.T) *deadlines {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &deadlines{Listener: inner}
	h := server.NewHandler(server.Options{Name: "test", Version: "1", Tools: []tools.Definition{}})
	s := mcphttp.New(mcphttp.Options{
		Handler: func(context.Context) (*server.Handler, error) { return h, nil },
		Routes:  map[string]http.Handler{"/other": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })},
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// A connection that is used again must not have the deadline of its last response: after
// half a minute, nothing could be written any more.
func TestDeadlineOfTheLastResponse(t *testing.T) {
	t.Parallel()
	l := bounded(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	send := func(request string) int {
		t.Helper()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	message := func(body string) string {
		return fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"notification", message(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), http.StatusAccepted},
		{"another path", "GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusOK},
		{"method", "PUT /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusMethodNotAllowed},
		{"host", "GET /other HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", http.StatusForbidden},
		{"end of a session", "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\n", http.StatusNoContent},
	} {
		if got := send(message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); got != http.StatusOK {
			t.Fatalf("ping before %s: status %d, want 200", c.name, got)
		}
		before := l.last()
		if got := send(c.request); got != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got, c.status)
		}
		if after := l.last(); !after.IsZero() && !after.After(before) {
			t.Errorf("%s: written with the deadline of the response before it", c.name)
		}
	}
}

// Long messages that do not end wait for a slot; short ones do not.
func TestLongMessagesAreReadInTurn(t *testing.T) {
	t.Parallel()
	l := bounded(t)
	const long = 1 << 20
	part := strings.Repeat(" ", long/2)
	for range 20 { // more than there are slots
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", long, part); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, ""); err != nil {
			t.Fatal(err)
		}
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a short message beside long ones: status %d, want 200", res.StatusCode)
	}
}
