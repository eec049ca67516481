package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// question are the flags of commands that answer.
type question struct {
	session, depth, language string
	sources                  []string
	budget                   time.Duration
}

func (q *question) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.session, "session", "", "go on with this session")
	f.StringSliceVar(&q.sources, "sources", nil, "ask only these sources, as in wikipedia,hackernews")
	f.StringVar(&q.depth, "depth", "", "quick, standard or deep")
	f.DurationVar(&q.budget, "budget", 0, "an answer stands when this time is spent (default from the settings: 45s)")
	f.StringVar(&q.language, "language", "", "language of the sources, such as en")
}

// request checks what the engine cannot tell from a default: a budget of 0
// that was meant.
func (q *question) request(cmd *cobra.Command, text string) (app.Request, error) {
	if cmd.Flags().Changed("budget") {
		if err := app.CheckBudget(q.budget); err != nil {
			return app.Request{}, err
		}
	}
	return app.Request{Question: text, Session: q.session, Sources: q.sources, Depth: q.depth, Budget: q.budget, Language: q.language}, nil
}

func newAsk(c *console) *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: "ask QUESTION", Short: "Answer one question, with citations", Args: exactly(1, "one question"),
		Example: `research-mcp ask "How does Go schedule goroutines?"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := q.request(cmd, args[0])
			if err != nil {
				return err
			}
			if err := app.CheckQuestion(req.Question); err != nil {
				return err
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			answer, err := c.answer(cmd.Context(), a, req)
			if err == nil {
				err = c.show(answer)
			}
			return errors.Join(err, a.Close())
		},
	}
	q.flags(cmd)
	return cmd
}

// show prints an answer for a script or a person.
func (c *console) show(answer evidence.Answer) error {
	if c.json {
		return c.print(answer)
	}
	return c.printAnswer(answer)
}

// answer asks with progress on stderr.
func (c *console) answer(ctx context.Context, a *app.App, req app.Request) (evidence.Answer, error) {
	p := newProgress(c)
	defer p.close()
	return a.Research(ctx, req, p.observe)
}
