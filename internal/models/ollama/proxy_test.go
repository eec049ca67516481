package ollama

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// proxyEnv tells the process that TestProxy starts what its proxy setting is. Go
// reads HTTP_PROXY once in a process, hence the process.
const proxyEnv = "OLLAMA_PROXY_TEST_SETTING"

// Prompts hold what a user asks and remembers: they go through a proxy only when
// our own setting says so, and not because of HTTP_PROXY.
func TestProxy(t *testing.T) {
	if setting, child := os.LookupEnv(proxyEnv); child {
		c := newClient(t, Config{Host: "http://ollama.invalid", Proxy: setting})
		c.Probe(t.Context())
		c.work.Wait()
		return
	}
	t.Parallel()
	s := ollamakit.Start(t)
	var requests atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		r.RequestURI, r.URL.Host = "", s.Host()
		resp, err := s.Transport().RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(resp.StatusCode)
	}))
	defer proxy.Close()
	for _, test := range []struct {
		name, setting string
		used          bool
	}{
		{"HTTP_PROXY alone", "", false},
		{"our setting", proxy.URL, true},
	} {
		requests.Store(0)
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
		child.Env = append(os.Environ(), proxyEnv+"="+test.setting, "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", test.name, err, out)
		}
		if got := requests.Load(); (got > 0) != test.used {
			t.Errorf("%s: %d requests through the proxy, want any: %v", test.name, got, test.used)
		}
	}
	if _, err := New(Config{Proxy: "proxy:3128"}); err == nil || !strings.Contains(err.Error(), "ollama.proxy") {
		t.Errorf("New with a proxy without a scheme: %v", err)
	}
}
