package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

func newMemory(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "memory COMMAND", Short: "See and maintain what is remembered",
		Args: aCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemoryBackup(c), newMemoryCheck(c), newMemoryDecrypt(c), newMemoryExport(c), newMemoryImport(c), newMemoryList(c), newMemoryMigrate(c), newMemoryReindex(c), newMemoryRepair(c), newMemoryShow(c), newMemoryStats(c))
	return cmd
}

// aCommand is for a command that does nothing without one of its own.
func aCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return evidence.BadInput(fmt.Sprintf("there is no command %q", cmd.Name()+" "+args[0]), meant(args[0], names, "")+"choose from: "+strings.Join(names, ", "))
}

// meant asks whether a mistyped name is one of these, each of which has the prefix; "" if
// none is like it.
func meant(name string, names []string, prefix string) string {
	const shortest = 3 // of fewer letters, every short name is like it
	near := text.Nearest(name, names)
	if near == "" || len(name) < shortest {
		return ""
	}
	return fmt.Sprintf("did you mean %q? ", prefix+near)
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
	rows := [][]string{
		{"memory", fmt.Sprintf("%s (%s, layout %d)", s.Path, s.Backend, s.Schema)},
		{"documents", fmt.Sprintf("%d in %s, %s of text", s.Documents, text.Count(s.Chunks, "chunk"), text.Count(s.TextBytes, "byte"))},
		{"on disk", text.Count(s.Bytes, "byte")},
		{"sessions", fmt.Sprintf("%d with %s, %s", s.Sessions, text.Count(s.Turns, "message"), text.Count(s.Runs, "stored answer"))},
	}
	add := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	if !s.Oldest.IsZero() {
		add("read", "from %s to %s", s.Oldest.Format(time.DateOnly), s.Newest.Format(time.DateOnly))
	}
	add("embedder", "%s", s.Embedder)
	for _, m := range s.Models {
		state := ""
		if m.Active {
			state = ", in use"
		}
		add("vectors", "%s: %d of %s, %s%s", m.Name, m.Documents, text.Count(s.Documents, "document"), text.Count(m.Dims, "dimension"), state)
	}
	if r := s.Reindex; r != nil {
		add("reindex", "to %s: %d of %s; %s", r.Model, r.Done, text.Count(r.Total, "document"), c.hint("`research-mcp memory reindex` continues"))
	}
	if q := s.Queue; q != nil {
		add("queue", "vectors of %s: %s of %s to be written", q.Model, text.Count(q.Chunks, "chunk"), text.Count(q.Documents, "document"))
	}
	for _, warning := range s.Warnings {
		add("!", "%s", c.hint(warning))
	}
	_, err := fmt.Fprint(c.out, c.screen.Table(rows, ""))
	return err
}

// errMemory makes the exit code show that the memory is damaged, errNotGone that
// something was found.
var (
	errMemory    = &evidence.Problem{What: "the memory is damaged: see the report"}
	errNotGone   = &evidence.Problem{What: "it is still in the memory: see the report"}
	errUnknownID = &evidence.Problem{What: "there is no record of this id", Try: "take it from the receipt of `forget`"}
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
	cmd.Flags().StringVar(&gone, "gone", "", "search everything for this id of a document, session or run, or for this title, address or text")
	return cmd
}

func (c *console) printCheck(r memory.CheckReport) error {
	var b strings.Builder
	if r.OK {
		sound := fmt.Sprintf("No damage: %s, %s, %s", text.Count(r.Documents, "document"), text.Count(r.Chunks, "chunk"), text.Count(r.Vectors, "vector"))
		b.WriteString(c.screen.Wrap(sound, "", "  ") + "\n")
	}
	for _, v := range r.Cells {
		read := fmt.Sprintf("a search reads %d of %d cells", v.Probes, v.Cells)
		if v.Probes == 0 {
			read = "a search compares all of them"
		}
		line := fmt.Sprintf("%s of %s: %s and finds %.1f %% of the nearest", text.Count(v.Vectors, "vector"), v.Model, read, 100*v.Recall)
		b.WriteString(c.screen.Wrap(line, "", "  ") + "\n")
	}
	for _, p := range r.Problems {
		b.WriteString(c.screen.Wrap("! "+p, "", "  ") + "\n")
	}
	if r.Try != "" {
		b.WriteString(c.screen.Wrap("→ "+c.hint(r.Try), "", "  ") + "\n")
	}
	return c.verdict(r, b.String(), r.OK, errMemory)
}

func (c *console) checkGone(ctx context.Context, a *app.App, id string) error {
	r, err := a.Library().ProveErased(ctx, id)
	if err != nil {
		return err
	}
	verdict := r.ID + " is gone: nothing in the memory contains it"
	if !r.Gone {
		verdict = r.ID + " is still there: " + strings.Join(r.Found, "; ")
	}
	bad := errNotGone
	if r.Gone && r.Unknown {
		verdict = "Nothing in the memory contains " + r.ID + ", and nothing of this name is known to have been removed: is it mistyped?"
		bad = errUnknownID
	}
	return c.verdict(r, c.screen.Wrap(verdict, "", "  ")+"\n", r.Gone && !r.Unknown, bad)
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
