package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/peterh/liner"

	"github.com/research-mcp/research-mcp/internal/research"
)

// lineSource gives the lines of a chat. read returns io.EOF at their end, and
// errDiscarded for a line that was given up by Ctrl-C.
type lineSource interface {
	read(ctx context.Context) (inputLine, error)
	remember(line string)
	close()
}

// endsTheChat answers Ctrl-C where a question is awaited.
const endsTheChat = "/quit or Ctrl-D ends the chat"

var errDiscarded = errors.New("the line was given up")

// openLines returns the lines of stdin: with an editor if somebody types them. The
// editor offers history, the oldest line first.
func (c *console) openLines(ctx context.Context, history []string) lineSource {
	if !c.typed || c.screen.Width == 0 {
		in, done := interruptible(ctx, c.in)
		return &pipedLines{c: c, in: bufio.NewReader(in), done: done}
	}
	e := &lineEditor{c: c, state: liner.NewLiner()}
	e.state.SetCtrlCAborts(true)
	e.state.SetMultiLineMode(true)
	e.state.SetCompleter(completeChatCommand)
	for _, line := range history {
		e.state.AppendHistory(line)
	}
	return e
}

// pipedLines are the lines of a file or a pipe.
type pipedLines struct {
	c    *console
	in   *bufio.Reader
	done func()
}

func (p *pipedLines) read(ctx context.Context) (inputLine, error) {
	if p.c.typed {
		fmt.Fprint(p.c.err, prompt)
	}
	line, err := readLine(p.in, research.MaxQuestion)
	if ctx.Err() != nil {
		return inputLine{}, ctx.Err()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return inputLine{}, fmt.Errorf("reading a question: %w", err)
	}
	return line, err
}

func (p *pipedLines) remember(string) {}
func (p *pipedLines) close()          { p.done() }

// lineEditor reads from a terminal, with editing keys and history.
type lineEditor struct {
	c     *console
	state *liner.State
}

// read returns when a line is complete or ctx has ended. In the latter case a read
// stays blocked in the background until the end of the program.
func (e *lineEditor) read(ctx context.Context) (inputLine, error) {
	type result struct {
		text string
		err  error
	}
	defer e.c.interrupts.atPrompt(func() {
		e.c.note(endsTheChat)
		fmt.Fprint(e.c.err, prompt)
	})()
	got := make(chan result, 1)
	go func() {
		text, err := e.state.Prompt(prompt)
		got <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return inputLine{}, ctx.Err()
	case r := <-got:
		if errors.Is(r.err, liner.ErrPromptAborted) {
			return inputLine{}, errDiscarded
		}
		return inputLine{text: r.text, size: len(r.text)}, r.err
	}
}

func (e *lineEditor) remember(line string) { e.state.AppendHistory(line) }

// close gives the terminal back as it was.
func (e *lineEditor) close() { _ = e.state.Close() }
