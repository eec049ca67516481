package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
)

func newRecall(c *console) *cobra.Command {
	var in app.RecallIn
	var k int
	cmd := &cobra.Command{
		Use: "recall QUERY", Short: "Search the memory", Args: exactly(1, "one query"),
		Example: `research-mcp recall "how goroutines are scheduled" -k 5`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Query = args[0]
			in.K = &k
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			got, err := a.RecallTool(cmd.Context(), in)
			if err == nil {
				err = c.printHits(got)
			}
			return errors.Join(err, a.Close())
		},
	}
	f := cmd.Flags()
	f.IntVarP(&k, "k", "k", 8, "most hits, 1 to 50")
	f.StringVar(&in.Source, "source", "", "only from this source")
	f.StringVar(&in.Session, "session", "", "only what this session read")
	f.StringArrayVar(&in.Tags, "tag", nil, "only what has this tag (repeatable)")
	f.StringVar(&in.Since, "since", "", "only what was read on or after this day, as 2026-01-31")
	f.StringVar(&in.Until, "until", "", "only what was read on or before this day")
	return cmd
}

func (c *console) printHits(got app.RecallOut) error {
	if c.json {
		return c.print(got)
	}
	if len(got.Hits) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing in the memory matches. It grows with each question that you ask.")
		return err
	}
	for i, h := range got.Hits {
		read := ""
		if !h.Retrieved.IsZero() {
			read = ", read " + h.Retrieved.Format(time.DateOnly)
		}
		if _, err := fmt.Fprintf(c.out, "%2d. %s (%s%s) %.2f\n    %s\n%s\n", i+1, h.Title, h.Source, read, h.Score, h.URL,
			wrap(short(h.Text, 400), width, "    ")); err != nil {
			return err
		}
	}
	for _, w := range got.Warnings {
		fmt.Fprintln(c.err, "! "+w)
	}
	return nil
}
