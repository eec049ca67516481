package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
)

func newRemember(c *console) *cobra.Command {
	var in app.RememberIn
	cmd := &cobra.Command{
		Use: "remember FILE|URL|-", Short: "Keep a file, a page or what comes on stdin",
		Long: `Keeps a file of text, Markdown or HTML, the page at a URL, or with - what comes on
stdin. What is already in the memory, unchanged, is not kept twice. A file is known
by its path and a page by its URL: a later version takes the place of an earlier one.`,
		Args: one("remember", "one file, one URL, or - for stdin"),
		Example: `research-mcp remember notes.md --tag work
  research-mcp remember https://go.dev/doc/effective_go
  pdftotext paper.pdf - | research-mcp remember - --title "The paper"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			got, err := c.remember(cmd, a, args[0], in)
			if err == nil {
				err = c.printKept(got)
			}
			return errors.Join(err, a.Close())
		},
	}
	cmd.Flags().StringVar(&in.Title, "title", "", "its title (default: its own)")
	cmd.Flags().StringArrayVar(&in.Tags, "tag", nil, "a tag to recall it by (repeatable)")
	return cmd
}

func (c *console) remember(cmd *cobra.Command, a *app.App, what string, in app.RememberIn) (app.RememberOut, error) {
	switch {
	case what == "-":
		stream, done := interruptible(cmd.Context(), c.in)
		defer done()
		return a.RememberStream(cmd.Context(), stream, in.Title, in.Tags)
	case strings.Contains(what, "://"): // the tool says what is wrong with another scheme
		in.URL = what
		return a.RememberTool(cmd.Context(), in)
	}
	return a.RememberFile(cmd.Context(), what, in.Title, in.Tags)
}

func (c *console) printKept(got app.RememberOut) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	if got.Deduplicated {
		_, err := fmt.Fprintf(c.out, "Already in the memory, unchanged: %s\n", got.DocumentID)
		return err
	}
	_, err := fmt.Fprintf(c.out, "Kept as %s, %d chunks\n", got.DocumentID, got.Chunks)
	return err
}

// warn tells a person what did not go as it should.
func (c *console) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(c.err, "! "+w)
	}
}
