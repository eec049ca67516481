package clients

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// TestFiles: where each client keeps its configuration on the three platforms.
func TestFiles(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]string{
		"linux": {
			"claude-code": "/h/.claude.json", "claude-desktop": "/h/.config/Claude/claude_desktop_config.json", "codex": "/h/.codex/config.toml",
			"cursor": "/h/.cursor/mcp.json", "gemini": "/h/.gemini/settings.json", "lmstudio": "/h/.lmstudio/mcp.json",
			"opencode": "/h/.config/opencode/opencode.json", "vscode": "/h/.config/Code/User/mcp.json",
		},
		"darwin": {
			"claude-code": "/h/.claude.json", "claude-desktop": "/h/Library/Application Support/Claude/claude_desktop_config.json", "codex": "/h/.codex/config.toml",
			"cursor": "/h/.cursor/mcp.json", "gemini": "/h/.gemini/settings.json", "lmstudio": "/h/.lmstudio/mcp.json",
			"opencode": "/h/.config/opencode/opencode.json", "vscode": "/h/Library/Application Support/Code/User/mcp.json",
		},
		"windows": {
			"claude-code": `C:\h\.claude.json`, "claude-desktop": `C:\h\AppData\Roaming\Claude\claude_desktop_config.json`, "codex": `C:\h\.codex\config.toml`,
			"cursor": `C:\h\.cursor\mcp.json`, "gemini": `C:\h\.gemini\settings.json`, "lmstudio": `C:\h\.lmstudio\mcp.json`,
			"opencode": `C:\h\.config\opencode\opencode.json`, "vscode": `C:\h\AppData\Roaming\Code\User\mcp.json`,
		},
	}
	for system, files := range want {
		s := System{OS: system, Home: "/h", Getenv: func(string) string { return "" }, Exists: func(string) bool { return false }}
		if system == "windows" {
			s.Home = `C:\h`
		}
		got := map[string]string{}
		for _, c := range All() {
			got[c.Name] = c.File(s)
		}
		if diff := cmp.Diff(files, got); diff != "" {
			t.Errorf("%s: %s", system, diff)
		}
	}
}

// TestFilesMoved: variables of the clients, and a second file, move the configuration.
func TestFilesMoved(t *testing.T) {
	t.Parallel()
	env := map[string]string{"CODEX_HOME": "/c", "CLAUDE_CONFIG_DIR": "/d", "XDG_CONFIG_HOME": "/x", "APPDATA": `D:\data`}
	s := System{OS: "linux", Home: "/h", Getenv: func(name string) string { return env[name] },
		Exists: func(file string) bool { return strings.HasSuffix(file, "opencode.jsonc") }}
	for name, want := range map[string]string{"codex": "/c/config.toml", "claude-code": "/d/.claude.json", "vscode": "/x/Code/User/mcp.json",
		"opencode": "/x/opencode/opencode.jsonc"} {
		if got := client(t, name).File(s); got != want {
			t.Errorf("%s is at %s, want %s", name, got, want)
		}
	}
	s.OS = "windows"
	if got := client(t, "vscode").File(s); got != `D:\data\Code\User\mcp.json` {
		t.Errorf("vscode is at %s", got)
	}
}

func home(t *testing.T) System {
	t.Helper()
	return System{OS: "linux", Home: t.TempDir(), Getenv: func(string) string { return "" }}
}

var moment = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// TestInstallAndUninstall: for every client in a home of its own, with a backup of what was
// there, and back to the same servers.
func TestInstallAndUninstall(t *testing.T) {
	t.Parallel()
	for _, c := range All() {
		s := home(t)
		file := c.File(s)
		dry, err := Install(c, s, server, true, moment)
		if err != nil || !dry.Changed || !strings.Contains(dry.After, "research-mcp") {
			t.Errorf("%s: a dry run = %+v, %v", c.Name, dry, err)
		}
		if _, err := os.Stat(filepath.Dir(file)); c.Name != "claude-code" && err == nil {
			t.Errorf("%s: a dry run made %s", c.Name, filepath.Dir(file))
		}
		change, err := Install(c, s, server, false, moment)
		if err != nil || !change.Changed || change.Backup != "" || change.File != file {
			t.Errorf("%s: Install = %+v, %v", c.Name, change, err)
		}
		got, found, exists, err := Configured(c, s)
		if err != nil || !found || !exists || got.Command != server.Command || !cmp.Equal(got.Args, server.Args) {
			t.Errorf("%s: Configured = %+v, %v, %v, %v", c.Name, got, found, exists, err)
		}
		if change, err = Install(c, s, server, false, moment); err != nil || change.Changed || change.Backup != "" {
			t.Errorf("%s: Install again = %+v, %v", c.Name, change, err)
		}
		for _, want := range []string{".backup-20260506-070809", ""} { // the second one changes nothing
			if change, err = Uninstall(c, s, false, moment); err != nil || strings.TrimPrefix(change.Backup, file) != want {
				t.Errorf("%s: Uninstall = %+v, %v, want the backup %q", c.Name, change, err, want)
			}
		}
		if _, found, _, err := Configured(c, s); err != nil || found {
			t.Errorf("%s: after Uninstall it is there: %v, %v", c.Name, found, err)
		}
	}
}

// TestInstallKeepsTheFile: its permissions, a link to it, and each backup.
func TestInstallKeepsTheFile(t *testing.T) {
	t.Parallel()
	s, c := home(t), client(t, "cursor")
	real := filepath.Join(s.Home, "dotfiles.json")
	if err := os.WriteFile(real, []byte(`{"mcpServers": {"a": {"command": "a"}}}`), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(c.File(s)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, c.File(s)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "-2"} {
		change, err := Install(c, s, Server{Command: "/opt/" + strings.Repeat("x", i+1)}, false, moment)
		if err != nil || change.Backup != c.File(s)+".backup-20260506-070809"+want {
			t.Fatalf("Install = %+v, %v", change, err)
		}
	}
	info, err := os.Lstat(c.File(s))
	if err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has the mode %v, %v, want 0640", info.Mode(), err)
	}
	if raw, err := os.ReadFile(c.File(s) + ".backup-20260506-070809"); err != nil || string(raw) != `{"mcpServers": {"a": {"command": "a"}}}` {
		t.Errorf("the backup is %q, %v", raw, err)
	}
}

// TestBrokenConfiguration: it is told, and neither changed nor copied.
func TestBrokenConfiguration(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]string{"vscode": "not JSON: line 1, column 5", "codex": "not TOML: line 1, column 1"} {
		s, c := home(t), client(t, name)
		if err := os.MkdirAll(filepath.Dir(c.File(s)), 0o700); err != nil {
			t.Fatal(err)
		}
		const broken = "{ [ this is neither"
		if err := os.WriteFile(c.File(s), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Install(c, s, server, false, moment)
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, c.File(s)) || !strings.Contains(p.What, place) || !strings.Contains(p.Try, "install print") {
			t.Errorf("%s: Install = %v, want a problem with the file and the next step", name, err)
		}
		if _, _, _, err := Configured(c, s); !errors.As(err, &p) {
			t.Errorf("%s: Configured = %v, want a problem", name, err)
		}
		files, err := os.ReadDir(filepath.Dir(c.File(s)))
		if err != nil || len(files) != 1 {
			t.Errorf("%s: the folder has %v, %v, want the file alone", name, files, err)
		}
		if raw, err := os.ReadFile(c.File(s)); err != nil || string(raw) != broken {
			t.Errorf("%s: the file is %q, %v", name, raw, err)
		}
	}
}

// A configuration that another program changes while it is edited stays as that left it.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	const theirs = `{"mcpServers": {"theirs": {"command": "t"}}}`
	for _, before := range []string{"", `{"mcpServers": {}}`} {
		s, c := home(t), client(t, "cursor")
		if err := os.MkdirAll(filepath.Dir(c.File(s)), 0o700); err != nil {
			t.Fatal(err)
		}
		if before != "" {
			if err := os.WriteFile(c.File(s), []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := edit(c, s, false, moment, func(config []byte) ([]byte, error) {
			if err := os.WriteFile(c.File(s), []byte(theirs), 0o600); err != nil {
				t.Fatal(err)
			}
			return c.set(config, server)
		})
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, "meanwhile") || !strings.Contains(p.Try, "again") {
			t.Errorf("edit = %v, want a problem", err)
		}
		files, err := os.ReadDir(filepath.Dir(c.File(s)))
		if raw, failed := os.ReadFile(c.File(s)); err != nil || failed != nil || len(files) != 1 || string(raw) != theirs {
			t.Errorf("the folder has %v, %v, and the file is %q, %v", files, err, raw, failed)
		}
	}
}

func TestDanglingLink(t *testing.T) {
	t.Parallel()
	s, c := home(t), client(t, "cursor")
	if err := os.MkdirAll(filepath.Dir(c.File(s)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nonexistent/dotfiles.json", c.File(s)); err != nil {
		t.Fatal(err)
	}
	_, err := Install(c, s, server, false, moment)
	var p *evidence.Problem
	if !errors.As(err, &p) || !strings.Contains(p.What, "link to /nonexistent/dotfiles.json, which does not exist") {
		t.Errorf("Install = %v, want a problem that names the target", err)
	}
	if target, err := os.Readlink(c.File(s)); err != nil || target != "/nonexistent/dotfiles.json" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

// An entry of ours that names an address gets a command in its place, and what belongs to
// the address goes: some clients would let it count, and Codex refuses the mixture.
func TestEntryWithAnAddress(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"cursor": `{"mcpServers": {"research-mcp": {"url": "https://example.org/mcp", "headers": {"Authorization": "Bearer x"}, "timeout": 9}}}`,
		"gemini": `{"mcpServers": {"research-mcp": {"httpUrl": "https://example.org/mcp", "command": "x", "type": "http", "timeout": 9}}}`,
		"codex":  "[mcp_servers.research-mcp]\nurl = \"https://example.org/mcp\"\ntimeout = 9\n[mcp_servers.research-mcp.http_headers]\nA = 'x'\n",
	} {
		s, c := home(t), client(t, name)
		if err := os.MkdirAll(filepath.Dir(c.File(s)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.File(s), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		change, err := Install(c, s, server, false, moment)
		if err != nil || change.HadURL != "https://example.org/mcp" {
			t.Errorf("%s: Install = %+v, %v, want the address that was there", name, change, err)
		}
		if raw, err := os.ReadFile(change.Backup); err != nil || string(raw) != config {
			t.Errorf("%s: the backup is %q, %v", name, raw, err)
		}
		raw, err := os.ReadFile(c.File(s))
		if err != nil || !strings.Contains(string(raw), "timeout") {
			t.Errorf("%s: the file is %q, %v, want the user's timeout in it", name, raw, err)
		}
		for _, gone := range []string{"example.org", "eaders", "http"} {
			if strings.Contains(string(raw), gone) {
				t.Errorf("%s: %q is still in it: %s", name, gone, raw)
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	if c, err := Find("VSCode"); err != nil || c.Name != "vscode" {
		t.Errorf("Find(VSCode) = %v, %v", c.Name, err)
	}
	_, err := Find("curser")
	var p *evidence.Problem
	if !errors.As(err, &p) || !strings.Contains(p.Try, `did you mean "cursor"?`) {
		t.Errorf("Find(curser) = %v", err)
	}
}

// TestHandshake: with a server that answers, one that writes something else, one that
// ends, and one that is not there.
func TestHandshake(t *testing.T) {
	t.Parallel()
	shell := func(script string) Server { return Server{Command: "/bin/sh", Args: []string{"-c", script}} }
	for _, c := range []struct {
		name   string
		server Server
		want   string
		errs   string
	}{
		{"an answer", shell(`read line; echo '{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"toy","version":"'$TOY'"}}}'`), "toy 3", ""},
		{"an error", shell(`read line; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the server at\\n https://a cannot be reached"}}'`), "", "the server at https://a cannot be reached"},
		{"noise", shell(`read line; echo hello`), "", "not an answer to initialize"},
		{"an end", shell(`echo no such setting >&2; exit 2`), "", "ended without an answer: no such setting"},
		{"no command", Server{Command: "/no/such/program"}, "", "no such file"},
	} {
		c.server.Env = map[string]string{"TOY": "3"}
		got, err := Handshake(t.Context(), c.server)
		if got != c.want || (err != nil) != (c.errs != "") || err != nil && !strings.Contains(err.Error(), c.errs) {
			t.Errorf("%s: Handshake = %q, %v, want %q, %q", c.name, got, err, c.want, c.errs)
		}
	}
}
