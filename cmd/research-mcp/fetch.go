package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
)

func newFetch(c *console) *cobra.Command {
	var req research.ReadRequest
	var budget time.Duration
	cmd := &cobra.Command{
		Use: "fetch [QUERY]", Short: "Read documents from the sources, or pages by their URL", Args: anyWords,
		Example: `research-mcp fetch "goroutine scheduler" --sources wikipedia
  research-mcp fetch --url https://go.dev/doc/effective_go`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Query = strings.Join(args, " ")
			if cmd.Flags().Changed("budget") {
				if err := research.CheckBudget(budget); err != nil {
					return err
				}
				req.Budget = budget
			}
			if err := cmp.Or(research.CheckLimit(req.Limit), req.Check()); err != nil {
				return err
			}
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			p := newProgress(c)
			got, err := a.Engine().Read(cmd.Context(), req, p.observe)
			p.close()
			if err == nil {
				err = c.printRead(got)
			}
			if err == nil && len(got.Documents) == 0 && allFailed(got.Sources) {
				err = nothingRead(got.Sources[0])
			}
			return errors.Join(err, a.Close())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.URLs, "url", nil, "read this page (repeatable)")
	f.StringSliceVar(&req.Sources, "sources", nil, "ask only these sources, such as wikipedia,hackernews")
	f.IntVar(&req.Limit, "limit", research.DefaultRead, "most documents, 1 to 50")
	f.BoolVar(&req.FullText, "full-text", false, "also read the pages that hits link to")
	f.DurationVar(&budget, "budget", 0, "take at most this time (default: the setting research.budget)")
	f.StringVar(&req.Language, "language", "", "language of the sources, such as en (default: the setting language)")
	c.completeFlags(cmd)
	return cmd
}

// nothingRead is the error for a read of which every source failed, with the next step
// that the first failure leaves.
func nothingRead(r evidence.SourceReport) error {
	try := "`research-mcp doctor` shows what can be reached from here"
	scheme, _, _ := strings.Cut(strings.ToLower(r.Name), ":")
	switch isWeb := scheme == "http" || scheme == "https"; {
	case r.Kind == string(fetch.Refused) && !isWeb:
		try = "give an address that begins with https:// or http://; `research-mcp remember` reads a file"
	case r.Kind == string(fetch.Refused):
		try = "give the address of a page that anyone can read; the setting fetch.allow names hosts of your own"
	case r.Kind == string(fetch.NotFound) && isWeb:
		try = "check the address, or ask a source for the page: `research-mcp fetch` with a query"
	}
	return &evidence.Problem{What: "nothing could be read: " + r.Name + ": " + r.Err, Try: try}
}

// allFailed reports whether every source failed. A source that found nothing has
// not failed.
func allFailed(reports []evidence.SourceReport) bool {
	return len(reports) > 0 && !slices.ContainsFunc(reports, func(r evidence.SourceReport) bool {
		return r.Status == evidence.StatusOK || r.Status == evidence.StatusEmpty || r.Status == evidence.StatusCached
	})
}

func (c *console) printRead(got research.ReadResult) error {
	if c.json {
		return c.print(got)
	}
	for _, d := range got.Documents {
		head := c.screen.Wrap(fmt.Sprintf("%s  %s (%s)", d.ID, d.Title, d.Source), "", "  ")
		if _, err := fmt.Fprintf(c.out, "%s\n  %s\n%s\n\n", head, d.URL, c.screen.Wrap(short(d.Text, 400), "  ", "  ")); err != nil {
			return err
		}
	}
	if line := askedLine(got.Sources, got.NotAsked); line != "" {
		c.note(line)
	}
	c.warn(got.Warnings)
	return nil
}
