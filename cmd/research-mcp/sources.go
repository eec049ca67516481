package main

import (
	"cmp"
	"fmt"
	"strings"
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
	var rows, own [][]string
	for _, s := range list {
		kinds := strings.Join(s.Kinds, ", ")
		if kinds == "" {
			kinds = "only by name"
		}
		rows = append(rows, []string{s.Name, s.State, s.URL, kinds, fmt.Sprintf("within %s, %s", s.Timeout, s.Limits), s.About})
		for _, o := range s.Options {
			own = append(own, []string{fmt.Sprintf("%s = %s: %s", o.Key, cmp.Or(o.Value, "(empty)"), o.About)})
		}
	}
	if c.screen.Width > 0 {
		rows = sourceParagraphs(rows)
	}
	out := c.screen.Table(rows, "") + c.health(list, contact)
	if len(own) > 0 {
		out += "\nSettings of single sources:\n" + c.screen.Table(own, "  ")
	}
	_, err := fmt.Fprint(c.out, out)
	return err
}

// sourceParagraphs puts what is said of each source into two cells: no terminal is wide
// enough for all of them side by side.
func sourceParagraphs(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		said := []string{r[1], r[5]}
		for _, s := range []string{r[3], r[4], r[2]} {
			if s != "" {
				said = append(said, s)
			}
		}
		out[i] = []string{r[0], strings.Join(said, "; ")}
	}
	return out
}

// paused says that a source is not asked for a while because it kept failing; "" if it is
// asked. breaker is diagnosis.SourceHealth.Breaker, perhaps with a host before it.
func paused(breaker string) string {
	host, state := "", breaker
	if i := strings.LastIndex(breaker, ": "); i >= 0 {
		host, state = breaker[:i+2], breaker[i+2:]
	}
	switch until, isOpen := strings.CutPrefix(state, "open until "); {
	case isOpen:
		return host + "paused until " + until
	case state == "half-open":
		return host + "paused until its next request succeeds"
	}
	return ""
}

// health is the current state of each source that is on.
func (c *console) health(list []diagnosis.SourceInfo, contact bool) string {
	var rows [][]string
	limited := false
	for _, s := range list {
		if s.Budget == "" {
			continue // it is off, or has no host
		}
		limited = limited || !strings.HasPrefix(s.Budget, diagnosis.NoLimit)
		row := []string{s.Name, s.Budget}
		var trouble []string
		if p := paused(s.Breaker); p != "" {
			trouble = append(trouble, p)
		}
		if !s.WaitUntil.IsZero() {
			trouble = append(trouble, "asked to be left alone until "+diagnosis.Clock(s.WaitUntil))
		}
		if s.LastError != "" {
			ago := max(time.Since(s.LastErrorAt), 0).Round(time.Second)
			trouble = append(trouble, fmt.Sprintf("last error %s ago: %s", ago, s.LastError))
		}
		if len(trouble) > 0 {
			row = append(row, strings.Join(trouble, "; "))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return ""
	}
	out := "\n" + c.screen.Wrap("Current state, for all processes of this data folder (budgets by day are in UTC):", "", "") + "\n"
	if !contact && limited {
		out += c.screen.Wrap("Requests to public hosts are limited to half of the above, because you have not said who you are: "+
			"set `contact` to your e-mail address or web page, and the full limits hold.", "", "") + "\n"
	}
	return out + c.screen.Table(rows, "  ")
}
