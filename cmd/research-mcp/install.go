package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// printOnly stands for a client in `install print`: the configuration is printed.
const printOnly = "print"

func newInstall(c *console) *cobra.Command {
	var dryRun bool
	var remote remoteFlags
	cmd := &cobra.Command{
		Use: "install CLIENT", Short: "Add the MCP server to the configuration of an AI client", Args: oneClient,
		Long: `Adds the server to the user's configuration of a client, or corrects the command
there. The previous file is kept beside it. Other servers, settings and comments stay as
they are; a file that is broken is not changed. print shows what to write into other
clients.

` + "`research-mcp doctor`" + ` then tries what stands in each configuration.
--data-dir, --config and --set of this call become part of the command.

With --url the client uses a server over HTTP: by itself if it speaks HTTP and no token is
needed, otherwise by the command connect, which reads the token from its file. With
--native it goes by itself also with a token, which it takes from the variable
` + clients.TokenVariable + `, and opencode from the file. No configuration ever holds the token.

Clients: ` + strings.Join(clients.Names(), ", ") + ", " + printOnly,
		Example: `research-mcp install claude-code
research-mcp install vscode --dry-run
research-mcp install codex --url https://research.example.org/mcp --token-file ~/.research-token
research-mcp install print`,
		RunE: func(cmd *cobra.Command, args []string) error {
			remote.nativeGiven = cmd.Flags().Changed("native")
			server, err := c.ownServer()
			if err != nil {
				return err
			}
			at, err := remote.server(c, server)
			if err != nil {
				return err
			}
			if args[0] == printOnly {
				return c.printServer(server, at)
			}
			return c.install(args[0], server, at, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing: show what would be written")
	remote.add(cmd)
	cmd.ValidArgsFunction = cobra.FixedCompletions(append(clients.Names(), printOnly), noFiles)
	return cmd
}

// install adds the server, or the one at an address, to the configuration of a client.
func (c *console) install(name string, server clients.Server, at *remoteServer, dryRun bool) error {
	client, err := clients.Find(name)
	if err != nil {
		return err
	}
	words := changeWords{did: "added to", is: "is already in", next: client.Next + ". " + c.hint("`research-mcp doctor` tries it.")}
	if at != nil {
		if server, err = at.of(client); err != nil {
			return err
		}
		words.notes = at.notes(client, server)
	}
	change, err := clients.Install(client, c.system(), server, dryRun, time.Now())
	if err != nil {
		return err
	}
	if change.Had {
		words.did = "changed in"
	}
	if change.HadURL != "" && change.HadURL != server.URL {
		words.notes = append(words.notes, "before, it led to "+shownAddress(change.HadURL))
	}
	return c.printChange(client, change, words, server)
}

func newUninstall(c *console) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "uninstall CLIENT", Short: "Take the MCP server out of the configuration of an AI client", Args: oneClient,
		Long: `Takes the server out of the user's configuration of a client. The previous file is
kept beside it; the memory stays.`,
		Example: "research-mcp uninstall claude-code",
		RunE: func(_ *cobra.Command, args []string) error {
			client, err := clients.Find(args[0])
			if err != nil {
				return err
			}
			change, err := clients.Uninstall(client, c.system(), dryRun, time.Now())
			if err != nil {
				return err
			}
			words := changeWords{did: "taken out of", is: "is not in", next: "restart " + client.Title + "; until then it keeps the server that is running."}
			return c.printChange(client, change, words, clients.Server{})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing: show what would be written")
	cmd.ValidArgsFunction = cobra.FixedCompletions(clients.Names(), noFiles)
	return cmd
}

// oneClient requires the name of a client.
func oneClient(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return evidence.BadInput(fmt.Sprintf("%s takes one client; there %s", cmd.Name(), arguments(len(args))),
		"choose from: "+strings.Join(clients.Names(), ", ")+", "+printOnly)
}

// system is the machine of this process.
func (c *console) system() clients.System {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return clients.System{OS: runtime.GOOS, Home: home, Getenv: c.getenv}
}

// getenv reads the environment of this invocation.
func (c *console) getenv(name string) string {
	for _, kv := range c.environ {
		if have, value, _ := strings.Cut(kv, "="); have == name {
			return value
		}
	}
	return ""
}

// ownServer is how a client starts this program as it was started here: by its full path,
// because clients do not search the PATH of a shell.
func (c *console) ownServer() (clients.Server, error) {
	out := clients.Server{Command: app.Executable(), Args: []string{"serve"}}
	if onPath, err := exec.LookPath(programName); err == nil && sameFile(onPath, out.Command) {
		if full, err := filepath.Abs(onPath); err == nil {
			out.Command = full // a name that an update keeps
		}
	} else if strings.Contains(filepath.ToSlash(out.Command), "/go-build") {
		return out, evidence.BadInput("`go run` has built this program into a temporary folder, which a client cannot start later",
			"build it first: go build -o research-mcp ./cmd/research-mcp; then ./research-mcp install CLIENT")
	}
	for _, f := range []struct{ flag, file string }{{"--config", c.configFile}, {"--data-dir", c.dataDir}} {
		if f.file == "" {
			continue
		}
		full, err := filepath.Abs(f.file)
		if err != nil {
			return out, err
		}
		out.Args = append(out.Args, f.flag+"="+full)
	}
	for _, set := range c.set {
		out.Args = append(out.Args, "--set="+set)
	}
	return out, nil
}

// shownAddress is an address without what may be secret in it.
func shownAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "another address"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// changeWords say what a command does to a configuration.
type changeWords struct {
	did  string // such as "added to"
	is   string // if there was nothing to do
	next string // what the user does next

	notes []string // what else there is to know
}

// printChange says what was done to a configuration.
func (c *console) printChange(client clients.Client, change clients.Change, words changeWords, server clients.Server) error {
	if c.json {
		return c.print(struct {
			clients.Change
			Server *clients.Server `json:"server,omitempty"`
		}{change, serverOrNone(server)})
	}
	switch {
	case !change.Changed:
		return c.say("Nothing to do: %s %s the configuration of %s, %s.", clients.ServerName, words.is, client.Title, change.File)
	case change.DryRun:
		c.note(fmt.Sprintf("Nothing was written. %s would be %s %s, which would then be:", clients.ServerName, words.did, change.File))
		if _, err := fmt.Fprintln(c.out, strings.TrimRight(change.After, "\n")); err != nil {
			return err
		}
		c.noteAll(words.notes)
		return nil
	}
	if err := c.say("%s was %s the configuration of %s: %s", clients.ServerName, words.did, client.Title, change.File); err != nil {
		return err
	}
	if change.Backup != "" {
		c.note("The previous file is kept as " + change.Backup)
	}
	c.noteAll(words.notes)
	c.note("Next: " + words.next)
	return nil
}

func (c *console) noteAll(notes []string) {
	for _, n := range notes {
		c.note(n)
	}
}

func serverOrNone(s clients.Server) *clients.Server {
	if s.Command == "" && s.URL == "" {
		return nil
	}
	return &s
}

// form is a form of configurations: that of a client.
type form struct{ title, client string }

// localForms have all clients; direct ones are for clients that speak HTTP.
var (
	localForms = []form{
		{"Most clients (Claude Desktop, Cursor, LM Studio, Gemini CLI, …):", "cursor"},
		{"VS Code, mcp.json:", "vscode"},
		{"opencode, opencode.json:", "opencode"},
		{"Codex, config.toml:", "codex"},
	}
	remoteForms = []form{
		{"Claude Code, .claude.json:", "claude-code"},
		{"Claude Desktop, and others that speak no HTTP:", "claude-desktop"},
		{"Cursor, mcp.json:", "cursor"},
		{"Gemini CLI, settings.json:", "gemini"},
		{"LM Studio, mcp.json:", "lmstudio"},
		{"VS Code, mcp.json:", "vscode"},
		{"opencode, opencode.json:", "opencode"},
		{"Codex, config.toml:", "codex"},
	}
)

// printServer prints the server, or the one at an address, in each form that clients want.
func (c *console) printServer(server clients.Server, at *remoteServer) error {
	forms := localForms
	if at != nil {
		forms, server = remoteForms, at.bridge
	}
	if c.json {
		out := map[string]any{"name": clients.ServerName, "command": server.Command, "args": server.Args}
		if at != nil {
			out["url"] = at.direct.URL
		}
		return c.print(out)
	}
	gap := ""
	for _, f := range forms {
		client, err := clients.Find(f.client)
		if err != nil {
			return err
		}
		if at != nil {
			if server, err = at.of(client); err != nil {
				server = at.bridge // it cannot do what --native asks for
			}
		}
		snippet, err := client.Snippet(server)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.out, "%s%s\n\n%s", gap, c.screen.Wrap(f.title, "", ""), snippet); err != nil {
			return err
		}
		gap = "\n"
	}
	return nil
}
