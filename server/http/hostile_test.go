package http_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

func TestHostsAndOrigins(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{Hosts: []string{"mcp.example"}, Origins: []string{"https://app.example"},
		Routes: map[string]http.Handler{"/healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}})
	port := url[strings.LastIndex(url, ":"):]
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"", "", 200}, {"localhost" + port, "", 200}, {"[::1]" + port, "", 200}, {"127.0.0.1" + port, "", 200}, {"127.0.0.1", "", 200}, {"mcp.example", "", 200}, {"MCP.example:443", "", 200},
		{"evil.example", "", 403}, {"evil.example" + port, "", 403}, {"127.0.0.1.evil.example", "", 403}, {"localhost.evil.example", "", 403}, {"192.168.0.1", "", 403},
		{"", "http://localhost:3000", 200}, {"", "http://127.0.0.1:6274", 200}, {"", "https://app.example", 200}, {"mcp.example", "https://mcp.example", 200},
		{"", "http://evil.example", 403}, {"", "null", 403}, {"", "http://localhost.evil.example", 403}, {"", "https://app.example.evil.example", 403},
		{"", "http://app.example", 403}, {"", "file://", 403}, {"", "http://localhost@evil.example", 403}, {"mcp.example", "http://localhost:3000", 403}, {"", "https://mcp.example", 403},
	} {
		header := map[string]string{}
		if c.host != "" {
			header["Host"] = c.host
		}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if r := post(t, url, helloMessage, header); r.status != c.want {
			t.Errorf("host %q, origin %q: %d, want %d", c.host, c.origin, r.status, c.want)
		}
		res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodGet, url+"/healthz", "", header))
		if err != nil {
			t.Fatal(err)
		}
		if r := read(t, res); r.status != c.want {
			t.Errorf("host %q, origin %q at another path: %d, want %d", c.host, c.origin, r.status, c.want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	session := begin(t, url)
	ok, okHeader := modernCall(1, "echo")
	with := func(base map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		method, body string
		header       map[string]string
		want, code   int
	}{
		"PUT":                        {"PUT", call(1, "echo"), session, 405, 0},
		"no content type":            {"POST", call(1, "echo"), with(session, "Content-Type", ""), 415, 0},
		"a form":                     {"POST", call(1, "echo"), with(session, "Content-Type", "application/x-www-form-urlencoded"), 415, 0},
		"text":                       {"POST", call(1, "echo"), with(session, "Content-Type", "text/plain"), 415, 0},
		"accepts pictures":           {"POST", call(1, "echo"), with(session, "Accept", "image/png"), 406, 0},
		"no JSON":                    {"POST", `{"jsonrpc":`, session, 400, -32700},
		"nothing":                    {"POST", "", session, 400, -32700},
		"spaces":                     {"POST", " \n", session, 400, -32700},
		"a batch":                    {"POST", "[" + call(1, "echo") + "]", session, 400, -32600},
		"a number":                   {"POST", "7", session, 400, -32600},
		"no method":                  {"POST", `{"jsonrpc":"2.0","id":1}`, session, 400, -32600},
		"an unknown tool":            {"POST", call(1, "nosuch"), session, 200, -32602},
		"an unknown method":          {"POST", `{"jsonrpc":"2.0","id":1,"method":"no/such"}`, session, 200, -32601},
		"an unknown version":         {"POST", call(1, "echo"), with(session, "Mcp-Protocol-Version", "1999-01-01"), 400, -32600},
		"too long":                   {"POST", `{"jsonrpc":"2.0","id":1,"method":"ping","x":"` + strings.Repeat("x", server.MaxMessage) + `"}`, session, 413, -32600},
		"a stream without a session": {"GET", "", nil, 400, 0},
		"a stream as JSON":           {"GET", "", with(session, "Accept", "application/json"), 406, 0},
		"modern GET":                 {"GET", "", map[string]string{"Mcp-Protocol-Version": modernVersion}, 405, 0},
		"modern DELETE":              {"DELETE", "", map[string]string{"Mcp-Protocol-Version": modernVersion}, 405, 0},
		"modern without its header":  {"POST", ok, with(okHeader, "Mcp-Protocol-Version", ""), 400, -32020},
		"another method in a header": {"POST", ok, with(okHeader, "Mcp-Method", "tools/list"), 400, -32020},
		"another name in a header":   {"POST", ok, with(okHeader, "Mcp-Name", "hold"), 400, -32020},
		"an unknown modern version":  {"POST", strings.ReplaceAll(ok, modernVersion, "2027-01-01"), with(okHeader, "Mcp-Protocol-Version", "2027-01-01"), 400, -32022},
		"a modern unknown method":    {"POST", strings.ReplaceAll(ok, "tools/call", "no/such"), with(okHeader, "Mcp-Method", "no/such", "Mcp-Name", ""), 404, -32601},
		"resumption":                 {"POST", ok, with(okHeader, "Last-Event-ID", "1"), 400, -32020},
		"a modern response":          {"POST", `{"jsonrpc":"2.0","id":"x","result":{}}`, with(okHeader, "Mcp-Method", ""), 400, -32600},
	} {
		res, err := http.DefaultClient.Do(request(t.Context(), t, c.method, url+mcphttp.Path, c.body, c.header))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := read(t, res)
		if r.status != c.want || r.code() != c.code {
			t.Errorf("%s: %d with code %d, want %d with %d: %.200s", name, r.status, r.code(), c.want, c.code, r.body)
		}
		if c.want == 405 && r.header.Get("Allow") == "" {
			t.Errorf("%s: the answer does not say what is allowed", name)
		}
	}
	if r := post(t, url, call(2, "echo"), session); r.text() != "for tester" {
		t.Errorf("after all that: %s", r.body)
	}
}

// An endless body ends the request, and takes no memory.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	body, feed := io.Pipe()
	go func() {
		block := bytes.Repeat([]byte("x"), 64<<10)
		for {
			if _, err := feed.Write(block); err != nil {
				return
			}
		}
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+mcphttp.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err == nil { // the server may have closed the connection while it was written to
		if r := read(t, res); r.status != http.StatusRequestEntityTooLarge {
			t.Errorf("an endless body: %d", r.status)
		}
	}
	body.Close()
	begin(t, url)
}

func TestConnectionsOfOneAddress(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{MaxConnections: 3})
	var open []net.Conn
	for range 3 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	for _, c := range open { // they are served: their requests are answered
		fmt.Fprintf(c, "GET /nosuch HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a connection too many: %d bytes, %v, want it closed", n, err)
	}
}

func TestRequestsOfOneCaller(t *testing.T) {
	t.Parallel()
	h := newHeld()
	type who struct{}
	guard := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), who{}, r.Header.Get("Who"))))
		})
	}
	caller := func(ctx context.Context) string { return ctx.Value(who{}).(string) }
	url, _ := start(t, mcphttp.Options{Handler: handlerOf(testHandler(h)), Guard: guard, Caller: caller, MaxRequests: 2})
	ctx, hangUp := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			if res, err := http.DefaultClient.Do(request(ctx, t, http.MethodPost, url+mcphttp.Path, call(1, "hold"), map[string]string{"Who": "ada"})); err == nil {
				res.Body.Close()
			}
		})
		receive(t, h.began, "the call")
	}
	if r := post(t, url, call(2, "echo"), map[string]string{"Who": "ada"}); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("a request too many: %d %s", r.status, r.body)
	}
	if r := post(t, url, call(2, "echo"), map[string]string{"Who": "bob"}); r.status != http.StatusOK {
		t.Errorf("another caller: %d %s", r.status, r.body)
	}
	hangUp()
	calls.Wait()
}

// A session belongs to its caller: to another one its id is unknown, and ends nothing.
func TestForeignSession(t *testing.T) {
	t.Parallel()
	type who struct{}
	guard := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), who{}, r.Header.Get("Who"))))
		})
	}
	url, _ := start(t, mcphttp.Options{Guard: guard, Caller: func(ctx context.Context) string { return ctx.Value(who{}).(string) }})
	ada := map[string]string{"Who": "ada"}
	ada["Mcp-Session-Id"] = post(t, url, helloMessage, ada).header.Get("Mcp-Session-Id")
	res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodDelete, url+mcphttp.Path, "", map[string]string{"Who": "eve", "Mcp-Session-Id": ada["Mcp-Session-Id"]}))
	if err != nil {
		t.Fatal(err)
	}
	read(t, res)
	if r := post(t, url, call(1, "echo"), ada); r.text() != "for tester" {
		t.Errorf("after a stranger ended it: %d %s", r.status, r.body)
	}
}

func TestNoHandler(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
		says string
	}{
		{&evidence.Problem{What: "there is no tenant x", Try: "ask the operator"}, 403, "there is no tenant x"},
		{fmt.Errorf("/secret/path is full"), 503, "log"},
	} {
		url, _ := start(t, mcphttp.Options{Handler: func(context.Context) (*server.Handler, error) { return nil, c.err }})
		if r := post(t, url, helloMessage, nil); r.status != c.want || !strings.Contains(r.body, c.says) || strings.Contains(r.body, "secret") {
			t.Errorf("%v: %d %s", c.err, r.status, r.body)
		}
	}
}

// Many clients at once, of both eras, with cancellations in between.
func TestManyClients(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	var clients sync.WaitGroup
	for c := range 64 {
		clients.Go(func() {
			session := begin(t, url)
			for i := range 5 {
				body, header := call(i, "steps"), session
				if (c+i)%2 == 0 {
					body, header = modernCall(i, "steps")
				}
				if r := post(t, url, body, header); len(r.messages) != steps+1 || r.text() != "done" {
					t.Errorf("client %d, call %d: %d messages, %q", c, i, len(r.messages), r.text())
				}
				post(t, url, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, i), session)
			}
		})
	}
	clients.Wait()
}
