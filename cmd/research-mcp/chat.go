package main

import (
	"bufio"
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

func newChat(c *console) *cobra.Command {
	var q questionFlags
	cmd := &cobra.Command{
		Use: "chat", Short: "Ask many questions in one session that any client can continue", Args: none,
		Long: `Reads one question a line; an empty line or the end of input ends the chat. It
prints the session's handle: --session continues it, here or in any other client.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			req, err := q.request(cmd, "")
			if err != nil {
				return err
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			if req.Session != "" {
				session, err := a.Library().Session(cmd.Context(), req.Session)
				if err != nil {
					return err
				}
				c.greet(session)
			}
			t, err := c.converse(cmd, a, req)
			if c.json { // also what was answered before an interruption
				err = errors.Join(err, c.print(map[string]any{"session": t.session, "answers": t.answers}))
			}
			if err == nil && t.failed > 0 && !c.typed {
				err = &evidence.Problem{What: text.Count(t.failed, "question") + " without an answer", Try: "see the errors above"}
			}
			return err
		},
	}
	q.flags(cmd)
	return cmd
}

// conversation is the result of a chat.
type conversation struct {
	session string
	answers []evidence.Answer
	failed  int
}

// converse reads and answers questions until the input ends. It reports a question
// that fails and goes on with the next one.
func (c *console) converse(cmd *cobra.Command, a *app.App, req research.Request) (conversation, error) {
	t := conversation{session: req.Session, answers: []evidence.Answer{}}
	in, done := interruptible(cmd.Context(), c.in)
	defer done()
	lines := bufio.NewReader(in)
	for {
		if c.typed {
			fmt.Fprint(c.err, "> ")
		}
		line, err := readLine(lines, research.MaxQuestion)
		if ctxErr := cmd.Context().Err(); ctxErr != nil {
			return t, ctxErr
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return t, fmt.Errorf("reading a question: %w", err)
		}
		req.Question = strings.TrimSpace(line.text)
		if req.Question == "" && line.size <= research.MaxQuestion { // or the end of input
			return t, nil
		}
		answer, err := c.answerLine(cmd.Context(), a, req, line)
		if ctxErr := cmd.Context().Err(); ctxErr != nil {
			return t, ctxErr
		}
		if err != nil {
			c.fail(err)
			t.failed++
			continue
		}
		t.answers = append(t.answers, answer)
		t.session, req.Session = answer.Session, answer.Session
		if !c.json {
			if err := c.printAnswer(answer); err != nil {
				return t, err
			}
		}
	}
}

// answerLine answers a line, unless it is too long for a question.
func (c *console) answerLine(ctx context.Context, a *app.App, req research.Request, line inputLine) (evidence.Answer, error) {
	if err := library.CheckLength("question", line.size); err != nil {
		return evidence.Answer{}, err
	}
	return c.answer(ctx, a, req)
}

// greet shows the summary and the last turns of a session.
func (c *console) greet(s evidence.Session) {
	fmt.Fprintf(c.err, "session %s, %s so far\n", s.ID, text.Count(s.Messages, "message"))
	if s.Summary != "" {
		fmt.Fprintln(c.err, wrap("Summary: "+s.Summary, width, "  "))
	}
	for _, t := range s.Turns {
		fmt.Fprintln(c.err, wrap(t.Role+": "+short(t.Text, 240), width, "  "))
	}
}
