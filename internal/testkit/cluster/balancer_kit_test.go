package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// balance starts nginx before servers, which gives each request to the next one, and returns
// its address.
func balance(t *testing.T, nginx string, servers []*server) string {
	t.Helper()
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var upstream, temporary strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&upstream, "server %s;\n", s.address())
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr notice; events {}
http {
  access_log off;
  %[2]s
  upstream servers { %[3]s }
  server {
    listen %[4]s;
    location = /mcp {
      proxy_pass http://servers;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_read_timeout 5m;
      add_header X-Upstream $upstream_addr always;
    }
  }
}`, dir, &temporary, &upstream, addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-e", "stderr", "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); ; pause(t.Context(), 20*time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return "http://" + addr + "/mcp"
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func (s *server) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/mcp")
}

// person is a client behind the balancer, in a session of its own.
type person struct {
	t                   *testing.T
	url, token, session string
}

// send sends a message; the response names the server that took it.
func (p person) send(method string, message map[string]any) (*http.Response, string) {
	p.t.Helper()
	var body io.Reader
	if message != nil {
		message["jsonrpc"] = "2.0"
		raw, err := json.Marshal(message)
		if err != nil {
			p.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url, body)
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-11-25", "Authorization": "Bearer " + p.token} {
		req.Header.Set(name, value)
	}
	if p.session != "" {
		req.Header.Set("Mcp-Session-Id", p.session)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, lastOf(res.Header.Get("X-Upstream"))
}

// lastOf is the server that answered: nginx names those that it tried before, too.
func lastOf(upstreams string) string {
	all := strings.Split(upstreams, ", ")
	return all[len(all)-1]
}

// done is send for what is answered at once.
func (p person) done(message map[string]any) (upstream, body string) {
	p.t.Helper()
	res, upstream := p.send(http.MethodPost, message)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return upstream, string(raw)
}

func call(id int, tool string, args map[string]any) map[string]any {
	return map[string]any{"id": id, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args, "_meta": map[string]any{"progressToken": fmt.Sprint("token", id)}}}
}

// at sends what make makes until a certain server takes it, or another than it.
func (p person) at(want bool, upstream string, make func() map[string]any) string {
	p.t.Helper()
	for range 4 {
		if got, body := p.done(make()); (got == upstream) == want {
			return body
		}
	}
	p.t.Fatalf("nginx does not change the server: want that it is %s: %v", upstream, want)
	return ""
}

// begin starts a session.
func begin(t *testing.T, url, token string) person {
	t.Helper()
	p := person{t: t, url: url, token: token}
	res, _ := p.send(http.MethodPost, map[string]any{"id": 0, "method": "initialize", "params": map[string]any{"protocolVersion": "2025-11-25", "clientInfo": map[string]any{"name": "tester", "version": "1"}, "capabilities": map[string]any{}}})
	defer res.Body.Close()
	if p.session = res.Header.Get("Mcp-Session-Id"); p.session == "" {
		t.Fatalf("no session: %s", res.Status)
	}
	p.done(map[string]any{"method": "notifications/initialized"})
	return p
}

// heldSource answers searches when it is released, and says which began and which were cut.
type heldSource struct {
	url        string
	began, cut chan struct{}
	release    chan struct{}
}

func newHeldSource(t *testing.T) *heldSource {
	t.Helper()
	h := &heldSource{began: make(chan struct{}, 100), cut: make(chan struct{}, 100), release: make(chan struct{}, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.began <- struct{}{}
		select {
		case <-h.release:
		case <-r.Context().Done():
			h.cut <- struct{}{}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, hits) // the caller may have left
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

func receive[T any](t *testing.T, from <-chan T, what string) (out T) {
	t.Helper()
	select {
	case out = <-from:
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	return out
}

func question(text string, more ...any) map[string]any {
	args := map[string]any{"question": text, "depth": "quick", "sources": []string{"hackernews"}}
	for i := 0; i < len(more); i += 2 {
		args[more[i].(string)] = more[i+1]
	}
	return args
}

// asked is a question that is being answered.
type asked struct {
	upstream string
	body     <-chan string // all that comes
}

func (p person) ask(id int, args map[string]any) asked {
	p.t.Helper()
	res, upstream := p.send(http.MethodPost, call(id, "research", args))
	body := make(chan string, 1)
	go func() {
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body) // its server may be killed
		body <- string(raw)
	}()
	return asked{upstream, body}
}
