package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/terminal"
	"github.com/research-mcp/research-mcp/internal/text"
)

func newRemember(c *console) *cobra.Command {
	var req library.RememberRequest
	cmd := &cobra.Command{
		Use: "remember FILE|FOLDER|URL|-", Short: "Store a file, all files of a folder, a page or the text on stdin",
		Long: `Stores a file of text (Markdown, AsciiDoc, reStructuredText, Org or plain, in any
character encoding), HTML, PDF, Office (docx, pptx, xlsx, odt, ods, odp), EPUB, a web
archive (mht), zipped pages, a Jupyter notebook or an e-mail (.eml); the page or file
at a URL; or with - what stdin has. With -, a --title such as notes.rst tells the
markup. What is already in the memory, unchanged, is not stored twice. A file is
identified by its path and a page by its URL: a new version replaces the old one.

Of a folder the files with these endings are stored, those in folders within it included,
but not hidden ones. Files that were not changed since are not read again, so that what was
interrupted continues when the command is repeated. A file that cannot be read is named, and
the exit code is 1.`,
		Args: one("remember", "one file, one folder, one URL, or - for stdin"),
		Example: `research-mcp remember notes.md --tag work
  research-mcp remember https://go.dev/doc/effective_go
  research-mcp remember paper.pdf
  research-mcp remember ~/notes --tag notes
  git log | research-mcp remember - --title "The history"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
					return c.rememberFolder(cmd.Context(), a.Library(), args[0], req)
				}
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

func (c *console) rememberFolder(ctx context.Context, l *library.Library, dir string, req library.RememberRequest) error {
	if req.Title != "" {
		return evidence.BadInput(fmt.Sprintf("%s is a folder, whose files have titles of their own", dir), "leave out --title, or name one file")
	}
	r, err := l.RememberFolder(ctx, dir, req.Tags, c.folderProgress())
	if err != nil {
		if r.Done() > 0 {
			c.note(fmt.Sprintf("! %d of %s are stored; repeat the command to continue", r.Kept+r.Unchanged, text.Count(r.Files, "file")))
		}
		return err
	}
	if c.json {
		err = c.print(r)
	} else {
		c.warn(r.Warnings)
		err = c.say("Kept %s, %s; %d unchanged", text.Count(r.Kept, "file"), text.Count(r.Chunks, "chunk"), r.Unchanged)
	}
	if r.Failed > 0 {
		err = errors.Join(err, &evidence.Problem{What: fmt.Sprintf("%d of %s could not be read", r.Failed, text.Count(r.Files, "file")),
			Try: "see the warnings; the others are stored"})
	}
	return err
}

// folderProgress redraws the progress on a terminal, and writes a line for each 1,000 files
// elsewhere.
func (c *console) folderProgress() func(library.FolderResult) {
	return func(r library.FolderResult) {
		line := fmt.Sprintf("%d of %s, %s", r.Done(), text.Count(r.Files, "file"), text.Count(r.Chunks, "chunk"))
		switch {
		case c.live():
			end := ""
			if r.Done() == r.Files {
				end = "\n"
			}
			fmt.Fprint(c.err, c.notes.Redraw(terminal.Cut(line, c.notes.Width-1)+end))
		case r.Done()%1000 == 0:
			c.note(line)
		}
	}
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
