package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
)

func newForget(c *console) *cobra.Command {
	var req library.ForgetRequest
	var before string
	cmd := &cobra.Command{
		Use: "forget [ID…]", Short: "Remove documents from the memory for good",
		Long: `Removes the documents with these ids and those that any of the flags selects. What
was removed is in no index, summary or later export;
` + "`research-mcp memory check --gone ID`" + ` proves it. It is also removed from
the backups in the folder ` + "`backups`" + ` beside the memory; a backup with an older
layout that contains it is deleted. Delete backups and exports elsewhere yourself.`,
		Example: `research-mcp forget d_2k3v…
  research-mcp forget --source hackernews --yes
  research-mcp forget --before 2026-01-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req.IDs = args
			for _, name := range []string{"source", "url", "session", "before"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return evidence.BadInput("--"+name+" is empty", "give it a value, or leave it out")
				}
			}
			var err error
			if req.Before, err = library.ParseTime("--before", before, false, c.zone); err != nil {
				return err
			}
			if req.Empty() {
				return evidence.BadInput("nothing is selected to be forgotten", "give ids (`research-mcp recall --json QUERY` shows them), --source, --url, --session or --before")
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				got, err := a.Library().Forget(cmd.Context(), req)
				if err != nil {
					return err
				}
				return c.printForgotten(got)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.Source, "source", "", "documents of this source")
	f.StringVar(&req.URL, "url", "", "documents of this address")
	f.StringVar(&req.Session, "session", "", "this session, and the documents that only it read")
	f.StringVar(&before, "before", "", "what was last read before this day of the local time zone, such as 2026-01-31, or moment (RFC 3339)")
	f.BoolVar(&req.Confirm, "yes", false, "remove even more than 100 documents")
	return cmd
}

func (c *console) printForgotten(got library.ForgetResult) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	for _, id := range got.IDs {
		if _, err := fmt.Fprintln(c.out, id); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.out, "Forgot %s (%s); %s left\n", text.Count(got.Documents, "document"), text.Count(got.Chunks, "chunk"), text.Count(got.Remaining, "document"))
	return err
}
