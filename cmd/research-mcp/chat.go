package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// maxLine is the longest line that chat reads.
const maxLine = 1 << 20

func newChat(c *console) *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: "chat", Short: "Ask many questions in one session that any client can go on with", Args: none,
		Long: `Asks in turns, one question a line; an empty line or end of input ends it. The
session's handle is printed: --session goes on with it, here or in any other client.`,
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
				session, err := a.Session(cmd.Context(), req.Session)
				if err != nil {
					return err
				}
				c.greet(session)
			}
			t, err := c.converse(cmd, a, req)
			if c.json { // what was answered is printed even when the rest was interrupted
				err = errors.Join(err, c.print(map[string]any{"session": t.session, "answers": t.answers}))
			}
			if err == nil && t.failed > 0 && !c.typed {
				err = &evidence.Problem{What: fmt.Sprintf("%d questions were not answered", t.failed), Try: "see above"}
			}
			return err
		},
	}
	q.flags(cmd)
	return cmd
}

// talk is what came of a chat.
type talk struct {
	session string
	answers []evidence.Answer
	failed  int
}

// converse reads questions until the input ends. A question that fails is
// reported and the next one is read.
func (c *console) converse(cmd *cobra.Command, a *app.App, req app.Request) (talk, error) {
	t := talk{session: req.Session, answers: []evidence.Answer{}}
	lines := bufio.NewScanner(c.in)
	lines.Buffer(nil, maxLine)
	for {
		if c.typed {
			fmt.Fprint(c.err, "> ")
		}
		if !scan(cmd, lines) {
			break
		}
		req.Question = strings.TrimSpace(lines.Text())
		if req.Question == "" {
			break
		}
		answer, err := c.answer(cmd.Context(), a, req)
		if cmd.Context().Err() != nil {
			return t, cmd.Context().Err()
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
	return t, cmp.Or(cmd.Context().Err(), lines.Err())
}

// scan reads a line, or gives up when the command is interrupted: a read from
// a terminal cannot be cancelled, so it is left behind for the exit to end.
func scan(cmd *cobra.Command, lines *bufio.Scanner) bool {
	got := make(chan bool, 1)
	go func() { got <- lines.Scan() }()
	select {
	case ok := <-got:
		return ok
	case <-cmd.Context().Done():
		return false
	}
}

// greet says where the session stands.
func (c *console) greet(s evidence.Session) {
	fmt.Fprintf(c.err, "session %s, %d messages so far\n", s.ID, s.Messages)
	if s.Summary != "" {
		fmt.Fprintln(c.err, wrap("Summary: "+s.Summary, width, "  "))
	}
	for _, t := range s.Turns {
		fmt.Fprintln(c.err, wrap(t.Role+": "+short(t.Text, 240), width, "  "))
	}
}
