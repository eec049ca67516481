package diagnosis_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
)

// TestClientsByURL: the server is greeted at the address, and with the headers, that stand
// in a client's configuration.
func TestClientsByURL(t *testing.T) {
	t.Parallel()
	secured, open := httptest.NewServer(endpoint(asksForToken)), httptest.NewServer(endpoint(nil))
	elsewhere := httptest.NewServer(http.RedirectHandler(open.URL+"/mcp", http.StatusTemporaryRedirect))
	for _, s := range []*httptest.Server{secured, open, elsewhere} {
		t.Cleanup(s.Close)
	}
	const gone = "http://127.0.0.1:1" // nobody listens there
	home := t.TempDir()
	file := filepath.Join(home, "team.token")
	if err := os.WriteFile(file, []byte(remoteToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := strings.ReplaceAll(remoteToken, "test", "past")
	for _, c := range []struct {
		name, client, url, tokenFile string
		variable                     string
		status, what, try            string
	}{
		{"open", "cursor", open.URL + "/mcp", "", "", "ok", "Cursor reaches research-mcp 1: " + open.URL + "/mcp in ", ""},
		{"a variable", "codex", secured.URL + "/mcp", file, remoteToken, "ok", "Codex reaches research-mcp 1", ""},
		{"a file", "opencode", secured.URL + "/mcp", file, "", "ok", "opencode reaches research-mcp 1", ""},
		{"an unset variable", "codex", secured.URL + "/mcp", file, "", "warn", "the value of RESEARCH_MCP_TOKEN is not known here", "set it where Codex starts"},
		{"no file", "opencode", secured.URL + "/mcp", file + ".none", "", "fail", "opencode does not start: it cannot read " + file + ".none, which ", "uninstall opencode"},
		{"a wrong token", "claude-code", secured.URL + "/mcp", file, wrong, "fail", "does not take the token", "token list"},
		{"no token", "vscode", secured.URL + "/mcp", "", "", "fail", "asks for a token", "--token-file"},
		{"no server", "gemini", gone + "/mcp?key=abcdef", "", "", "fail", "does not reach the server: " + gone + "/mcp in ", "doctor --url " + gone + "/mcp"},
		{"a wrong path", "lmstudio", open.URL + "/", "", "", "fail", "status 404", "looks closer"},
		{"a redirect, which could take the token elsewhere", "cursor", elsewhere.URL + "/mcp", file, remoteToken, "fail", "status 307", "looks closer"},
		{"no address", "cursor", "mcp.example.org", "", "", "fail", "not the URL of a server", "install cursor --url"},
		{"a client without HTTP", "claude-desktop", open.URL + "/mcp", "", "", "fail", "does not reach servers over HTTP", "install claude-desktop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := clients.System{OS: "linux", Home: t.TempDir(), Getenv: func(name string) string {
				return map[string]string{clients.TokenVariable: c.variable}[name]
			}}
			client, err := clients.Find(c.client)
			if err != nil {
				t.Fatal(err)
			}
			if c.client == "claude-desktop" {
				writeFile(t, client.File(s), `{"mcpServers": {"research-mcp": {"url": "`+c.url+`"}}}`)
			} else if _, err := clients.Install(client, s, clients.Server{URL: c.url, TokenFile: c.tokenFile}, false, time.Now()); err != nil {
				t.Fatal(err)
			}
			r := diagnosis.Doctor(t.Context(), apptest.Settings(t, nil, nil), diagnosis.DoctorOptions{Offline: true, Clients: &s})
			at := slices.IndexFunc(r.Checks, func(check diagnosis.Check) bool { return check.Name == c.client })
			if at < 0 {
				t.Fatalf("no check of %s: %+v", c.client, r.Checks)
			}
			got := r.Checks[at]
			if got.Status != c.status || !strings.Contains(got.What, c.what) || !strings.Contains(got.Try, c.try) || (got.Status != "ok") != (got.Try != "") {
				t.Errorf("got %+v, want %+v", got, c)
			}
			for _, secret := range []string{remoteToken, wrong, "abcdef"} {
				if strings.Contains(got.What+got.Try, secret) {
					t.Errorf("%+v has the secret %s", got, secret)
				}
			}
		})
	}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestClientsByConnect: why connect does not reach the server is told, and the next step
// keeps the server at its address.
func TestClientsByConnect(t *testing.T) {
	const refusal = `read line; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the certificate is unknown; give it with --ca-file"}}'`
	s := clients.System{OS: "linux", Home: t.TempDir(), Getenv: func(string) string { return "" }}
	client, err := clients.Find("cursor")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(s.Home, "connect") // the shell takes its first argument for a script
	writeFile(t, program, refusal)
	t.Chdir(s.Home)
	if _, err := clients.Install(client, s, clients.Server{Command: "/bin/sh", Args: []string{"connect", "http://127.0.0.1:1/mcp?key=abcdef"}}, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	r := diagnosis.Doctor(t.Context(), apptest.Settings(t, nil, nil), diagnosis.DoctorOptions{Offline: true, Clients: &s})
	at := slices.IndexFunc(r.Checks, func(check diagnosis.Check) bool { return check.Name == "cursor" })
	if at < 0 {
		t.Fatalf("no check: %+v", r.Checks)
	}
	got := r.Checks[at]
	if got.Status != "fail" || !strings.Contains(got.What, "the certificate is unknown; give it with --ca-file") ||
		!strings.Contains(got.Try, "doctor --url http://127.0.0.1:1/mcp` looks closer") || !strings.Contains(got.Try, "install cursor --url") || strings.Contains(got.What+got.Try, "abcdef") {
		t.Errorf("got %+v", got)
	}
}

// TestOfflineGreetsNobodyElsewhere: a server on another machine is not reached, by the
// client's own address or by connect, and its secrets are not shown.
func TestOfflineGreetsNobodyElsewhere(t *testing.T) {
	t.Parallel()
	const address = "https://mcp.invalid/mcp"
	s := clients.System{OS: "linux", Home: t.TempDir(), Getenv: func(string) string { return "" }}
	for name, server := range map[string]clients.Server{
		"cursor": {URL: address + "?key=abcdef"},
		"gemini": {Command: filepath.Join(s.Home, "none"), Args: []string{"connect", address + "?key=abcdef"}},
	} {
		client, err := clients.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clients.Install(client, s, server, false, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	r := diagnosis.Doctor(t.Context(), apptest.Settings(t, nil, nil), diagnosis.DoctorOptions{Offline: true, Clients: &s})
	for _, name := range []string{"cursor", "gemini"} {
		at := slices.IndexFunc(r.Checks, func(check diagnosis.Check) bool { return check.Name == name })
		if at < 0 {
			t.Fatalf("no check of %s: %+v", name, r.Checks)
		}
		if got := r.Checks[at]; got.Status != "ok" || !strings.HasPrefix(got.What, "on, not greeted: "+address+" in ") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
