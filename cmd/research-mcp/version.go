package main

import (
	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
)

func newVersion(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "The version, and what it was built with", Args: none,
		RunE: func(*cobra.Command, []string) error {
			v := app.Version()
			if c.json {
				return c.print(v)
			}
			return c.say("research-mcp %s (%s, %s)", v.Version, v.Go, v.Platform)
		},
	}
}
