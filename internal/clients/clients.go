// Package clients knows where MCP clients keep their configuration, and adds the server
// research-mcp to it, takes it out, and tries the command that stands there.
package clients

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ServerName is the name of our server in every configuration.
const ServerName = "research-mcp"

// Server is how a client starts an MCP server, or reaches one over HTTP.
type Server struct {
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // beside the client's own environment

	URL       string `json:"url,omitempty"`        // of a server over HTTP, in place of a command
	TokenFile string `json:"token_file,omitempty"` // where its token is; empty: it wants none

	// These are only read. Headers are those that the client would send, with their secrets;
	// Unknown are the variables in them without a value here, and Absent the files that
	// cannot be read.
	Headers map[string]string `json:"-"`
	Unknown []string          `json:"-"`
	Absent  []string          `json:"-"`
}

// System is the machine on which the clients are. Paths have the separators of OS.
type System struct {
	OS     string                   // as runtime.GOOS has it: darwin, windows; all others are like linux
	Home   string                   // the user's folder
	Getenv func(name string) string // CODEX_HOME, APPDATA, XDG_CONFIG_HOME, …
	Exists func(file string) bool   // nil: on this machine's disk
}

// join joins path elements with the separator of the system.
func (s System) join(elements ...string) string {
	joined := path.Join(elements...)
	if s.OS == "windows" {
		joined = strings.ReplaceAll(strings.Join(elements, `\`), "/", `\`)
	}
	return joined
}

// config is the folder for settings of applications.
func (s System) config() string {
	switch s.OS {
	case "darwin":
		return s.join(s.Home, "Library", "Application Support")
	case "windows":
		return s.env("APPDATA", s.join(s.Home, "AppData", "Roaming"))
	}
	return s.xdg()
}

// xdg is the folder that programs use which follow XDG on every system.
func (s System) xdg() string { return s.env("XDG_CONFIG_HOME", s.join(s.Home, ".config")) }

func (s System) env(name, otherwise string) string {
	if v := s.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (s System) exists(file string) bool {
	if s.Exists != nil {
		return s.Exists(file)
	}
	_, err := os.Stat(file)
	return err == nil
}

// format is a format of configuration files, and how a server stands in it.
type format int

const (
	jsonFile   format = iota // JSON, with comments and trailing commas if it has them: {"command": …, "args": […]}
	typedJSON                // the same with "type": "stdio"
	opencodeJS               // {"type": "local", "command": [command and arguments], "enabled": true}
	tomlFile                 // a table with command and args
)

// Client is an MCP client.
type Client struct {
	Name    string // as `install` takes it
	Title   string
	format  format
	servers string // the key of all servers in its configuration
	remote  remote // how it reaches a server over HTTP
	files   func(System) []string
	// Next is what makes the client notice the change.
	Next string
}

// All returns the clients, sorted by name.
func All() []Client {
	return []Client{
		{"claude-code", "Claude Code", typedJSON, "mcpServers", remote{kind: "http", address: "url", bearer: "Bearer ${%s}", variable: dollarBraces}, func(s System) []string {
			return []string{s.join(s.env("CLAUDE_CONFIG_DIR", s.Home), ".claude.json")}
		}, "restart Claude Code; /mcp shows the server. If a one-shot `claude -p` begins without it, set MCP_CONNECTION_NONBLOCKING=0"},
		{"claude-desktop", "Claude Desktop", jsonFile, "mcpServers", remote{}, func(s System) []string {
			return []string{s.join(s.config(), "Claude", "claude_desktop_config.json")}
		}, "quit Claude Desktop completely and start it again"},
		{"codex", "Codex", tomlFile, "mcp_servers", remote{address: "url"}, func(s System) []string {
			return []string{s.join(s.env("CODEX_HOME", s.join(s.Home, ".codex")), "config.toml")}
		}, "restart Codex; /mcp shows the server"},
		{"cursor", "Cursor", jsonFile, "mcpServers", remote{address: "url", bearer: "Bearer ${env:%s}", variable: dollarEnv}, func(s System) []string {
			return []string{s.join(s.Home, ".cursor", "mcp.json")}
		}, "turn the server on in Cursor's settings under MCP, if it is off"},
		{"gemini", "Gemini CLI", jsonFile, "mcpServers", remote{address: "httpUrl", bearer: "Bearer ${%s}", variable: dollar}, func(s System) []string {
			return []string{s.join(s.Home, ".gemini", "settings.json")}
		}, "restart Gemini CLI; /mcp shows the server"},
		{"lmstudio", "LM Studio", jsonFile, "mcpServers", remote{address: "url"}, func(s System) []string {
			return []string{s.join(s.Home, ".lmstudio", "mcp.json"), s.join(s.Home, ".cache", "lm-studio", "mcp.json")}
		}, "turn the server on in LM Studio's Program tab"},
		{"opencode", "opencode", opencodeJS, "mcp", remote{kind: "remote", address: "url", bearer: "Bearer {file:%s}", variable: bracesEnv, file: bracesFile}, func(s System) []string {
			return []string{s.join(s.xdg(), "opencode", "opencode.json"), s.join(s.xdg(), "opencode", "opencode.jsonc")}
		}, "restart opencode"},
		{"vscode", "VS Code", typedJSON, "servers", remote{kind: "http", address: "url", variable: dollarInput}, func(s System) []string {
			return []string{s.join(s.config(), "Code", "User", "mcp.json")}
		}, "start the server from the command MCP: List Servers, if VS Code asks"},
	}
}

// Names returns the names of all clients, sorted.
func Names() []string {
	var out []string
	for _, c := range All() {
		out = append(out, c.Name)
	}
	return out
}

// Find returns the client with a name. An unknown name is an *evidence.Problem.
func Find(name string) (Client, error) {
	for _, c := range All() {
		if c.Name == strings.ToLower(name) {
			return c, nil
		}
	}
	try := "choose from: " + strings.Join(Names(), ", ") + ", print"
	if near := text.Nearest(strings.ToLower(name), Names()); near != "" {
		try = fmt.Sprintf("did you mean %q? %s", near, try)
	}
	return Client{}, evidence.BadInput(fmt.Sprintf("there is no client %q", name), try)
}

// File is the client's configuration: the first of its files that exists, else the
// first one.
func (c Client) File(s System) string {
	files := c.files(s)
	for _, f := range files {
		if s.exists(f) {
			return f
		}
	}
	return files[0]
}

// entry is a server in the form that the client wants, beside what have has already.
func (c Client) entry(s Server, have map[string]any) []member {
	if s.URL != "" {
		return c.remoteEntry(s, have)
	}
	args := s.Args
	if args == nil {
		args = []string{}
	}
	switch c.format {
	case typedJSON:
		return []member{{"type", "stdio"}, {"command", s.Command}, {"args", args}}
	case opencodeJS:
		return []member{{"type", "local"}, {"command", append([]string{s.Command}, args...)}, {"enabled", true}}
	}
	return []member{{"command", s.Command}, {"args", args}}
}

// member is a key with its value.
type member struct {
	key   string
	value any
}

// set returns a configuration with the server in it, unset one without it. Neither
// changes anything else. What cannot be read is an *evidence.Problem.
func (c Client) set(config []byte, s Server) ([]byte, error) {
	have, err := c.ownEntry(config)
	if err != nil {
		return nil, err
	}
	entry := c.entry(s, have)
	if c.format == tomlFile {
		return setTOML(config, c.servers, entry, unfit(entry, have))
	}
	return setJSON(config, c.servers, entry, unfit(entry, have))
}

func (c Client) unset(config []byte) ([]byte, error) {
	if c.format == tomlFile {
		return unsetTOML(config, c.servers)
	}
	return unsetJSON(config, c.servers)
}

// Snippet is the part of a configuration that has the server.
func (c Client) Snippet(s Server) (string, error) {
	out, err := c.set(nil, s)
	return string(out), err
}
