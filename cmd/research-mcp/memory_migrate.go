package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/terminal"
	"github.com/research-mcp/research-mcp/internal/text"
)

func newMemoryMigrate(c *console) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "migrate --to PLACE", Short: "Copy the whole memory into another backend, and compare", Args: none,
		Long: `Copies documents, chunks, sessions, answers and vectors to a PostgreSQL database
(postgres://USER@HOST/DATABASE) or to the data folder of a local memory, and compares every
document and session of both by a hash of its content. Nothing of the source is changed,
and nothing that the target has already. After an interruption, the same command
continues. Tenants are not copied: each has a memory of its own (tenant export, tenant import).

A password is better in the variable PGPASSWORD or in ~/.pgpass than in the command.
Afterwards, set memory.backend and memory.url.`,
		Example: `research-mcp memory migrate --to postgres://research@db.example/research
research-mcp memory migrate --set memory.backend=postgres --set memory.url=postgres://… --to ./local-copy`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return evidence.BadInput("it is not said where to", "give --to postgres://USER@HOST/DATABASE, or --to FOLDER for a local memory")
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				r, err := a.Move(cmd.Context(), to, c.moving)
				if err != nil {
					return err
				}
				return errors.Join(c.printMigration(r), differs(r))
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "a PostgreSQL database (postgres://…), or the data folder of a local memory")
	return cmd
}

func (c *console) printMigration(r app.MoveReport) error {
	if c.json {
		return c.print(r)
	}
	c.warn(r.Moved.Warnings)
	err := c.say("%s", strings.TrimSpace(movedText("Copied", r.Moved)))
	return errors.Join(err, c.say("Compared with %s: %s equal, %d missing or different", r.To, text.Count(r.Verified, "record"), r.Missing))
}

// differs makes the exit code show that the copy is not the source.
func differs(r app.MoveReport) error {
	if r.Missing == 0 {
		return nil
	}
	return &evidence.Problem{What: fmt.Sprintf("%s of the source are not in the target as they are here: %s", text.Count(r.Missing, "record"), strings.Join(r.Examples, ", ")),
		Try: "what the target had before under the same ids was kept; `research-mcp forget` there, then migrate again"}
}

// moving redraws the progress on a terminal.
func (c *console) moving(done, total int) {
	if c.live() && (done%50 == 0 || done == total) {
		end := ""
		if done == total {
			end = "\n"
		}
		fmt.Fprint(c.err, c.notes.Redraw(terminal.Cut(fmt.Sprintf("copied: %d of %s", done, text.Count(total, "document")), c.notes.Width-1)+end))
	}
}
