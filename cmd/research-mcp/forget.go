package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

func newForget(c *console) *cobra.Command {
	var in app.ForgetIn
	cmd := &cobra.Command{
		Use: "forget [ID…]", Short: "Remove documents from the memory for good",
		Long: `Removes the documents with these ids, and all that the flags select: a document goes
when any of them selects it. No index, summary or later export holds what went;
` + "`research-mcp memory check --gone ID`" + ` proves it. The copies in the folder ` + "`backups`" + `
beside the memory forget the same; one of an older layout that holds it is removed.
Backups and exports elsewhere are yours to delete.`,
		Example: `research-mcp forget d_2k3v…
  research-mcp forget --source hackernews --yes
  research-mcp forget --before 2026-01-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.IDs = args
			for _, name := range []string{"source", "url", "session", "before"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return evidence.BadInput("--"+name+" is empty", "give it a value, or leave it out")
				}
			}
			if len(args) == 0 && in.Source == "" && in.URL == "" && in.Session == "" && in.Before == "" {
				return evidence.BadInput("nothing is selected to be forgotten", "name ids as `research-mcp recall --json` shows them, or use --url, --source, --session or --before")
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			got, err := a.ForgetTool(cmd.Context(), in)
			if err == nil {
				err = c.printForgotten(got)
			}
			return errors.Join(err, a.Close())
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.Source, "source", "", "all from this source")
	f.StringVar(&in.URL, "url", "", "what was read at this address")
	f.StringVar(&in.Session, "session", "", "this session, and what only it read")
	f.StringVar(&in.Before, "before", "", "all last read before this day, as 2026-01-31")
	f.BoolVar(&in.Confirm, "yes", false, "also when it is more than 100 documents")
	return cmd
}

func (c *console) printForgotten(got app.ForgetOut) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	for _, id := range got.IDs {
		if _, err := fmt.Fprintln(c.out, id); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.out, "Forgot %d documents (%d chunks); %d are left\n", got.Documents, got.Chunks, got.Remaining)
	return err
}
