package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
)

func newVersion(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "The version, and what it was built with", Args: none,
		RunE: func(*cobra.Command, []string) error {
			v := app.Version()
			if c.json {
				return c.print(v)
			}
			_, err := fmt.Fprintf(c.out, "research-mcp %s (%s, %s)\n", v.Version, v.Go, v.Platform)
			return err
		},
	}
}

func newConfig(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "Every setting, its value, and where the value came from", Args: none,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			if c.json {
				return c.print(map[string]any{"settings": cfg.Settings()})
			}
			w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
			for _, s := range cfg.Settings() {
				value := s.Value
				if value == "" {
					value = "(empty)"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Key, value, s.From, s.About)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.out, "\nFile: %s. Variables: RESEARCH_MCP_ and the key in capitals, with _ for . and -\n", c.settingsFile())
			return err
		},
	}
}

func newSources(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "sources", Short: "Each source: on or off and why, what it is asked about, where it is, its limits, and how it stands", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			list := diagnosis.SourcesNow(cmd.Context(), cfg, c.logger(cfg.LogLevel))
			if c.json {
				return c.print(map[string]any{"sources": list})
			}
			return c.printSources(list)
		},
	}
}

// printSources writes a line for each source and, under it, what only it has.
func (c *console) printSources(list []diagnosis.SourceInfo) error {
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
	if err := c.printHealth(list); err != nil {
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
	_, err := fmt.Fprintf(c.out, "\nSettings of their own:\n%s", own.String())
	return err
}

// printHealth writes how each source that is on stands just now.
func (c *console) printHealth(list []diagnosis.SourceInfo) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, s := range list {
		if s.Budget == "" {
			continue // it is off, or has no host
		}
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
	fmt.Fprintln(c.out, "\nHow they stand now, for all processes of this data folder (days are UTC's):")
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(c.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func newDoctor(c *console) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "What works, what does not, and how to mend each", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			report := diagnosis.Doctor(cmd.Context(), cfg, diagnosis.DoctorOptions{Offline: offline, Log: c.logger(cfg.LogLevel)})
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if c.json {
				err = c.print(report)
			} else {
				err = c.printReport(report)
			}
			if err == nil && !report.OK {
				return errDoctor
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the sources")
	return cmd
}

// errDoctor makes scripts see that something needs mending.
var errDoctor = errors.New("something that is needed does not work: see above")

func (c *console) printReport(r diagnosis.Report) error {
	var b strings.Builder
	for _, check := range r.Checks {
		fmt.Fprintf(&b, "%-5s %-14s %s\n", check.Status, check.Name, check.What)
		if check.Try != "" {
			b.WriteString(wrap("→ "+check.Try, width, "                     ") + "\n")
		}
	}
	_, err := fmt.Fprint(c.out, b.String())
	return err
}
