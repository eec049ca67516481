package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/recording"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// questionFlags holds the flags of commands that answer questions.
type questionFlags struct {
	session, depth, language string
	sources                  []string
	budget                   time.Duration
}

func (q *questionFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.session, "session", "", "continue this session")
	f.StringSliceVar(&q.sources, "sources", nil, "ask only these sources, such as wikipedia,hackernews")
	f.StringVar(&q.depth, "depth", "", "quick (one round of searches), standard (a second round if the first has no answer) or deep (full pages, each part of the question)")
	f.DurationVar(&q.budget, "budget", 0, "time until there is an answer, if only a partial one (default: the setting research.budget)")
	f.StringVar(&q.language, "language", "", "language of the sources, such as en")
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

func newAsk(c *console) *cobra.Command {
	var q questionFlags
	var record, replay string
	cmd := &cobra.Command{
		Use: "ask QUESTION", Short: "Answer one question, with citations",
		Long: `Answers one question, with citations.

--record FILE writes every request to the sources and to Ollama, with its
response, to a new HAR file, which the developer tools of a browser can open. Keys
and the contact are left out. --replay FILE gives the same answer from that file
without a network; QUESTION and the flags may be left out, as the file contains
them. Both use an empty temporary memory: nothing from your memory is in the
answer or in the file, nothing is remembered, and --session cannot be used. The
source files, which reads your disk, is not asked. A replay uses the settings in
the file, and of yours only those of --set.`,
		Example: `research-mcp ask "How does Go schedule goroutines?"
  research-mcp ask --record run.har "How does Go schedule goroutines?"
  research-mcp ask --replay run.har`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("replay") && len(args) == 0 {
				return nil
			}
			return exactly(1, "one question")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := q.request(cmd, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if err := research.CheckQuestion(req.Question); err != nil {
					return err
				}
			}
			switch recorded, replayed := cmd.Flags().Changed("record"), cmd.Flags().Changed("replay"); {
			case recorded && replayed:
				return evidence.BadInput("--record and --replay cannot be used together", "a replay sends no requests: copy the file if you want another one")
			case recorded:
				return c.record(cmd.Context(), record, req)
			case replayed:
				return c.replay(cmd.Context(), replay, req)
			}
			return c.ask(cmd.Context(), req)
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVar(&record, "record", "", "write every request and response to a new HAR `FILE`, without secrets; uses an empty memory")
	cmd.Flags().StringVar(&replay, "replay", "", "answer from a `FILE` written by --record, without a network; QUESTION may be left out")
	return cmd
}

func (c *console) ask(ctx context.Context, req research.Request) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	answer, err := c.answer(ctx, a, req)
	if err == nil {
		err = c.show(answer)
	}
	return errors.Join(err, a.Close())
}

// record asks and records all requests. The file is also written when the question
// fails: it then contains the failure.
func (c *console) record(ctx context.Context, file string, req research.Request) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	p := newProgress(c)
	got, err := recording.Record(ctx, cfg, app.Options{Log: c.logger(cfg.LogLevel)}, file, req, p.observe)
	p.close()
	if got.Requests >= 0 {
		fmt.Fprintf(c.err, "%s: %s, each with its response or error\n", file, text.Count(got.Requests, "request"))
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.err, c.hint("the same answer without a network: `research-mcp ask --replay "+file+"`"))
	return c.show(got.Answer)
}

// replay answers from a recording. Of the settings of this machine only those of
// --set apply.
func (c *console) replay(ctx context.Context, file string, req research.Request) error {
	set, err := c.setFlags()
	if err != nil {
		return err
	}
	r, err := recording.Open(file)
	if err != nil {
		return err
	}
	if req.Question == "" && !c.json {
		fmt.Fprintln(c.err, "replaying: "+short(r.Question(), width))
	}
	p := newProgress(c)
	answer, err := r.Replay(ctx, app.Options{Log: c.logger(c.logLevel)}, req, set, p.observe)
	p.close()
	if err != nil {
		return err
	}
	return c.show(answer)
}

// show prints an answer, as JSON if --json is set.
func (c *console) show(answer evidence.Answer) error {
	if c.json {
		return c.print(answer)
	}
	return c.printAnswer(answer)
}

// answer asks a question and shows progress on stderr.
func (c *console) answer(ctx context.Context, a *app.App, req research.Request) (evidence.Answer, error) {
	p := newProgress(c)
	defer p.close()
	return a.Engine().Research(ctx, req, p.observe)
}
