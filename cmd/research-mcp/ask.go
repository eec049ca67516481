package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/recording"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

func newAsk(c *console) *cobra.Command {
	var q questionFlags
	var record, replay string
	var withDemo bool
	cmd := &cobra.Command{
		Use: "ask [QUESTION]", Short: "Answer one question, with citations", Args: anyWords,
		Long: `Answers one question, with citations. Without QUESTION, or for -, it is read from
standard input.

--record writes every request to the sources and to Ollama, with its response, to a
new HAR file; --replay gives the same answer from that file without a network. Both
use an empty temporary memory.`,
		Example: `research-mcp ask "How does Go schedule goroutines?"
research-mcp ask --demo how does attention work
research-mcp ask < question.txt
research-mcp ask --record run.har "How does Go schedule goroutines?"
research-mcp ask --replay run.har`,
		RunE: func(cmd *cobra.Command, args []string) error {
			recorded, replayed := cmd.Flags().Changed("record"), cmd.Flags().Changed("replay")
			if err := checkAsk(recorded, replayed, withDemo); err != nil {
				return err
			}
			question := ""
			if !replayed || len(args) > 0 { // a recording has its question
				var err error
				if question, err = c.words(cmd.Context(), "question", args); err != nil {
					return err
				}
				if question == "" && len(args) == 0 && c.typed {
					return missing(cmd, "question")
				}
				if err := research.CheckQuestion(question); err != nil {
					return err
				}
			}
			req, err := q.request(cmd, question)
			switch {
			case err != nil:
				return err
			case recorded:
				return c.record(cmd.Context(), record, req)
			case replayed:
				return c.replay(cmd.Context(), replay, req)
			}
			return c.ask(cmd.Context(), req, withDemo)
		},
	}
	q.flags(c, cmd)
	f := cmd.Flags()
	f.StringVar(&record, "record", "", "write every request and response to a new HAR `FILE`. Keys and the contact are left out; --session cannot be used; the source files is not asked")
	f.StringVar(&replay, "replay", "", "answer from a `FILE` written by --record, with its settings and question; of yours only --set and the flags apply")
	f.BoolVar(&withDemo, "demo", false, demoUsage)
	return cmd
}

// checkAsk refuses flags that exclude each other.
func checkAsk(recorded, replayed, withDemo bool) error {
	switch {
	case recorded && replayed:
		return evidence.BadInput("--record and --replay cannot be used together", "a replay sends no requests: copy the file if you want another one")
	case withDemo && (recorded || replayed):
		return evidence.BadInput("--demo cannot be used with --record or --replay", "leave one of them out")
	}
	return nil
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
	shown := p.close()
	if got.Requests >= 0 {
		c.note(fmt.Sprintf("%s: %s, each with its response or error", file, text.Count(got.Requests, "request")))
	}
	if err != nil {
		return err
	}
	c.note(c.hint("the same answer without a network: `research-mcp ask --replay " + file + "`"))
	return c.show(got.Answer, shown)
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
		c.note("replaying: " + short(r.Question(), 300))
	}
	p := newProgress(c)
	answer, err := r.Replay(ctx, app.Options{Log: c.logger(c.logLevel)}, req, set, p.observe)
	shown := p.close()
	if err != nil {
		return err
	}
	return c.show(answer, shown)
}

// show prints an answer, as JSON if --json is set. shown is what of its text is on the
// screen already.
func (c *console) show(answer evidence.Answer, shown string) error {
	if c.json {
		return c.print(answer)
	}
	return c.printAnswer(answer, shown)
}

// answer asks a question and shows progress on stderr. shown is the text that was
// printed before the answer was complete.
func (c *console) answer(ctx context.Context, a *app.App, req research.Request) (answer evidence.Answer, shown string, err error) {
	p := newProgress(c)
	answer, err = a.Engine().Research(ctx, req, p.observe)
	return answer, p.close(), err
}
