package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	remoteServer = Server{URL: "https://mcp.example.org/mcp"}
	withToken    = Server{URL: "https://mcp.example.org/mcp", TokenFile: "/home/u/team.token"}
)

// TestSetRemote: the form of each client, and what stays of an entry.
func TestSetRemote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, client  string
		server        Server
		before, after string
	}{
		{"Claude Code", "claude-code", withToken, "{}", `{
  "mcpServers": {
    "research-mcp": {
      "type": "http",
      "url": "https://mcp.example.org/mcp",
      "headers": {"Authorization":"Bearer ${RESEARCH_MCP_TOKEN}"}
    }
  }
}`},
		{"Codex", "codex", withToken, "", "[mcp_servers.research-mcp]\nurl = 'https://mcp.example.org/mcp'\nbearer_token_env_var = 'RESEARCH_MCP_TOKEN'\n"},
		{"Cursor", "cursor", withToken, "{}", `{
  "mcpServers": {
    "research-mcp": {
      "url": "https://mcp.example.org/mcp",
      "headers": {"Authorization":"Bearer ${env:RESEARCH_MCP_TOKEN}"}
    }
  }
}`},
		{"Gemini CLI", "gemini", withToken, "{}", `{
  "mcpServers": {
    "research-mcp": {
      "httpUrl": "https://mcp.example.org/mcp",
      "headers": {"Authorization":"Bearer ${RESEARCH_MCP_TOKEN}"}
    }
  }
}`},
		{"LM Studio", "lmstudio", remoteServer, "{}", "{\n  \"mcpServers\": {\n    \"research-mcp\": {\n      \"url\": \"https://mcp.example.org/mcp\"\n    }\n  }\n}"},
		{"opencode", "opencode", withToken, "{}", `{
  "mcp": {
    "research-mcp": {
      "type": "remote",
      "url": "https://mcp.example.org/mcp",
      "enabled": true,
      "headers": {"Authorization":"Bearer {file:/home/u/team.token}"}
    }
  }
}`},
		{"VS Code", "vscode", remoteServer, "{}", "{\n  \"servers\": {\n    \"research-mcp\": {\n      \"type\": \"http\",\n      \"url\": \"https://mcp.example.org/mcp\"\n    }\n  }\n}"},
		{"in place of a command; other members stay", "gemini", remoteServer,
			`{"mcpServers": {"research-mcp": {"command": "/old", "args": ["serve"], "env": {"A": "1"}, "timeout": 9, "trust": true}}}`,
			"{\"mcpServers\": {\"research-mcp\": { \"timeout\": 9, \"trust\": true,\n      \"httpUrl\": \"https://mcp.example.org/mcp\"\n    }}}"},
		{"other headers stay, the token goes", "cursor", remoteServer,
			`{"mcpServers": {"research-mcp": {"url": "https://old/mcp", "headers": {"authorization": "Bearer x", "X-Proxy": "1"}}}}`,
			`{"mcpServers": {"research-mcp": {"url": "https://mcp.example.org/mcp", "headers": {"X-Proxy":"1"}}}}`},
		{"no header is left", "cursor", remoteServer, `{"mcpServers": {"research-mcp": {"url": "https://old/mcp", "headers": {"Authorization": "Bearer x"}}}}`,
			`{"mcpServers": {"research-mcp": {"url": "https://mcp.example.org/mcp"}}}`},
		{"another key of the address", "gemini", remoteServer, `{"mcpServers": {"research-mcp": {"url": "https://old/mcp", "type": "http"}}}`,
			"{\"mcpServers\": {\"research-mcp\": { \"type\": \"http\",\n      \"httpUrl\": \"https://mcp.example.org/mcp\"\n    }}}"},
		{"toml, in place of a command with tables", "codex", withToken, `[mcp_servers.research-mcp] # mine
command = "/old"
args = [
  "serve",
]
required = true

[mcp_servers.research-mcp.env] # dropped with its keys
A = "1"

# kept
[mcp_servers.research-mcp.tools.forget]
approval = "prompt"

[mcp_servers.b]
command = "b"
env = {C = "3"}
`, `[mcp_servers.research-mcp] # mine
url = 'https://mcp.example.org/mcp'
bearer_token_env_var = 'RESEARCH_MCP_TOKEN'
required = true


# kept
[mcp_servers.research-mcp.tools.forget]
approval = "prompt"

[mcp_servers.b]
command = "b"
env = {C = "3"}
`},
		{"toml, dotted keys", "codex", remoteServer, "[mcp_servers.research-mcp]\ncommand = 'x'\nenv.B = '2'\nenv.C = '3'\ntool_timeout_sec = 9\n",
			"[mcp_servers.research-mcp]\nurl = 'https://mcp.example.org/mcp'\ntool_timeout_sec = 9\n"},
		{"toml, a token that is not needed any more", "codex", remoteServer, "[mcp_servers.research-mcp]\nurl = 'x'\nbearer_token_env_var = 'A'\nhttp_headers = {X = '1'}\n",
			"[mcp_servers.research-mcp]\nurl = 'https://mcp.example.org/mcp'\nhttp_headers = {X = '1'}\n"},
	} {
		got, err := client(t, c.client).set([]byte(c.before), c.server)
		if err != nil || string(got) != c.after {
			t.Errorf("%s: set = %v\n%s\nwant:\n%s", c.name, err, got, c.after)
			continue
		}
		again, err := client(t, c.client).set(got, c.server)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: set again = %v\n%s", c.name, err, again)
		}
	}
}

// TestHolds: which clients hold a token without having it in plain.
func TestHolds(t *testing.T) {
	t.Parallel()
	want := map[string]Holding{"claude-code": ByVariable, "claude-desktop": InPlain, "codex": ByVariable, "cursor": ByVariable, "gemini": ByVariable,
		"lmstudio": InPlain, "opencode": ByFile, "vscode": InPlain}
	got := map[string]Holding{}
	for _, c := range All() {
		got[c.Name] = c.Holds("/home/u/team.token")
		if c.SpeaksHTTP() != (c.Name != "claude-desktop") {
			t.Errorf("%s: SpeaksHTTP = %v", c.Name, c.SpeaksHTTP())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, file := range []string{"/home/a&b/t", "/home/{u}/t", `/home/"u"/t`, "/home/a\nb"} {
		if got := client(t, "opencode").Holds(file); got != InPlain {
			t.Errorf("opencode holds %q by %v, want %v: it would read another file", file, got, InPlain)
		}
	}
}

// TestInstallRemote: for every client that speaks HTTP, there and back, and the headers as
// the client would send them.
func TestInstallRemote(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("rmcp_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range All() {
		if !c.SpeaksHTTP() {
			continue
		}
		s := home(t)
		s.Getenv = func(name string) string { return map[string]string{TokenVariable: "rmcp_secret"}[name] }
		at := Server{URL: "https://mcp.example.org/mcp", TokenFile: token}
		want := map[string]string{"Authorization": "Bearer rmcp_secret"}
		if c.Holds(token) == InPlain {
			at.TokenFile, want = "", map[string]string{}
		}
		for _, server := range []Server{server, at} {
			if change, err := Install(c, s, server, false, moment); err != nil || !change.Changed {
				t.Errorf("%s: Install = %+v, %v", c.Name, change, err)
			}
		}
		got, found, _, err := Configured(c, s)
		if err != nil || !found || got.URL != at.URL || got.Command != "" || !cmp.Equal(got.Headers, want) || len(got.Unknown) > 0 {
			t.Errorf("%s: Configured = %+v, %v, %v", c.Name, got, found, err)
		}
		if raw, err := os.ReadFile(c.File(s)); err != nil || strings.Contains(string(raw), "rmcp_secret") {
			t.Errorf("%s: the token is in the configuration: %s, %v", c.Name, raw, err)
		}
		if _, err := Uninstall(c, s, false, moment); err != nil {
			t.Errorf("%s: Uninstall = %v", c.Name, err)
		}
		if _, found, _, err := Configured(c, s); err != nil || found {
			t.Errorf("%s: after Uninstall it is there: %v, %v", c.Name, found, err)
		}
	}
}

// TestHeadersAsConfigured: what users write, as each client reads it.
func TestHeadersAsConfigured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"near": " near \n", "big": strings.Repeat("x", maxToken+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := System{OS: "linux", Home: dir, Getenv: func(name string) string { return map[string]string{"A": "a"}[name] }}
	for _, c := range []struct {
		client  string
		entry   map[string]any
		want    map[string]string
		unknown []string
		absent  []string
	}{
		{"claude-code", map[string]any{"headers": map[string]any{"X": "${A} $A ${env:A}", "Y": "${B}"}}, map[string]string{"X": "a $A ${env:A}", "Y": ""}, []string{"B"}, nil},
		{"cursor", map[string]any{"headers": map[string]any{"X": "${A} ${env:A}"}}, map[string]string{"X": "${A} a"}, nil, nil},
		{"gemini", map[string]any{"headers": map[string]any{"X": "$A ${A}"}}, map[string]string{"X": "a a"}, nil, nil},
		{"vscode", map[string]any{"headers": map[string]any{"X": "Bearer ${input:key}"}}, map[string]string{"X": "Bearer "}, []string{"input:key"}, nil},
		{"opencode", map[string]any{"headers": map[string]any{"X": "{env:A} {file:~/near}", "Y": "{file:~/none}", "Z": "{file:" + dir + "/big}"}},
			map[string]string{"X": "a near", "Y": "", "Z": ""}, nil, []string{dir + "/big", "~/none"}},
		{"lmstudio", map[string]any{"headers": map[string]any{"X": "${A}"}}, map[string]string{"X": "${A}"}, nil, nil},
		{"codex", map[string]any{"bearer_token_env_var": "B", "http_headers": map[string]any{"X": "${A}"}, "env_http_headers": map[string]any{"Y": "A"}},
			map[string]string{"Authorization": "Bearer ", "X": "${A}", "Y": "a"}, []string{"B"}, nil},
	} {
		c.entry["url"] = "https://mcp.example.org/mcp"
		got := client(t, c.client).readEntry(s, c.entry)
		if diff := cmp.Diff(Server{URL: "https://mcp.example.org/mcp", Headers: c.want, Unknown: c.unknown, Absent: c.absent}, got); diff != "" {
			t.Errorf("%s: %s", c.client, diff)
		}
	}
}
