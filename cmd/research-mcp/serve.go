package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/server/stdio"
)

func newServe(c *console) *cobra.Command {
	var withDemo, structured bool
	var address string
	cmd := &cobra.Command{
		Use: "serve", Short: "The MCP server, on stdin and stdout or over HTTP", Args: none,
		Long: `Speaks the Model Context Protocol on stdin and stdout; an assistant starts it.
Logs go to stderr. It ends with its input or on SIGTERM.

With --http it is a server for several clients, at http://ADDRESS/mcp; /healthz,
/readyz and /metrics say how it is. On SIGTERM or Ctrl-C calls under way have some
seconds to finish.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			app.StartServing()
			if address != "" {
				c.set = append(c.set, "server.http.address="+address)
			}
			const setting = "server.structured"
			if structured {
				c.set = append(c.set, setting+"=true")
			}
			if withDemo {
				o, err := c.demoOptions()
				if err != nil {
					return err
				}
				o.WorldLog = c.logger("info")
				d, err := demo.Start(cmd.Context(), o)
				if err != nil {
					return err
				}
				return errors.Join(c.serve(cmd.Context(), d.App), d.Close())
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(c.serve(cmd.Context(), a), a.Close())
		},
	}
	cmd.Flags().StringVar(&address, "http", "", "serve over HTTP at this address, such as 127.0.0.1:8931 (setting server.http.address)")
	cmd.Flags().BoolVar(&withDemo, "demo", false, "use the sources of the demo and a temporary memory instead of the network")
	cmd.Flags().BoolVar(&structured, "structured", false, "results are JSON beside their text, and tools have output schemas; for programs (setting server.structured)")
	return cmd
}

// serve serves MCP as the settings say.
func (c *console) serve(ctx context.Context, a *app.App) error {
	if a.Config().Server.HTTP.Address != "" {
		l, err := a.ListenHTTP(ctx)
		if err != nil {
			return err
		}
		scheme := "http"
		if a.Config().Server.HTTP.TLSCert != "" {
			scheme = "https"
		}
		c.note(fmt.Sprintf("serving MCP at %s://%s%s; Ctrl-C ends it", scheme, l.Addr(), http.Path))
		return a.ServeHTTP(ctx, l)
	}
	out := c.raw
	if out == os.Stdout {
		out = stdio.GuardStdout() // nothing else may reach the protocol's stream
	}
	if c.typed {
		c.note("waiting for an MCP client on standard input; an assistant starts this command itself; Ctrl-C ends it")
	}
	return a.Serve(ctx, c.in, out)
}
