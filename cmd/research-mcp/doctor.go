package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

func newDoctor(c *console) *cobra.Command {
	var offline bool
	var from remoteFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "What works, what does not, and how to fix it", Args: none,
		Long: `Checks the memory, the isolated processes, the models, every source, and the AI clients:
the server is started by the very command that stands in a client's configuration, or
greeted at the address that stands there.

With --url it looks at a running server from outside instead: its certificate, whom it
lets in, both eras of the protocol, the tools and a recall. Without a token nothing is
looked at that needs one, so that it serves as the health check of a container.`,
		Example: `research-mcp doctor
research-mcp doctor --url https://mcp.example/mcp --token-file ~/.config/research-mcp/token`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.url != "" {
				report, err := diagnosis.Remote(cmd.Context(), from.url, diagnosis.RemoteOptions{TokenFile: from.tokenFile, CAFile: from.caFile})
				if err != nil {
					return err
				}
				return c.tellReport(report)
			}
			if from.tokenFile != "" || from.caFile != "" {
				return evidence.BadInput("--token-file and --ca-file belong to a server over HTTP", "give its address with --url")
			}
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			system := c.system()
			report := diagnosis.Doctor(cmd.Context(), cfg, diagnosis.DoctorOptions{Offline: offline, Clients: &system, Log: c.logger(cfg.LogLevel)})
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return c.tellReport(report)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no sources, and greet no server of a client on another machine")
	cmd.Flags().StringVar(&from.url, "url", "", "look at the server at this URL from outside")
	cmd.Flags().StringVar(&from.tokenFile, "token-file", "", "with --url: file that holds the bearer token")
	cmd.Flags().StringVar(&from.caFile, "ca-file", "", "with --url: certificates to trust beside the system's, in PEM format")
	return cmd
}

// errDoctor makes the exit code show that something has to be fixed.
var errDoctor = errors.New("something that is needed does not work: see above")

// tellReport prints a report, and is errDoctor if something failed.
func (c *console) tellReport(report diagnosis.Report) error {
	show := c.printReport
	if c.json {
		show = func(r diagnosis.Report) error { return c.print(r) }
	}
	if err := show(report); err != nil {
		return err
	}
	if !report.OK {
		return errDoctor
	}
	return nil
}

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
