package main

import (
	"cmp"
	"fmt"

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
			var rows [][]string
			for _, s := range cfg.Settings() {
				rows = append(rows, []string{s.Key, cmp.Or(s.Value, "(empty)"), s.From, s.About})
			}
			if c.screen.Width > 0 {
				rows = settingParagraphs(rows)
			}
			where := fmt.Sprintf("File: %s. Variables: RESEARCH_MCP_ and the key in capitals, with _ for . and -", c.settingsFile())
			_, err = fmt.Fprint(c.out, c.screen.Table(rows, "")+"\n"+c.screen.Wrap(where, "", "")+"\n")
			return err
		},
	}
}

// settingParagraphs puts a setting's value, origin and meaning into one cell for a
// terminal. A default needs no origin.
func settingParagraphs(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		value := r[1]
		if r[2] != "default" {
			value += " (" + r[2] + ")"
		}
		out[i] = []string{r[0], value + ": " + r[3]}
	}
	return out
}
