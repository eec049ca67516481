package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

func newMemory(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "memory COMMAND", Short: "Maintain the memory: stats, check, export, import, backup, reindex",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return evidence.BadInput(fmt.Sprintf("there is no command \"memory %s\"", args[0]), "choose from: backup, check, export, import, reindex, stats")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemoryBackup(c), newMemoryCheck(c), newMemoryExport(c), newMemoryImport(c), newMemoryReindex(c), newMemoryStats(c))
	return cmd
}

// one requires exactly one argument; what describes it.
func one(name, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return evidence.BadInput(fmt.Sprintf("%s takes %s; there %s", name, what, arguments(len(args))), fmt.Sprintf("`%s --help` has examples", cmd.CommandPath()))
	}
}

// withApp runs do with an App, and closes it.
func (c *console) withApp(ctx context.Context, do func(a *app.App) error) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(a), a.Close())
}

func newMemoryStats(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Contents of the memory, and the progress of a change of model", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				s, err := a.Library().Stats(cmd.Context())
				if err != nil {
					return err
				}
				if c.json {
					return c.print(s)
				}
				return c.printStats(s)
			})
		},
	}
}

func (c *console) printStats(s memory.Stats) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "memory\t%s (%s, layout %d)\n", s.Path, s.Backend, s.Schema)
	fmt.Fprintf(w, "documents\t%d in %s, %s of text\n", s.Documents, text.Count(s.Chunks, "chunk"), text.Count(s.TextBytes, "byte"))
	fmt.Fprintf(w, "on disk\t%s\n", text.Count(s.Bytes, "byte"))
	fmt.Fprintf(w, "sessions\t%d with %s, %s\n", s.Sessions, text.Count(s.Turns, "message"), text.Count(s.Runs, "stored answer"))
	if !s.Oldest.IsZero() {
		fmt.Fprintf(w, "read\tfrom %s to %s\n", s.Oldest.Format("2006-01-02"), s.Newest.Format("2006-01-02"))
	}
	fmt.Fprintf(w, "embedder\t%s\n", s.Embedder)
	for _, m := range s.Models {
		state := ""
		if m.Active {
			state = ", in use"
		}
		fmt.Fprintf(w, "vectors\t%s: %d of %s, %s%s\n", m.Name, m.Documents, text.Count(s.Documents, "document"), text.Count(m.Dims, "dimension"), state)
	}
	if r := s.Reindex; r != nil {
		fmt.Fprintf(w, "reindex\tto %s: %d of %s; %s\n", r.Model, r.Done, text.Count(r.Total, "document"), c.hint("`research-mcp memory reindex` continues"))
	}
	if q := s.Queue; q != nil {
		fmt.Fprintf(w, "queue\tvectors of %s: %s of %s to be written\n", q.Model, text.Count(q.Chunks, "chunk"), text.Count(q.Documents, "document"))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "!\t%s\n", c.hint(warning))
	}
	return w.Flush()
}

// errMemory makes the exit code show that the memory is damaged, errNotGone that
// something was found.
var (
	errMemory  = &evidence.Problem{What: "the memory is damaged: see the report"}
	errNotGone = &evidence.Problem{What: "it is still in the memory: see the report"}
)

func newMemoryCheck(c *console) *cobra.Command {
	var gone string
	cmd := &cobra.Command{
		Use: "check", Short: "Check the memory for damage, or prove that something was removed", Args: none,
		Example: "research-mcp memory check --gone d_2k3v…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("gone") {
				return c.withApp(cmd.Context(), func(a *app.App) error { return c.checkGone(cmd.Context(), a, gone) })
			}
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			report, err := diagnosis.CheckMemory(cmd.Context(), cfg, c.logger(cfg.LogLevel))
			if err != nil {
				return err
			}
			return c.printCheck(report)
		},
	}
	cmd.Flags().StringVar(&gone, "gone", "", "search everything for the document, session or run with this id")
	return cmd
}

func (c *console) printCheck(r memory.CheckReport) error {
	var b strings.Builder
	if r.OK {
		fmt.Fprintf(&b, "No damage: %s, %s, %s, %d of them in the index\n",
			text.Count(r.Documents, "document"), text.Count(r.Chunks, "chunk"), text.Count(r.Vectors, "vector"), r.Indexed)
	}
	for _, p := range r.Problems {
		b.WriteString(wrap("! "+p, width, "") + "\n")
	}
	if r.Try != "" {
		b.WriteString(wrap("→ "+c.hint(r.Try), width, "") + "\n")
	}
	return c.verdict(r, b.String(), r.OK, errMemory)
}

func (c *console) checkGone(ctx context.Context, a *app.App, id string) error {
	r, err := a.Library().ProveErased(ctx, id)
	if err != nil {
		return err
	}
	verdict := fmt.Sprintf("%s is gone: nothing in the memory contains it\n", r.ID)
	if !r.Gone {
		verdict = fmt.Sprintf("%s is still there: %s\n", r.ID, strings.Join(r.Found, "; "))
	}
	return c.verdict(r, verdict, r.Gone, errNotGone)
}

// verdict prints a report and returns bad if it is not ok.
func (c *console) verdict(report any, words string, ok bool, bad error) error {
	var err error
	if c.json {
		err = c.print(report)
	} else {
		_, err = fmt.Fprint(c.out, words)
	}
	if err == nil && !ok {
		return bad
	}
	return err
}
