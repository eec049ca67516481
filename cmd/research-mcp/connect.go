package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/bridge"
	"github.com/research-mcp/research-mcp/server/stdio"
)

func newConnect(c *console) *cobra.Command {
	var tokenFile, caFile string
	cmd := &cobra.Command{
		Use: "connect URL", Short: "Connect a client that speaks MCP on stdin and stdout with a server over HTTP", Args: exactly(1, "the URL of a server"),
		Long: `Passes messages between stdin and stdout and an MCP server over HTTP, unchanged. A
client starts it in place of serve. While the server restarts, it is tried again; a call
that was cut off gets an error, and the same question picks its answer up.

The token file is read for each request, so a new token needs no restart.`,
		Example: `research-mcp connect https://research.example.org/mcp --token-file ~/.config/research-mcp/token
research-mcp connect http://127.0.0.1:8931/mcp`,
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := bridge.ParseURL(args[0])
			if err != nil {
				return err
			}
			o := bridge.Options{URL: u, Note: func(text string) { c.note("research-mcp: " + text) }}
			if o.Client, err = bridge.NewClient(caFile); err != nil {
				return err
			}
			if tokenFile != "" {
				o.Token = bridge.TokenFile(tokenFile)
				if _, err := o.Token(); err != nil {
					return err
				}
				if inClear(u) {
					o.Note(clearToken(u))
				}
			}
			out := c.raw
			if out == os.Stdout {
				out = stdio.GuardStdout() // nothing else may reach the protocol's stream
			}
			if c.typed {
				c.note("waiting for an MCP client on standard input; an assistant starts this command itself; Ctrl-C ends it")
			}
			return bridge.Run(cmd.Context(), c.in, out, o)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file that holds the bearer token")
	cmd.Flags().StringVar(&caFile, "ca-file", "", "certificates to trust beside the system's, in PEM format")
	cmd.ValidArgsFunction = cobra.FixedCompletions(nil, noFiles)
	return cmd
}

// inClear reports whether others can read what is sent to a URL.
func inClear(u *url.URL) bool { return u.Scheme == "http" && !onLoopback(u) }

func clearToken(u *url.URL) string {
	return fmt.Sprintf("the token is sent to %s in clear; use https:// if others can listen on the way", u.Host)
}

// onLoopback reports whether a URL is that of a server on this machine.
func onLoopback(u *url.URL) bool {
	name := strings.ToLower(u.Hostname())
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
}
