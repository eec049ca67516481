package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
)

func newDoctor(c *console) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "What works, what does not, and how to fix it", Args: none,
		Long: `Checks the memory, the isolated processes, the models, every source, and the AI clients:
the server is started by the very command that stands in a client's configuration.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			system := c.system()
			report := diagnosis.Doctor(cmd.Context(), cfg, diagnosis.DoctorOptions{Offline: offline, Clients: &system, Log: c.logger(cfg.LogLevel)})
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

// errDoctor makes the exit code show that something has to be fixed.
var errDoctor = errors.New("something that is needed does not work: see above")

func (c *console) printReport(r diagnosis.Report) error {
	var rows [][]string
	for _, check := range r.Checks {
		rows = append(rows, []string{check.Status, check.Name, c.hint(check.What)})
		if check.Try != "" {
			rows = append(rows, []string{"", "", "→ " + c.hint(check.Try)})
		}
	}
	_, err := fmt.Fprint(c.out, c.screen.Table(rows, ""))
	return err
}
