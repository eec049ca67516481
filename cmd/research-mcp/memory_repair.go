package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
)

func newMemoryRepair(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "repair", Short: "Make a new memory of everything that can be read of a damaged one, and keep the old file", Args: none,
		Long: `Copies every document, vector, session and answer that can be read into a new file
and puts it in the place of the damaged one, which is kept in the folder backups beside
the memory. What could not be read is named. Stop servers and assistants first.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			r, err := diagnosis.RepairMemory(cmd.Context(), cfg, c.logger(cfg.LogLevel))
			if err != nil {
				return err
			}
			if c.json {
				return c.print(r)
			}
			c.warn(r.Moved.Warnings)
			_, err = fmt.Fprintf(c.out, "%sThe damaged file is now %s; delete it when you need nothing more of it\n", movedText("Saved", r.Moved), r.Kept)
			return err
		},
	}
}
