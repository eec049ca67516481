package diagnosis_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// endpoint is our transport with a tool named recall, behind guard.
func endpoint(guard func(http.Handler) http.Handler) http.Handler {
	h := server.NewHandler(server.Options{Name: "research-mcp", Version: "1", Tools: []tools.Definition{{Name: "recall", Title: "Recall", About: "finds", InputSchema: json.RawMessage(`{"type":"object"}`),
		Call: func(context.Context, json.RawMessage, tools.Observe) (tools.Result, error) {
			return tools.Result{Text: "nothing"}, nil
		}}}})
	health := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) })
	return mcphttp.New(mcphttp.Options{Handler: func(context.Context) (*server.Handler, error) { return h, nil }, Guard: guard,
		Routes: map[string]http.Handler{"/healthz": health, "/readyz": health}}).Handler()
}

const remoteToken = "rmcp_of_the_test"

func asksForToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+remoteToken {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// look returns the statuses of a report by name.
func look(t *testing.T, h http.Handler, token string) (diagnosis.Report, map[string]string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	var o diagnosis.RemoteOptions
	if token != "" {
		o.TokenFile = filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(o.TokenFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := diagnosis.Remote(t.Context(), s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]string{}
	for _, c := range r.Checks {
		statuses[c.Name] = c.Status
		if token != "" && strings.Contains(c.What+c.Try, token) {
			t.Errorf("%s shows the token: %s", c.Name, c.What)
		}
		if c.Status == "fail" && c.Try == "" {
			t.Errorf("%s fails without a next step: %s", c.Name, c.What)
		}
	}
	return r, statuses
}

func TestRemote(t *testing.T) {
	t.Parallel()
	mute := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) })
	}
	open := endpoint(nil)
	careless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Origin")
		r.Host = "localhost"
		open.ServeHTTP(w, r)
	})
	notReady := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"failing","failed":["disk"]}`)
			return
		}
		open.ServeHTTP(w, r)
	})
	for _, c := range []struct {
		name    string
		handler http.Handler
		token   string
		ok      bool
		want    map[string]string
	}{
		{"open, on loopback", open, "", true, map[string]string{"address": "ok", "alive": "ok", "ready": "ok", "who may call": "ok", "foreign pages": "ok", "foreign names": "ok", "protocol": "ok", "tools": "ok", "recall": "ok"}},
		{"a token is asked for", endpoint(asksForToken), "", true, map[string]string{"who may call": "ok", "foreign pages": "ok", "protocol": "off"}},
		{"with the token", endpoint(asksForToken), remoteToken, true, map[string]string{"who may call": "ok", "protocol": "ok", "recall": "ok"}},
		{"with a wrong token", endpoint(asksForToken), "rmcp_revoked", false, map[string]string{"who may call": "fail", "protocol": "off", "tools": "", "recall": ""}},
		{"careless", careless, "", false, map[string]string{"foreign pages": "fail", "foreign names": "warn", "protocol": "ok"}},
		{"not ready", notReady, "", false, map[string]string{"ready": "fail", "alive": "ok", "recall": "ok"}},
		{"nothing there", mute(http.StatusNotFound), "", false, map[string]string{"address": "fail"}},
		{"a proxy without its server", mute(http.StatusBadGateway), "", false, map[string]string{"address": "fail"}},
		{"another site", mute(http.StatusOK), "", false, map[string]string{"foreign pages": "fail", "protocol": "fail", "alive": "off"}},
	} {
		r, got := look(t, c.handler, c.token)
		if r.OK != c.ok {
			t.Errorf("%s: OK %v, want %v: %+v", c.name, r.OK, c.ok, r.Checks)
		}
		for name, want := range c.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q: %+v", c.name, name, got[name], want, r.Checks)
			}
		}
	}
}

// A certificate that nobody vouches for is a failure, and with its authority it is not.
func TestRemoteCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(endpoint(nil))
	defer s.Close()
	r, err := diagnosis.Remote(t.Context(), s.URL, diagnosis.RemoteOptions{})
	if err != nil || r.OK || !strings.Contains(r.Checks[0].Try, "--ca-file") {
		t.Errorf("an unknown authority: %+v, %v", r, err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = diagnosis.Remote(t.Context(), s.URL, diagnosis.RemoteOptions{CAFile: ca}); err != nil || !r.OK {
		t.Errorf("with its authority: %+v, %v", r, err)
	}
	for _, bad := range []string{"mcp.example", "https://a:b@mcp.example", ""} {
		if _, err := diagnosis.Remote(t.Context(), bad, diagnosis.RemoteOptions{}); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
