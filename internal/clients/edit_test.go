package clients

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

var server = Server{Command: "/opt/bin/research-mcp", Args: []string{"serve"}}

func client(t testing.TB, name string) Client {
	t.Helper()
	c, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, client, before, after string }{
		{"no file", "cursor", "", `{
  "mcpServers": {
    "research-mcp": {
      "command": "/opt/bin/research-mcp",
      "args": ["serve"]
    }
  }
}
`},
		{"other servers, comments and tabs", "vscode", `{
	// servers of the team
	"servers": {
		"wiki": {"command": "npx", "args": ["wiki@1"]}, // pinned
	},
	/* inputs */ "inputs": [],
}
`, `{
	// servers of the team
	"servers": {
		"wiki": {"command": "npx", "args": ["wiki@1"]}, // pinned
		"research-mcp": {
			"type": "stdio",
			"command": "/opt/bin/research-mcp",
			"args": ["serve"]
		}
	},
	/* inputs */ "inputs": [],
}
`},
		{"an old command; the user's own members stay", "claude-desktop", `{"mcpServers": {"research-mcp": {"command": "/old", "env": {"A": "1"}, "args": ["serve", "--demo"]}}}`,
			`{"mcpServers": {"research-mcp": {"command": "/opt/bin/research-mcp", "env": {"A": "1"}, "args": ["serve"]}}}`},
		{"no servers yet, a long number", "gemini", "{\n    \"theme\": \"dark\",\n    \"n\": 12345678901234567890\n}", `{
    "theme": "dark",
    "n": 12345678901234567890,
    "mcpServers": {
        "research-mcp": {
            "command": "/opt/bin/research-mcp",
            "args": ["serve"]
        }
    }
}`},
		{"a list as command", "opencode", "{}\n", `{
  "mcp": {
    "research-mcp": {
      "type": "local",
      "command": ["/opt/bin/research-mcp","serve"],
      "enabled": true
    }
  }
}
`},
		{"toml, appended", "codex", "model = \"o4\" # fast\n\n[mcp_servers.wiki]\ncommand = \"npx\"\n", `model = "o4" # fast

[mcp_servers.wiki]
command = "npx"

[mcp_servers.research-mcp]
command = '/opt/bin/research-mcp'
args = ['serve']
`},
		{"toml, an old table with keys of the user's", "codex", `[mcp_servers.research-mcp] # mine
command = "/old"
args = [
  "serve", # the server
  "--demo",
]
startup_timeout_sec = 20
# about b
[mcp_servers.b]
command = "b"
`, `[mcp_servers.research-mcp] # mine
command = '/opt/bin/research-mcp'
args = ['serve']
startup_timeout_sec = 20
# about b
[mcp_servers.b]
command = "b"
`},
		{"line ends of Windows and a byte order mark", "cursor", "\ufeff{\r\n  \"mcpServers\": {}\r\n}\r\n",
			"\ufeff{\r\n  \"mcpServers\": {\r\n    \"research-mcp\": {\r\n      \"command\": \"/opt/bin/research-mcp\",\r\n      \"args\": [\"serve\"]\r\n    }\r\n  }\r\n}\r\n"},
		{"toml with line ends of Windows and a byte order mark", "codex", "\ufeffa = 1\r\n", "\ufeffa = 1\r\n\r\n[mcp_servers.research-mcp]\r\ncommand = '/opt/bin/research-mcp'\r\nargs = ['serve']\r\n"},
		{"a mark before our table", "codex", "\ufeff[mcp_servers.research-mcp]\ncommand = 'x'\n", "\ufeff[mcp_servers.research-mcp]\ncommand = '/opt/bin/research-mcp'\nargs = ['serve']\n"},
		{"a mark and nothing else", "codex", "\ufeff", "\ufeff[mcp_servers.research-mcp]\ncommand = '/opt/bin/research-mcp'\nargs = ['serve']\n"},
		{"a number that is larger than Go's", "opencode", "{\"n\": 1e400, \"mcp\": {\"research-mcp\": {}}}", `{"n": 1e400, "mcp": {"research-mcp": {
      "type": "local",
      "command": ["/opt/bin/research-mcp","serve"],
      "enabled": true
    }}}`},
	} {
		got, err := client(t, c.client).set([]byte(c.before), server)
		if err != nil || string(got) != c.after {
			t.Errorf("%s: set = %v\n%s\nwant:\n%s", c.name, err, got, c.after)
			continue
		}
		again, err := client(t, c.client).set(got, server)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: set again = %v\n%s", c.name, err, again)
		}
	}
}

func TestUnset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, client, before, after string }{
		{"only ours", "cursor", "{\n  \"mcpServers\": {\n    \"a\": {\"command\": \"a\"}, // one\n    \"research-mcp\": {\"command\": \"x\"}\n  }\n}\n",
			"{\n  \"mcpServers\": {\n    \"a\": {\"command\": \"a\"} // one\n  }\n}\n"},
		{"it is not there", "cursor", "{ \"mcpServers\": { } }", "{ \"mcpServers\": { } }"},
		{"no file", "cursor", "", ""},
		{"tables of ours", "codex", "a = 1\n\n[mcp_servers.research-mcp]\ncommand = 'x'\n\n[mcp_servers.research-mcp.env]\nB = '2'\n\n# c\n[c]\nd = 1\n", "a = 1\n\n# c\n[c]\nd = 1\n"},
		{"a mark before our table", "codex", "\ufeff[mcp_servers.research-mcp]\r\ncommand = 'x'\r\n[c]\r\nd = 1\r\n", "\ufeff[c]\r\nd = 1\r\n"},
		{"a mark, and it is not there", "codex", "\ufeffa = 1\n", "\ufeffa = 1\n"},
		{"the last table", "codex", "a = 1\n\n[mcp_servers.\"research-mcp\"]\ncommand = '''\n# not a comment\n'''\n", "a = 1\n"},
	} {
		got, err := client(t, c.client).unset([]byte(c.before))
		if err != nil || string(got) != c.after {
			t.Errorf("%s: unset = %v\n%q\nwant:\n%q", c.name, err, got, c.after)
		}
	}
}

// TestRefused: what cannot be edited safely is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, client, config string }{
		{"cut off", "cursor", `{"mcpServers": {`},
		{"a list", "cursor", `[]`},
		{"servers are a list", "vscode", `{"servers": []}`},
		{"our server is a word", "gemini", `{"mcpServers": {"research-mcp": "x"}}`},
		{"servers twice", "cursor", `{"mcpServers": {}, "mcpServers": {"a": {}}}`},
		{"our server twice", "cursor", `{"mcpServers": {"research-mcp": {}, "research-mcp": {"command": "x"}}}`},
		{"another server twice", "vscode", `{"servers": {"a": {"command": "x"}, "a": {"command": "y"}}}`},
		{"a key twice in a list", "gemini", `{"x": [{"y": 1, "\u0079": 2}], "mcpServers": {}}`},
		{"broken toml", "codex", "[mcp_servers\n"},
		{"an inline table", "codex", `mcp_servers = {a = {command = "a"}}`},
		{"dotted keys", "codex", "[mcp_servers]\nresearch-mcp.command = 'x'\n"},
		{"no text", "cursor", "\x00\x01"},
	} {
		if got, err := client(t, c.client).set([]byte(c.config), server); err == nil {
			t.Errorf("%s: set(%q) = %q, want an error", c.name, c.config, got)
		}
	}
	_, err := client(t, "codex").unset([]byte("mcp_servers.research-mcp.command = 'x'\n"))
	if !errors.Is(err, errShape) {
		t.Errorf("unset of dotted keys = %v, want errShape", err)
	}
}

// fuzzEdit: an edit is refused, or gives a configuration with our server and without it
// that differs in nothing else; a second edit changes nothing.
func fuzzEdit(t *testing.T, c Client, config []byte, decode func([]byte) (map[string]any, error)) {
	set := config
	for _, s := range []Server{server, {URL: "https://a.example/mcp?a=1&b=2", TokenFile: "/t"}, server} {
		var err error
		if set, err = c.set(set, s); err != nil {
			return
		}
		again, err := c.set(set, s)
		if err != nil || string(again) != string(set) {
			t.Errorf("set again: %v\n%q\n%q", err, set, again)
		}
		entry, err := c.ownEntry(set)
		if _, local := entry["command"]; err != nil || local != (s.URL == "") || (addressIn(entry) == "") != local {
			t.Errorf("the entry is %v, %v, want one way to the server", entry, err)
		}
	}
	unset, err := c.unset(set)
	if err != nil {
		t.Fatalf("unset(%q) = %v", set, err)
	}
	before, err := decode(config)
	if err != nil {
		t.Fatal(err)
	}
	after, err := decode(unset)
	if err != nil {
		t.Fatal(err)
	}
	if err := onlyOurs(before, after, c.servers); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%q became %q", config, unset)
	}
}

func FuzzEditJSON(f *testing.F) {
	for _, s := range []string{"", "{}", "{\"mcpServers\":{\"a\":{}},}", "{//x\n\"a\":[1,]}", "\ufeff{\r\n}", `{"mcpServers":{"research-mcp":{"env":{}}}}`,
		`{"mcpServers":{"research-mcp":{/*a*/"url":"u",//b
"headers":{"Authorization":"x","y":1},"type":"http" /*c*/}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) { fuzzEdit(t, client(t, "cursor"), config, decodeJSON) })
}

func FuzzEditTOML(f *testing.F) {
	for _, s := range []string{"", "a=1", "[mcp_servers.a]\nb='c'#d", "[mcp_servers.research-mcp]\ncommand='x'\n[z]", "\ufeffa=1\r\n", "x=\"\"\"\n[a]\n\"\"\"\r\n",
		"[mcp_servers.research-mcp]\nurl='x'\nhttp_headers.a='b'\n[mcp_servers.research-mcp.env] # c\nD='e'\n[[mcp_servers.research-mcp.oauth]]\nf=1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		if strings.Contains(string(config), "nan") {
			t.Skip("nan is not equal to itself")
		}
		fuzzEdit(t, client(t, "codex"), config, decodeTOML)
	})
}
