package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	hello  = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	ready  = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	secret = "tok-9f2c71d0aa"
	bound  = 60 * time.Second // for failure only
)

// peer is a server of mcp-go with one tool, which reports progress.
func peer() http.Handler {
	s := server.NewMCPServer("peer", "1", server.WithToolCapabilities(true))
	s.AddTool(mcp.NewTool("echo", mcp.WithString("text")), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("said " + r.GetString("text", "")), nil
	})
	return server.NewStreamableHTTPServer(s)
}

// client is a bridge with a client at its other end.
type client struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *bufio.Reader
	ended chan error
	mu    sync.Mutex
	notes []string
}

func connect(t *testing.T, at string, change func(*Options)) *client {
	t.Helper()
	u, err := ParseURL(at)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewClient("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.CloseIdleConnections)
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &client{t: t, in: inW, out: bufio.NewReader(outR), ended: make(chan error, 1)}
	o := Options{URL: u, Client: h, Patience: bound, Note: func(s string) { c.mu.Lock(); defer c.mu.Unlock(); c.notes = append(c.notes, s) }}
	if change != nil {
		change(&o)
	}
	go func() { c.ended <- Run(t.Context(), inR, outW, o); outW.Close() }()
	return c
}

func (c *client) send(message string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, message+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading from the bridge: %v", err)
	}
	if !json.Valid([]byte(line)) {
		c.t.Fatalf("the bridge wrote what is not JSON: %q", line)
	}
	return line
}

// end closes the input, and returns what was still written.
func (c *client) end() string {
	c.t.Helper()
	c.in.Close()
	rest, err := io.ReadAll(c.out)
	if err := <-c.ended; err != nil {
		c.t.Errorf("Run = %v", err)
	}
	if err != nil {
		c.t.Error(err)
	}
	return string(rest)
}

func wants(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("got %s; it has no %q", got, p)
		}
	}
	if strings.Contains(got, secret) {
		t.Errorf("the token is in %s", got)
	}
}

func echo(id int, text string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":%q}}}`, id, text)
}

func TestOneShotPipe(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(peer())
	defer s.Close()
	c := connect(t, s.URL, nil)
	go func() {
		io.WriteString(c.in, strings.Join([]string{hello, ready, `{"jsonrpc":"2.0","id":"l","method":"tools/list"}`, echo(3, "a b")}, "\n"))
		c.in.Close()
	}()
	all, _ := io.ReadAll(c.out)
	if err := <-c.ended; err != nil {
		t.Fatal(err)
	}
	wants(t, string(all), `"id":1,`, `"id":"l"`, `said a b`)
}

func TestForgottenSession(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[http.Handler]
	put := func() { h := peer(); now.Store(&h) }
	put()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get(mcp.HeaderSessionID); r.Method == http.MethodPost && strings.HasPrefix(id, "gone") {
			http.Error(w, "no such session", http.StatusNotFound)
			return
		}
		(*now.Load()).ServeHTTP(w, r)
	}))
	defer s.Close()
	for name, prefix := range map[string]string{"another server": "", "404": "gone"} {
		c := connect(t, s.URL, nil)
		c.send(hello)
		wants(t, c.receive(), `"serverInfo"`)
		c.send(ready)
		if prefix == "" {
			put()
		}
		c.send(echo(2, name))
		wants(t, c.receive(), "said "+name)
		c.send(echo(3, "again"))
		wants(t, c.receive(), "said again")
		if rest := c.end(); rest != "" {
			t.Errorf("%s: more was written: %s", name, rest)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/mcp?key=abcdef0123456789")
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name, at string
		h        http.HandlerFunc
		token    bool
		want     []string
	}{
		{"401 without a token", "", status(401, ""), false, []string{"--token-file", "token add"}},
		{"401 with one", "", status(401, "bad "+secret), true, []string{"does not take the token", "[token]"}},
		{"403", "", status(403, "host not allowed"), true, []string{"403", "host not allowed"}},
		{"404", "", status(404, ""), false, []string{"no MCP server", "/mcp"}},
		{"redirect", "", status(308, ""), true, []string{"redirects to https://elsewhere.example/mcp;"}},
		{"a page", "", status(200, "<html>"), false, []string{"did not answer", "/mcp"}},
		{"JSON-RPC error", "", status(400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"mismatch"}}`), false, []string{`"id":1`, "-32020", "mismatch"}},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, true, []string{"does not speak TLS"}},
		{"unknown authority", secure.URL, nil, true, []string{"--ca-file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := tt.at
			if tt.h != nil {
				s := httptest.NewServer(tt.h)
				defer s.Close()
				at = s.URL
			}
			c := connect(t, at, func(o *Options) {
				if tt.token {
					o.Token = func() (string, error) { return secret, nil }
				}
			})
			c.send(hello)
			wants(t, c.receive(), append(tt.want, `"error"`, `"id":1`)...)
			c.end()
			wants(t, strings.Join(c.notes, "\n"))
		})
	}
}

// What is no message is refused as on stdio, and the server does not see it.
func TestWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1) }))
	defer s.Close()
	c := connect(t, s.URL, func(*Options) {})
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"garbage", []string{"-32700", "not JSON"}},
		{`{"jsonrpc":"2.0","id":7,`, []string{"-32700", "not JSON"}},
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, []string{"-32600", "batches are not supported"}},
		{`{"jsonrpc":"2.0","id":7,"method":5}`, []string{"-32600", `"id":7`, "a text as method"}},
		{`{"jsonrpc":"2.0","id":{},"method":"ping"}`, []string{"-32600", "as id"}},
	} {
		c.send(tt.line)
		got := c.receive()
		wants(t, got, tt.want...)
		if strings.Contains(got, "unmarshal") || strings.Contains(got, "Go ") {
			t.Errorf("%s: %s has words of Go", tt.line, got)
		}
	}
	c.end()
	if n := asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// A call that is cut off gets an error with the next step; what changes nothing is asked
// again.
func TestCutCall(t *testing.T) {
	t.Parallel()
	var lists atomic.Int32
	h := peer()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		cut := strings.Contains(string(body), "tools/call") || strings.Contains(string(body), "tools/list") && lists.Add(1) == 1
		if cut {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "event: message\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/progress\"}\n\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	c := connect(t, s.URL, nil)
	c.send(hello)
	c.receive()
	c.send(echo(2, "x"))
	wants(t, c.receive(), "notifications/progress")
	wants(t, c.receive(), `"id":2`, `"error"`, "the same question picks it up")
	c.send(`{"jsonrpc":"2.0","id":3,"method":"tools/list"}`)
	wants(t, c.receive(), "notifications/progress")
	wants(t, c.receive(), `"id":3`, `"echo"`)
	c.end()
}

func TestCancel(t *testing.T) {
	t.Parallel()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	closed, heard, began := make(chan struct{}), make(chan string, 1), make(chan struct{}, 2)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "notifications/cancelled") {
			heard <- string(body)
			w.WriteHeader(http.StatusAccepted)
			return
		}
		modern := r.Header.Get(mcp.HeaderMethod) == "tools/call" && r.Header.Get(mcp.HeaderName) == "echo" && r.Header.Get(mcp.HeaderProtocolVersion) == "2026-07-28"
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		began <- struct{}{}
		<-r.Context().Done()
		if modern {
			close(closed)
		}
	}))
	defer s.Close()
	c := connect(t, s.URL, nil)
	c.send(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo",` + meta + `}}`)
	<-began
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	<-closed
	if len(heard) > 0 {
		t.Error("in the era without sessions a notification was sent")
	}
	c.send(echo(8, "x"))
	<-began
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}`)
	wants(t, <-heard, `"requestId":8`)
	if rest := c.end(); rest != "" {
		t.Errorf("a cancelled call was answered: %s", rest)
	}
}

// In the era without sessions a call that timed out goes on at the server, unheard, until the
// client ends: the end of its connection would be a person's cancellation.
func TestTimeOutLeavesTheCall(t *testing.T) {
	t.Parallel()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	began, more, wrote, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"id":7`) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":8,"result":{}}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		close(began)
		<-more
		fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n")
		w.(http.Flusher).Flush()
		close(wrote)
		<-r.Context().Done()
		close(closed)
	}))
	defer s.Close()
	c := connect(t, s.URL, nil)
	c.send(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo",` + meta + `}}`)
	<-began
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"Request timed out"}}`)
	c.send(`{"jsonrpc":"2.0","id":8,"method":"tools/list","params":{` + meta + `}}`)
	wants(t, c.receive(), `"id":8`)
	select {
	case <-closed:
		t.Error("the connection of the call is closed")
	default:
	}
	close(more)
	<-wrote
	c.send(`{"jsonrpc":"2.0","id":8,"method":"tools/list","params":{` + meta + `}}`)
	wants(t, c.receive(), `"id":8`)
	if rest := c.end(); rest != "" {
		t.Errorf("the client got %s", rest)
	}
	<-closed
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	c := connect(t, "http://127.0.0.1:1", func(o *Options) { o.Patience = time.Nanosecond })
	c.send(hello)
	wants(t, c.receive(), `"error"`, "cannot be reached", "check that the server runs")
	c.end()
}

func FuzzEvents(f *testing.F) {
	f.Add("event: message\ndata: {}\n\n")
	f.Add("data: a\r\ndata: b\r\n\r\n: note\n\nevent: ping\ndata: x\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		total := 0
		err := readEvents(strings.NewReader(stream), func(data []byte) bool { total += len(data); return true })
		if err == nil {
			t.Error("readEvents = nil before it was stopped")
		}
		if total > len(stream) {
			t.Errorf("%d bytes of data in a stream of %d", total, len(stream))
		}
	})
}
