package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
)

func newSources(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "sources", Short: "Each source: on or off and why, what it is asked about, its address, its limits, and its state", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			list := diagnosis.SourcesNow(cmd.Context(), cfg, c.logger(cfg.LogLevel))
			if c.json {
				return c.print(map[string]any{"sources": list})
			}
			return c.printSources(list, cfg.Contact != "")
		},
	}
}

// printSources prints a line for each source, then their state and their own
// settings. Without a contact, half of the limits of public hosts hold.
func (c *console) printSources(list []diagnosis.SourceInfo, contact bool) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, s := range list {
		kinds := strings.Join(s.Kinds, ", ")
		if kinds == "" {
			kinds = "only by name"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\twithin %s, %s\t%s\n", s.Name, s.State, s.URL, kinds, s.Timeout, s.Limits, s.About)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := c.printHealth(list, contact); err != nil {
		return err
	}
	var own strings.Builder
	for _, s := range list {
		for _, o := range s.Options {
			value := o.Value
			if value == "" {
				value = "(empty)"
			}
			fmt.Fprintf(&own, "  %s = %s: %s\n", o.Key, value, o.About)
		}
	}
	if own.Len() == 0 {
		return nil
	}
	_, err := fmt.Fprintf(c.out, "\nSettings of single sources:\n%s", own.String())
	return err
}

// printHealth prints the current state of each source that is on.
func (c *console) printHealth(list []diagnosis.SourceInfo, contact bool) error {
	var b strings.Builder
	limited := false
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, s := range list {
		if s.Budget == "" {
			continue // it is off, or has no host
		}
		limited = limited || !strings.HasPrefix(s.Budget, diagnosis.NoLimit)
		var trouble []string
		if !s.WaitUntil.IsZero() {
			trouble = append(trouble, "asked to be left alone until "+diagnosis.Clock(s.WaitUntil))
		}
		if s.LastError != "" {
			ago := max(time.Since(s.LastErrorAt), 0).Round(time.Second)
			trouble = append(trouble, fmt.Sprintf("last error %s ago: %s", ago, s.LastError))
		}
		fmt.Fprintf(w, "  %s\t%s\tbreaker %s\t%s\n", s.Name, s.Budget, s.Breaker, strings.Join(trouble, "; "))
	}
	if err := w.Flush(); err != nil || b.Len() == 0 {
		return err
	}
	fmt.Fprintln(c.out, "\nCurrent state, for all processes of this data folder (budgets by day are in UTC):")
	if !contact && limited {
		fmt.Fprintln(c.out, "Requests to public hosts are limited to half of the above, because you have not said who you are:\nset `contact` to your e-mail address or web page, and the full limits hold.")
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(c.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
