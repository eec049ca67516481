package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/server/stdio"
)

func newServe(c *console) *cobra.Command {
	var withDemo, structured bool
	cmd := &cobra.Command{
		Use: "serve", Short: "The MCP server, on stdin and stdout", Args: none,
		Long: `Speaks the Model Context Protocol on stdin and stdout; an assistant starts it.
Logs go to stderr. It ends with its input or on SIGTERM.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			app.StartServing()
			out := c.raw
			if out == os.Stdout {
				out = stdio.GuardStdout() // nothing else may reach the protocol's stream
			}
			if c.typed {
				c.note("waiting for an MCP client on standard input; an assistant starts this command itself; Ctrl-C ends it")
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
				return errors.Join(d.App.Serve(cmd.Context(), c.in, out), d.Close())
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(a.Serve(cmd.Context(), c.in, out), a.Close())
		},
	}
	cmd.Flags().BoolVar(&withDemo, "demo", false, "use the sources of the demo and a temporary memory instead of the network")
	cmd.Flags().BoolVar(&structured, "structured", false, "results are JSON beside their text, and tools have output schemas; for programs (setting server.structured)")
	return cmd
}
