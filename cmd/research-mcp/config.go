package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

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
