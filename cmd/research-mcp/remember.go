package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
)

func newRemember(c *console) *cobra.Command {
	var req library.RememberRequest
	cmd := &cobra.Command{
		Use: "remember FILE|URL|-", Short: "Store a file, a page or the text on stdin",
		Long: `Stores a file of text (Markdown, AsciiDoc, reStructuredText, Org or plain, in any
character encoding), HTML, PDF, Office (docx, pptx, xlsx, odt, ods, odp), EPUB, a web
archive (mht), zipped pages, a Jupyter notebook or an e-mail (.eml); the page or file
at a URL; or with - what stdin has. With -, a --title such as notes.rst tells the
markup. What is already in the memory, unchanged, is not stored twice. A file is
identified by its path and a page by its URL: a new version replaces the old one.`,
		Args: one("remember", "one file, one URL, or - for stdin"),
		Example: `research-mcp remember notes.md --tag work
  research-mcp remember https://go.dev/doc/effective_go
  research-mcp remember paper.pdf
  git log | research-mcp remember - --title "The history"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				got, err := c.remember(cmd, a.Library(), args[0], req)
				if err != nil {
					return err
				}
				return c.printKept(got)
			})
		},
	}
	cmd.Flags().StringVar(&req.Title, "title", "", "its title (default: the document's own)")
	cmd.Flags().StringArrayVar(&req.Tags, "tag", nil, "a tag for recall --tag (repeatable)")
	return cmd
}

func (c *console) remember(cmd *cobra.Command, l *library.Library, what string, req library.RememberRequest) (library.RememberResult, error) {
	switch {
	case what == "-":
		stream, done := interruptible(cmd.Context(), c.in)
		defer done()
		return l.RememberStream(cmd.Context(), stream, req.Title, req.Tags)
	case strings.Contains(what, "://"): // with any scheme: Remember names the valid ones
		req.URL = what
		return l.Remember(cmd.Context(), req)
	}
	return l.RememberFile(cmd.Context(), what, req.Title, req.Tags)
}

func (c *console) printKept(got library.RememberResult) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	if got.Deduplicated {
		return c.say("Already in the memory, unchanged: %s", got.DocumentID)
	}
	return c.say("Kept as %s, %s", got.DocumentID, text.Count(got.Chunks, "chunk"))
}

// warn prints warnings to stderr.
func (c *console) warn(warnings []string) {
	for _, w := range warnings {
		c.note("! " + c.hint(w))
	}
}
