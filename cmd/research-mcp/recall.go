package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/library"
)

func newRecall(c *console) *cobra.Command {
	var req library.RecallRequest
	var since, until string
	cmd := &cobra.Command{
		Use: "recall QUERY", Short: "Search the memory", Args: exactly(1, "one query"),
		Example: `research-mcp recall "how goroutines are scheduled" -k 5
  research-mcp recall goroutines --since 2026-01-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Query = args[0]
			var err error
			if req.Since, err = library.ParseTime("--since", since, false, c.zone); err != nil {
				return err
			}
			if req.Until, err = library.ParseTime("--until", until, true, c.zone); err != nil {
				return err
			}
			if err := cmp.Or(library.CheckHits(req.K), req.Check()); err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				got, err := a.Library().Recall(cmd.Context(), req)
				if err != nil {
					return err
				}
				return c.printHits(got)
			})
		},
	}
	f := cmd.Flags()
	f.IntVarP(&req.K, "k", "k", library.DefaultHits, "most hits, 1 to 50")
	f.StringVar(&req.Source, "source", "", "only from this source")
	f.StringVar(&req.Session, "session", "", "only what this session read")
	f.StringArrayVar(&req.Tags, "tag", nil, "only what has this tag (repeatable)")
	f.StringVar(&since, "since", "", "only what was read on or after this day of the local time zone, such as 2026-01-31, or moment (RFC 3339)")
	f.StringVar(&until, "until", "", "only what was read on or before this day or moment")
	return cmd
}

func (c *console) printHits(got library.RecallResult) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	if len(got.Hits) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing in the memory matches. It grows with each question that you ask.")
		return err
	}
	for i, h := range got.Hits {
		read := ""
		if !h.Retrieved.IsZero() {
			read = ", read " + h.Retrieved.In(c.zone).Format(time.DateOnly)
		}
		address := ""
		if h.URL != "" {
			address = "    " + h.URL + "\n"
		}
		if _, err := fmt.Fprintf(c.out, "%2d. %s (%s%s) %.2f\n%s%s\n", i+1, h.Title, h.Source, read, h.Score, address,
			wrap(short(h.Text, 400), width, "    ")); err != nil {
			return err
		}
	}
	return nil
}
