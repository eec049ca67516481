package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/terminal"
)

// TestProgressLine: the line names who is awaited, and is never longer than the terminal.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	p := &progress{out: &bytes.Buffer{}, screen: terminal.Screen{Width: 50}, live: true}
	steps := []struct {
		event research.Event
		want  string
	}{
		{research.Event{Kind: research.EventPlanned, Total: 2, Sources: []string{"arxiv", "wikipedia"}}, "  1.2 s waiting for arxiv, wikipedia"},
		{research.Event{Kind: research.EventSource, Source: &evidence.SourceReport{Name: "arxiv"}, Done: 1, Total: 2}, "  1.2 s waiting for wikipedia; 1 of 2 done"},
		{research.Event{Kind: research.EventSource, Source: &evidence.SourceReport{Name: "wikipedia"}, Done: 2, Total: 2}, "  1.2 s reading"},
		{research.Event{Kind: research.EventStage, Stage: "rank"}, "  1.2 s ranking what was read"},
		{research.Event{Kind: research.EventStage, Stage: "second round: a, long, list, of, many, different, words"}, "  1.2 s second round: a, long, list, of, many, d…"},
	}
	for _, step := range steps {
		p.observe(step.event)
		if got := p.line(1200 * time.Millisecond); got != step.want || terminal.Columns(got) >= p.screen.Width {
			t.Errorf("after %s the line is %q, want %q", step.event.Kind, got, step.want)
		}
	}
}

// TestQuotedAnswerAtOnce: what is quoted from the sources is shown when a model begins to
// write, once, and printed again only if the final answer is another one.
func TestQuotedAnswerAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, final string
		want        []string // in this order
		once        string
	}{
		{"the model's answer replaces it", "Herons are birds. [1]", []string{"The heron is a bird.", "Herons are birds."}, "The heron is a bird."},
		{"it stays", "The heron is a bird. [1]", []string{"The heron is a bird.", "answered in"}, "heron"},
	} {
		var out bytes.Buffer
		con := &console{out: &out, err: &bytes.Buffer{}, screen: terminal.Screen{Width: 60}, notes: terminal.Screen{Width: 60, Bold: true}}
		p := newProgress(con)
		p.observe(research.Event{Kind: research.EventText, Text: "The heron is "})
		p.observe(research.Event{Kind: research.EventText, Text: "a bird. [1]"})
		if out.Len() > 0 {
			t.Errorf("%s: %q was shown before a model wrote", c.name, out.String())
		}
		p.observe(research.Event{Kind: research.EventWriting, Stage: "llama"})
		answer := evidence.Answer{Answer: c.final, Status: evidence.Answered, Synthesizer: "llama"}
		if err := con.printAnswer(answer, p.close()); err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, want := range c.want {
			i := strings.Index(out.String()[at:], want)
			if i < 0 {
				t.Fatalf("%s: %q is not in its place in\n%s", c.name, want, out.String())
			}
			at += i
		}
		if n := strings.Count(out.String(), c.once); n != 1 {
			t.Errorf("%s: %q is shown %d times, want once:\n%s", c.name, c.once, n, out.String())
		}
	}
}

// TestQuoteOnce: a quote that the answer has is not printed again, whatever markup and
// marks are in between.
func TestQuoteOnce(t *testing.T) {
	t.Parallel()
	con := &console{screen: terminal.Screen{Width: 60}}
	for _, c := range []struct {
		answer, quote string
		printed       bool
	}{
		{"The **heron** is a bird. [1] It nests.", "The heron is a bird. It nests.", false},
		{"- one\n- two [2]", "one two", false},
		{"The heron is a bird.", "Herons nest in the delta.", true},
		{"The heron", "", false},
		{"theatre", "heat", true}, // words, not letters
	} {
		got := con.citation(evidence.Citation{N: 1, Title: "T", Source: "s", Quote: c.quote}, c.answer)
		if printed := strings.Contains(got, "“"); printed != c.printed {
			t.Errorf("the quote %q of %q is printed: %v, want %v", c.quote, c.answer, printed, c.printed)
		}
	}
}
