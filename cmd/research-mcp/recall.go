package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/library"
)

func newRecall(c *console) *cobra.Command {
	var req library.RecallRequest
	var since, until string
	cmd := &cobra.Command{
		Use: "recall QUERY", Short: "Search the memory", Args: anyWords,
		Example: `research-mcp recall "how goroutines are scheduled" -k 5
  research-mcp recall goroutines --since 2026-01-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if req.Query, err = c.words(cmd.Context(), "query", args); err != nil {
				return err
			}
			if req.Query == "" && len(args) == 0 {
				return missing(cmd, "query")
			}
			if req.Since, err = library.ParseTime("--since", since, false, time.Now(), c.zone); err != nil {
				return err
			}
			if req.Until, err = library.ParseTime("--until", until, true, time.Now(), c.zone); err != nil {
				return err
			}
			if err := cmp.Or(library.CheckHits(req.K), req.Check()); err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				got, err := a.Library().Recall(cmd.Context(), req)
				if err != nil {
					return err
				}
				return c.printHits(req, got)
			})
		},
	}
	f := cmd.Flags()
	f.IntVarP(&req.K, "k", "k", library.DefaultHits, "most hits, 1 to 50")
	f.StringVar(&req.Source, "source", "", "only from this source")
	f.StringVar(&req.Session, "session", "", "only what this session read")
	f.StringArrayVar(&req.Tags, "tag", nil, "only what has this tag (repeatable)")
	f.StringVar(&since, "since", "", "only what was read on or after this day of the local time zone, such as 2026-01-31, 7d (ago) or 2026-01, or moment (RFC 3339)")
	f.StringVar(&until, "until", "", "only what was read on or before this day or moment")
	c.completeFlags(cmd)
	return cmd
}

// nothingRecalled says what to do after a search without hits: with filters, they are the
// likeliest reason.
func nothingRecalled(req library.RecallRequest) string {
	var filters []string
	for _, tag := range req.Tags {
		filters = append(filters, "--tag "+tag)
	}
	for flag, set := range map[string]bool{"--since": !req.Since.IsZero(), "--until": !req.Until.IsZero()} {
		if set {
			filters = append(filters, flag)
		}
	}
	if req.Source != "" {
		filters = append(filters, "--source "+req.Source)
	}
	if req.Session != "" {
		filters = append(filters, "--session "+req.Session)
	}
	if len(filters) == 0 {
		return "Nothing in the memory matches. It grows with each question that you ask."
	}
	slices.Sort(filters)
	return "Nothing in the memory matches with " + strings.Join(filters, ", ") + ". Leave it out to search everything; `research-mcp memory list` shows sources and tags."
}

// tagList is how the tags of a document are shown behind its id.
func tagList(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "  tags " + strings.Join(tags, ", ")
}

func (c *console) printHits(req library.RecallRequest, got library.RecallResult) error {
	if c.json {
		return c.print(got)
	}
	c.warn(got.Warnings)
	if len(got.Hits) == 0 {
		return c.say("%s", c.hint(nothingRecalled(req)))
	}
	for i, h := range got.Hits {
		read := ""
		if !h.Retrieved.IsZero() {
			read = ", read " + h.Retrieved.In(c.zone).Format(time.DateOnly)
		}
		var b strings.Builder
		head := fmt.Sprintf("%2d. %s (%s%s) %.2f", i+1, h.Title, h.Source, read, h.Score)
		b.WriteString(c.screen.Wrap(head, strings.Repeat(" ", len(head)-len(strings.TrimLeft(head, " "))), "    ") + "\n")
		if h.URL != "" {
			b.WriteString("    " + h.URL + "\n")
		}
		if line := strings.TrimSpace(h.DocumentID + tagList(h.Tags)); line != "" {
			b.WriteString(c.screen.Wrap(line, "    ", "    ") + "\n")
		}
		b.WriteString(c.screen.Wrap(short(h.Text, 400), "    ", "    ") + "\n")
		if _, err := fmt.Fprint(c.out, b.String()); err != nil {
			return err
		}
	}
	return nil
}
