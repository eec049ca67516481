package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

// listed is how many entries a list has unless --limit says otherwise.
const listed = 50

// limitFlag adds --limit.
func limitFlag(cmd *cobra.Command, limit *int) {
	cmd.Flags().IntVar(limit, "limit", listed, "most entries; 0: all")
}

// checkLimit refuses a negative number of entries.
func checkLimit(limit int) error {
	if limit < 0 {
		return evidence.BadInput(fmt.Sprintf("--limit %d is out of range", limit), "give a positive number, or 0 for all")
	}
	return nil
}

func newSessions(c *console) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "sessions", Short: "List the sessions, the latest first", Args: none,
		Example: `research-mcp sessions
research-mcp sessions --limit 5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.Library().Sessions(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return c.printSessions(list)
			})
		},
	}
	limitFlag(cmd, &limit)
	return cmd
}

// sessionJSON is a session in a list.
type sessionJSON struct {
	ID       string    `json:"session"`
	Title    string    `json:"title"`
	Messages int       `json:"messages"`
	Created  time.Time `json:"created_at"`
	Updated  time.Time `json:"updated_at"`
}

func (c *console) printSessions(list []evidence.Session) error {
	if c.json {
		out := []sessionJSON{}
		for _, s := range list {
			out = append(out, sessionJSON{s.ID, s.Title, s.Messages, s.Created, s.Updated})
		}
		return c.print(map[string]any{"sessions": out})
	}
	rows := [][]string{}
	for _, s := range list {
		rows = append(rows, []string{s.ID, c.day(s.Updated), text.Count(s.Messages, "message"), cmp.Or(s.Title, "(no question yet)")})
	}
	return c.printList(rows, "There is no session yet: `research-mcp chat` begins one.")
}

func newRuns(c *console) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "runs", Short: "List the stored answers, the latest first", Args: none,
		Example: "research-mcp runs --limit 5",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.Library().Runs(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return c.printRuns(list)
			})
		},
	}
	limitFlag(cmd, &limit)
	return cmd
}

func (c *console) printRuns(list []memory.RunInfo) error {
	if c.json {
		return c.print(map[string]any{"runs": list})
	}
	rows := [][]string{}
	for _, r := range list {
		rows = append(rows, []string{r.ID, c.day(r.At), r.Status, short(r.Question, 200)})
	}
	return c.printList(rows, "There is no stored answer yet: `research-mcp ask` stores each.")
}

func newMemoryList(c *console) *cobra.Command {
	var filter memory.DocumentFilter
	var since string
	cmd := &cobra.Command{
		Use: "list", Short: "List the documents, what was read last first", Args: none,
		Long: "Lists the documents, what was read last first. Several flags have to hold together.",
		Example: `research-mcp memory list --limit 10
research-mcp memory list --source file --tag work
research-mcp memory list --since 2026-01-31`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if filter.Since, err = library.ParseTime("--since", since, false, time.Now(), c.zone); err != nil {
				return err
			}
			if err := checkLimit(filter.Limit); err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.Library().Documents(cmd.Context(), filter)
				if err != nil {
					return err
				}
				return c.printDocuments(list)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&filter.Source, "source", "", "only of this source")
	f.StringArrayVar(&filter.Tags, "tag", nil, "only with this tag (repeatable)")
	f.StringVar(&since, "since", "", "only what was read on or after this day, such as 2026-01-31, or moment (RFC 3339)")
	limitFlag(cmd, &filter.Limit)
	return cmd
}

func (c *console) printDocuments(list []evidence.Document) error {
	if c.json {
		return c.print(map[string]any{"documents": list})
	}
	rows := [][]string{}
	for _, d := range list {
		about := cmp.Or(d.Title, "(no title)")
		if len(d.Tags) > 0 {
			about += " [" + strings.Join(d.Tags, ", ") + "]"
		}
		if d.URL != "" {
			about += " " + d.URL
		}
		rows = append(rows, []string{d.ID, c.day(d.Retrieved), d.Source, about})
	}
	return c.printList(rows, "No document is listed: the memory has none, or none that the flags select.")
}

func newMemoryShow(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print a document as it is stored", Args: one("show", "the id of one document"),
		Example: `research-mcp memory show d_2k3v…
research-mcp memory show d_2k3v… --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				d, err := a.Library().Document(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if c.json {
					return c.print(d)
				}
				rows := [][]string{{"id", d.ID}, {"title", d.Title}, {"source", d.Source}, {"address", d.URL}, {"read", c.day(d.Retrieved)},
					{"tags", strings.Join(d.Tags, ", ")}, {"license", d.License}}
				rows = dropEmpty(rows)
				_, err = fmt.Fprintf(c.out, "%s\n%s\n", c.screen.Table(rows, ""), c.screen.Markdown(d.Text, ""))
				return err
			})
		},
	}
}

// dropEmpty removes rows without a value.
func dropEmpty(rows [][]string) [][]string {
	out := rows[:0]
	for _, r := range rows {
		if r[1] != "" {
			out = append(out, r)
		}
	}
	return out
}

// printList prints rows, or what to do if there are none.
func (c *console) printList(rows [][]string, none string) error {
	if len(rows) == 0 {
		c.note(c.hint(none))
		return nil
	}
	_, err := fmt.Fprint(c.out, c.screen.Table(rows, ""))
	return err
}

// day is a date as lists show it.
func (c *console) day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.zone).Format("2006-01-02 15:04")
}
