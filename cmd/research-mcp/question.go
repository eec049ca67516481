package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// questionFlags holds the flags of commands that answer questions.
type questionFlags struct {
	session, depth, language string
	sources                  []string
	budget                   time.Duration
}

func (q *questionFlags) flags(c *console, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.session, "session", "", "continue this session; the command sessions lists them")
	f.StringSliceVar(&q.sources, "sources", nil, "ask only these sources, such as wikipedia,hackernews")
	f.StringVar(&q.depth, "depth", "", "quick (one round of searches), standard (a second round if the first has no answer; the default) or deep (full pages, each part of the question)")
	f.DurationVar(&q.budget, "budget", 0, "time until there is an answer, if only a partial one (default: the setting research.budget)")
	f.StringVar(&q.language, "language", "", "language of the sources, such as en (default: the setting language)")
	c.completeFlags(cmd)
}

// request returns the engine's request. It checks the budget here, because the
// engine takes 0 for its default.
func (q *questionFlags) request(cmd *cobra.Command, question string) (research.Request, error) {
	if cmd.Flags().Changed("budget") {
		if err := research.CheckBudget(q.budget); err != nil {
			return research.Request{}, err
		}
	}
	return research.Request{Question: question, Session: q.session, Sources: q.sources, Depth: q.depth, Budget: q.budget, Language: q.language}, nil
}

const demoUsage = "ask the demo's local sources, without a network or your memory: about transformers, BERT, GPT and goroutines"

const demoIDs = "The demo's memory ends here: the ids above cannot be looked up afterwards."

// openFor builds the App, or the demo's. end closes it.
func (c *console) openFor(ctx context.Context, withDemo bool) (a *app.App, end func() error, err error) {
	if withDemo {
		o, err := c.demoOptions()
		if err != nil {
			return nil, nil, err
		}
		d, err := demo.Start(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return d.App, d.Close, nil
	}
	a, err = c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return a, a.Close, nil
}

// words returns the text that arguments are, quoted or not. Without arguments, or for
// "-", it is read from stdin, unless a person sits there: then it is empty.
func (c *console) words(ctx context.Context, what string, args []string) (string, error) {
	if len(args) > 1 || len(args) == 1 && args[0] != "-" {
		return strings.Join(args, " "), nil
	}
	if c.typed && len(args) == 0 {
		return "", nil
	}
	in, done := interruptible(ctx, c.in)
	defer done()
	raw, err := io.ReadAll(io.LimitReader(in, 1<<20))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("reading the %s: %w", what, err)
	}
	out := strings.TrimSpace(string(raw))
	return out, library.CheckLength(what, len(out))
}

// anyWords allows arguments that are words of one text.
func anyWords(*cobra.Command, []string) error { return nil }

// missing is the error for a command without its text.
func missing(cmd *cobra.Command, what string) error {
	example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
	return evidence.BadInput(fmt.Sprintf("there is no %s", what), fmt.Sprintf("write it like `%s`, or pipe it in", example))
}

// folderOf is the folder that a file is in.
func folderOf(file string) string { return filepath.Dir(file) }

// ask answers a question and prints the answer.
func (c *console) ask(ctx context.Context, req research.Request, withDemo bool) error {
	a, end, err := c.openFor(ctx, withDemo)
	if err != nil {
		return err
	}
	answer, shown, err := c.answer(ctx, a, req)
	if err == nil {
		err = c.show(answer, shown)
	}
	if err == nil && withDemo {
		c.note(demoIDs)
	}
	return errors.Join(err, end())
}
