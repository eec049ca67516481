package http_test

import (
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

// watchedListener notes what its connections read, and the deadlines of their writes.
type watchedListener struct {
	net.Listener
	mu     sync.Mutex
	change *sync.Cond
	read   map[*watchedConn]int // bytes
	last   time.Time            // deadline of the last write
	waits  map[*watchedConn]int // bytes that were read before the last Read began
}

func (l *watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: c, of: l}, nil
}

// haveRead counts the connections of which at least n bytes were read; l.mu is held.
func (l *watchedListener) haveRead(n int) (count int) {
	for _, read := range l.read {
		if read >= n {
			count++
		}
	}
	return count
}

type watchedConn struct {
	net.Conn
	of       *watchedListener
	deadline time.Time // of writes; guarded by of.mu
	within   time.Time // deadline of reads; guarded by of.mu
}

func (c *watchedConn) Read(p []byte) (int, error) {
	c.of.mu.Lock()
	c.of.waits[c] = c.of.read[c]
	c.of.change.Broadcast()
	c.of.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.read[c] += n
	c.of.change.Broadcast()
	return n, err
}

func (c *watchedConn) SetReadDeadline(t time.Time) error {
	c.of.mu.Lock()
	c.within = t
	c.of.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *watchedConn) SetWriteDeadline(t time.Time) error {
	c.of.mu.Lock()
	c.deadline = t
	c.of.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.of.mu.Lock()
	c.of.last = c.deadline
	c.of.mu.Unlock()
	return c.Conn.Write(p)
}

// serveWatched serves no tools, and a further path.
func serveWatched(t *testing.T) *watchedListener {
	t.Helper()
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &watchedListener{Listener: inner, read: map[*watchedConn]int{}, waits: map[*watchedConn]int{}}
	l.change = sync.NewCond(&l.mu)
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

// A client that does not read holds no response for ever, on any path.
func TestEveryPathHasADeadlineForWriting(t *testing.T) {
	t.Parallel()
	l := serveWatched(t)
	for _, c := range []struct {
		name, path, host, body string
		status                 int
	}{
		{"a response", "/mcp", "localhost", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, http.StatusOK},
		{"another path", "/other", "localhost", "", http.StatusOK},
		{"a foreign host", "/other", "elsewhere.example", "", http.StatusForbidden},
		{"no such path", "/nowhere", "localhost", "", http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		l.mu.Lock()
		last := l.last
		l.mu.Unlock()
		if res.StatusCode != c.status || last.IsZero() {
			t.Errorf("%s: status %d and deadline %v, want %d and one", c.name, res.StatusCode, last, c.status)
		}
	}
}

// Of many long messages that do not end, few are held as a whole; a short one is read at
// once.
func TestLongMessagesAreReadInTurn(t *testing.T) {
	t.Parallel()
	l := serveWatched(t)
	const (
		clients = 20
		slots   = 8
		held    = 256 << 10 // of a message without a slot
		sent    = 1 << 20
	)
	var senders sync.WaitGroup
	defer senders.Wait()
	for range clients {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		senders.Go(func() { // it blocks where nothing is read, until the connection is closed
			_, _ = fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", 2*sent, strings.Repeat(" ", sent))
		})
	}
	l.mu.Lock()
	for l.haveRead(held) < clients || l.haveRead(sent) < slots {
		l.change.Wait()
	}
	l.mu.Unlock()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a short message beside long ones: status %d, want 200", res.StatusCode)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.haveRead(2 * held); got > slots {
		t.Errorf("%d long messages were read at the same time, want at most %d", got, slots)
	}
}

// A body that does not come holds no connection for ever, not even where the request is
// refused before it is read; a stream of a session has no deadline.
func TestEveryPathHasADeadlineForReading(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, head string
		forever    bool
	}{
		{"a message", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n", false},
		{"another type", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n", false},
		{"a foreign host", "POST /mcp HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: 10\r\n\r\n", false},
		{"no such path", "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n", false},
		{"a stream", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: one\r\nAccept: text/event-stream\r\n\r\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := serveWatched(t)
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.head); err != nil {
				t.Fatal(err)
			}
			if c.forever { // its header has come
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			var found *watchedConn
			for found == nil {
				for one, before := range l.waits {
					if before >= len(c.head) {
						found = one
					}
				}
				if found == nil {
					l.change.Wait()
				}
			}
			if found.within.IsZero() != c.forever {
				t.Errorf("the deadline is %v, want none: %v", found.within, c.forever)
			}
		})
	}
}
