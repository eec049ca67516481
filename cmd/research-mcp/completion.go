package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
)

// completed is how many sessions and runs a shell offers.
const completed = 30

// noFiles ends each completion: none of the values is a file.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeFlags registers what a shell offers for the flags of a command.
func (c *console) completeFlags(cmd *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"sources": c.completeSources, "source": c.completeSources, "session": c.completeSessions, "set": c.completeSettings,
		"depth": cobra.FixedCompletions([]string{"quick", "standard", "deep"}, noFiles),
	} {
		if cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that does not exist
		}
	}
}

// completeSources offers the names of the sources that are on, also behind a comma.
func (c *console) completeSources(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	cfg, err := c.settings()
	if err != nil {
		return nil, noFiles
	}
	before := ""
	if i := strings.LastIndexByte(typed, ','); i >= 0 {
		before = typed[:i+1]
	}
	var out []string
	for _, s := range diagnosis.Sources(cfg) {
		if s.On {
			out = append(out, before+s.Name+"\t"+s.About)
		}
	}
	return out, noFiles
}

// completeSettings offers the keys of settings, each with the = behind it.
func (c *console) completeSettings(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	set := c.set
	c.set = nil // the one that is being typed is not valid yet
	cfg, err := c.settings()
	c.set = set
	if err != nil {
		return nil, noFiles
	}
	var out []string
	for _, s := range cfg.Settings() {
		out = append(out, s.Key+"=\t"+s.About)
	}
	return out, noFiles | cobra.ShellCompDirectiveNoSpace
}

// completeSessions offers the latest sessions.
func (c *console) completeSessions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	c.fromMemory(cmd.Context(), func(ctx context.Context, a *app.App) {
		list, _ := a.Library().Sessions(ctx, completed)
		for _, s := range list {
			out = append(out, s.ID+"\t"+s.Title)
		}
	})
	return out, noFiles
}

// completeRuns offers the latest answers.
func (c *console) completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	if len(args) > 0 {
		return nil, noFiles
	}
	c.fromMemory(cmd.Context(), func(ctx context.Context, a *app.App) {
		list, _ := a.Library().Runs(ctx, completed)
		for _, r := range list {
			out = append(out, r.ID+"\t"+short(r.Question, 60))
		}
	})
	return out, noFiles
}

// fromMemory calls do if there is a memory. A completion creates none, and is silent
// about errors, which would be printed into the command line.
func (c *console) fromMemory(ctx context.Context, do func(context.Context, *app.App)) {
	cfg, err := c.settings()
	if err != nil {
		return
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "memory.db")); err != nil {
		return
	}
	a, err := app.New(ctx, cfg, app.Options{})
	if err != nil {
		return
	}
	defer a.Close()
	do(ctx, a)
}
