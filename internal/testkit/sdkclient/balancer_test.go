package sdkclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// upstreams is a client's transport that tells which server behind the balancer took each
// call of a tool.
type upstreams chan string

func (u upstreams) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && bytes.Contains(body, []byte(`"tools/call"`)) {
		u <- res.Header.Get("X-Upstream")
	}
	return res, err
}

// balance starts nginx before the replicas, and returns where it listens. It chooses the
// port: an address that is free now may not be later, and then nginx says so and ends.
func balance(t *testing.T, nginx string, replicas ...*replica) string {
	t.Helper()
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var servers strings.Builder
	for _, r := range replicas {
		fmt.Fprintf(&servers, "server %s;\n", r.address())
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr notice; events {}
http {
  access_log off;
  %[2]s
  upstream replicas { %[3]s }
  server {
    listen %[4]s;
    location = /mcp {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_read_timeout 5m;
      add_header X-Upstream $upstream_addr always;
    }
  }
}`, dir, &temporary, &servers, addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said := newLines()
	cmd := exec.Command(nginx, "-e", "stderr", "-c", conf)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	said.await(t, "getrlimit(RLIMIT_NOFILE)") // it listens by then
	return addr
}

func (r *replica) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/mcp")
}

// TestBalancer has two replicas on one data folder behind nginx, which gives each request
// to the next one. The script balancer.sh names nginx.
func TestBalancer(t *testing.T) {
	nginx := os.Getenv("BALANCER_NGINX")
	if nginx == "" {
		t.Skip("BALANCER_NGINX names no nginx; internal/testkit/scripts/balancer.sh does")
	}
	pair := func(t *testing.T, release <-chan struct{}) (*source, string, map[string]*replica, string) {
		t.Helper()
		s, data := newSource(t, release), t.TempDir()
		one := s.serve(t, data)
		two := s.serve(t, data)
		url := "http://" + balance(t, nginx, one, two) + "/mcp"
		return s, url, map[string]*replica{one.address(): one, two.address(): two}, data
	}
	for i, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Run("progress", func(t *testing.T) {
				_, url, _, _ := pair(t, released())
				callWithProgress(t, url, era, 40)
			})
			t.Run("cancel", func(t *testing.T) {
				s, url, _, _ := pair(t, nil)
				s.cancelOne(t, era, connectHTTP(t, url, era, io.Discard, nil))
			})
			t.Run("run", func(t *testing.T) {
				release := make(chan struct{})
				s, url, _, _ := pair(t, release)
				s.pickUp(t, connectHTTP(t, url, era, io.Discard, nil), 2*time.Second, func() { close(release) })
				t.Logf("asked again: the source saw %d searches", s.searches.Load())
			})
			t.Run("killed", func(t *testing.T) {
				release := make(chan struct{})
				s, url, replicas, data := pair(t, release)
				taken := make(upstreams, 10)
				session := connectHTTP(t, url, era, io.Discard, &http.Client{Transport: taken})
				ask := func(args map[string]any) (string, error) {
					params := &mcp.CallToolParams{Name: "research", Arguments: args}
					params.SetProgressToken(fmt.Sprint("token", i))
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					res, err := session.CallTool(ctx, params)
					if err != nil {
						return "", err
					}
					return textOf(res), nil
				}
				cut := make(chan error, 1)
				go func() {
					_, err := ask(tides)
					cut <- err
				}()
				receive(t, s.begun, "the search")
				first, id := receive(t, taken, "the replica"), claimedRun(t, data)
				replicas[first].kill()
				if err := receive(t, cut, "the end of the cut call"); err == nil {
					t.Error("a call whose replica was killed has a result")
				}
				close(release)
				text, err := ask(map[string]any{"run_id": id})
				if err != nil || !strings.Contains(text, "gravity of the moon") || !strings.Contains(text, id) {
					t.Errorf("run %s at the other: %s, %v", id, text, err)
				}
				// nginx may name the dead one that it tried first.
				if second := receive(t, taken, "the replica"); strings.HasSuffix(second, first) {
					t.Errorf("answered by %s, which was killed", second)
				}
			})
		})
	}
}
