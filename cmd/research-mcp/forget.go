package main

import (
	"fmt"
	"time"

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
		Long: `Removes the documents that all of the given ids and flags select: they are joined
by AND, and several ids are alternatives. For a union, forget several times. --dry-run
says how many of what would be removed. More than 10 documents need --yes, and so do two
or more that are over a third of the memory. Answers that rest on a document are removed
with it. What was removed is in no index, summary or later export;
` + "`research-mcp memory check --gone ID`" + ` proves it. It is also removed from
the backups in the folder ` + "`backups`" + ` beside the memory; a backup with an older
layout that contains it is deleted. Delete backups and exports elsewhere yourself.`,
		Example: `research-mcp forget d_2k3v…
  research-mcp forget --source hackernews --before 2026-01-31 --dry-run
  research-mcp forget --source hackernews --before 2026-01-31 --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req.IDs = args
			for _, name := range []string{"source", "url", "session", "before"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return evidence.BadInput("--"+name+" is empty", "give it a value, or leave it out")
				}
			}
			var err error
			if req.Before, err = library.ParseTime("--before", before, false, time.Now(), c.zone); err != nil {
				return err
			}
			if req.Empty() {
				return evidence.BadInput("nothing is selected to be forgotten", "give ids (`research-mcp memory list` shows them), --source, --url, --session or --before")
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
	f.StringVar(&req.Source, "source", "", "only documents of this source")
	f.StringVar(&req.URL, "url", "", "only documents of this address")
	f.StringVar(&req.Session, "session", "", "only documents that this session alone read; without other selectors, the session too")
	f.StringVar(&before, "before", "", "only what was last read before this day of the local time zone, such as 2026-01-31, 7d (ago) or 2026-01, or moment (RFC 3339)")
	f.BoolVar(&req.Confirm, "yes", false, "remove even more than 10 documents, or several that are over a third of the memory")
	f.BoolVar(&req.DryRun, "dry-run", false, "remove nothing: show what would be removed")
	return cmd
}

func (c *console) printForgotten(got library.ForgetResult) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	for _, m := range got.Matched {
		if err := c.say("selected by %s", m); err != nil {
			return err
		}
	}
	var rows [][]string
	for i, id := range got.IDs {
		row := []string{id}
		if i < len(got.Titles) && got.Titles[i] != "" {
			row = append(row, got.Titles[i])
		}
		rows = append(rows, row)
	}
	if _, err := fmt.Fprint(c.out, c.screen.Table(rows, "")); err != nil {
		return err
	}
	did, left := "Forgot", "left"
	if got.DryRun {
		did, left = "Nothing was removed; this would forget", "would be left"
	}
	return c.say("%s %s (%s); %s %s", did, text.Count(got.Documents, "document"), text.Count(got.Chunks, "chunk"), text.Count(got.Remaining, "document"), left)
}
