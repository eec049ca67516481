package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// prompt is before each question that somebody types.
const prompt = "> "

func newChat(c *console) *cobra.Command {
	var q questionFlags
	var latest, withDemo bool
	cmd := &cobra.Command{
		Use: "chat", Short: "Ask many questions in one session that any client can continue", Args: none,
		Long: `Reads one question a line. Lines that begin with / are commands; /help lists them.
/quit, exit or the end of input (Ctrl-D) ends the chat, Ctrl-C ends the question that
is being answered.

A session is kept: --session continues it, here or in any other client, --continue
the latest one.`,
		Example: `research-mcp chat
research-mcp chat --continue
research-mcp chat --demo`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := q.request(cmd, "")
			if err != nil {
				return err
			}
			if latest && req.Session != "" {
				return evidence.BadInput("--session and --continue cannot be used together", "leave one of them out")
			}
			a, end, err := c.openFor(cmd.Context(), withDemo)
			if err != nil {
				return err
			}
			return errors.Join(c.chat(cmd.Context(), a, req, latest), end())
		},
	}
	q.flags(c, cmd)
	cmd.Flags().BoolVar(&latest, "continue", false, "continue the latest session")
	cmd.Flags().BoolVar(&withDemo, "demo", false, demoUsage)
	return cmd
}

// conversation is a chat while it goes on, and its result.
type conversation struct {
	c       *console
	a       *app.App
	req     research.Request
	session string
	answers []evidence.Answer
	failed  int
}

// chat holds a conversation and reports how it went.
func (c *console) chat(ctx context.Context, a *app.App, req research.Request, latest bool) error {
	if latest {
		list, err := a.Library().Sessions(ctx, 1)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return evidence.BadInput("there is no session to continue", "leave --continue out to begin one")
		}
		req.Session = list[0].ID
	}
	if err := c.greet(ctx, a, req.Session); err != nil {
		return err
	}
	t := &conversation{c: c, a: a, req: req, session: req.Session, answers: []evidence.Answer{}}
	err := t.converse(ctx)
	if c.json { // also what was answered before an interruption
		err = errors.Join(err, c.print(map[string]any{"session": t.session, "answers": t.answers}))
	}
	if err == nil && t.failed > 0 && !c.typed {
		err = &evidence.Problem{What: text.Count(t.failed, "question") + " without an answer", Try: "see the errors above"}
	}
	if err == nil && c.typed && t.session != "" {
		c.note(c.hint("`research-mcp chat --session " + t.session + "` continues this session"))
	}
	return err
}

// converse reads and answers lines until the input ends. It reports a question that
// fails and goes on with the next one.
func (t *conversation) converse(ctx context.Context) error {
	lines := t.c.openLines(ctx, t.history(ctx))
	defer lines.close()
	for {
		line, err := lines.read(ctx)
		switch {
		case errors.Is(err, errDiscarded):
			t.c.note(endsTheChat)
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		words := strings.TrimSpace(line.text)
		if words == "" && line.size <= research.MaxQuestion {
			continue
		}
		lines.remember(words)
		done, err := t.line(ctx, words, line.size)
		if done || ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			t.c.fail(err)
		}
	}
}

// line does what a line says, and reports whether the chat ends with it.
func (t *conversation) line(ctx context.Context, words string, size int) (done bool, err error) {
	if command, argument, ok := chatCommand(words); ok {
		if command == "/quit" {
			return true, nil
		}
		return false, t.command(ctx, command, argument)
	}
	if err := library.CheckLength("question", size); err != nil {
		t.failed++
		return false, err
	}
	return false, t.ask(ctx, words)
}

// ask answers a question. Ctrl-C ends it.
func (t *conversation) ask(ctx context.Context, question string) error {
	turn := ctx
	if t.c.typed {
		var done func()
		turn, done = t.c.interrupts.during(ctx)
		defer done()
	}
	t.req.Question = question
	answer, shown, err := t.c.answer(turn, t.a, t.req)
	switch {
	case err != nil && turn.Err() != nil && ctx.Err() == nil:
		t.c.note("interrupted; what was read so far is in the memory")
		return nil
	case err != nil:
		t.failed++
		return err
	}
	t.answers = append(t.answers, answer)
	t.session, t.req.Session = answer.Session, answer.Session
	if t.c.json {
		return nil
	}
	return t.c.printAnswer(answer, shown)
}

// earlierQuestions is how many questions of earlier chats the editor offers.
const earlierQuestions = 200

// history returns earlier questions, the oldest first. They come from the memory, so
// that a question that was forgotten is not offered. Without a list there is none.
func (t *conversation) history(ctx context.Context) []string {
	if !t.c.typed {
		return nil
	}
	runs, err := t.a.Library().Runs(ctx, earlierQuestions)
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(runs))
	for i := len(runs) - 1; i >= 0; i-- {
		out = append(out, runs[i].Question)
	}
	return out
}

// greet says what can be done here, and shows the summary and the last turns of a
// session that goes on.
func (c *console) greet(ctx context.Context, a *app.App, id string) error {
	if c.typed && !c.json {
		c.note("Ask a question; the next one may refer to its answer. /help lists the commands, Ctrl-D ends.")
	}
	if id == "" {
		return nil
	}
	s, err := a.Library().Session(ctx, id)
	if err != nil {
		return err
	}
	c.note(fmt.Sprintf("session %s, %s so far", s.ID, text.Count(s.Messages, "message")))
	if s.Summary != "" {
		fmt.Fprintln(c.err, c.notes.Wrap("Summary: "+s.Summary, "  ", "  "))
	}
	for _, t := range s.Turns {
		fmt.Fprintln(c.err, c.notes.Wrap(t.Role+": "+short(t.Text, 240), "  ", "  "))
	}
	return nil
}
