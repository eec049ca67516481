package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

func newDemo(c *console) *cobra.Command {
	var faults, latencies []string
	cmd := &cobra.Command{
		Use: "demo", Short: "See it work: bundled local sources, no network, nothing installed", Args: none,
		Long: `Starts local servers that imitate Wikipedia and HackerNews, with latencies of 0.8,
1.2 and 0.5 s, and asks three questions in one session. It does not touch your
settings or your memory; settings given with --set apply.`,
		Example: `research-mcp demo
  research-mcp demo --fault wikipedia=hang
  research-mcp demo --latency hackernews=2s --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := c.demoOptions()
			if err != nil {
				return err
			}
			if o.Faults, err = pairs(faults, "--fault wikipedia=fail"); err != nil {
				return err
			}
			if o.Latency, err = durations(latencies); err != nil {
				return err
			}
			d, err := demo.Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			return errors.Join(c.demo(cmd.Context(), d), d.Close())
		},
	}
	cmd.Flags().StringArrayVar(&faults, "fault", nil, "make a source fail: SOURCE=fail|hang|garbage (repeatable)")
	cmd.Flags().StringArrayVar(&latencies, "latency", nil, "set the latency of a source: SOURCE=1.2s (repeatable)")
	return cmd
}

// demoOptions are those of a demo with the settings of the command line, and none of the
// user's others.
func (c *console) demoOptions() (demo.Options, error) {
	set, err := c.setFlags()
	return demo.Options{Log: c.logger("warn"), Settings: set}, err
}

const demoEnd = "This was all local: the pages exist only in this program, so the links open nothing, and its memory ends here, so the ids cannot be looked up. Next:"

const demoNext = `
  research-mcp doctor
  research-mcp ask "How does Go schedule goroutines?"
  research-mcp install --help
`

// demo asks the questions one after the other in one session.
func (c *console) demo(ctx context.Context, d *demo.Demo) error {
	answers := []evidence.Answer{}
	session := ""
	for i, q := range demo.Questions() {
		if !c.json {
			fmt.Fprintf(c.out, "\n%s\n%s\n", strings.Repeat("─", c.screen.Prose().Width), c.screen.Heading(c.screen.Wrap(fmt.Sprintf("Question %d: %s", i+1, q), "", "")))
		}
		answer, shown, err := c.answer(ctx, d.App, research.Request{Question: q, Session: session})
		if err != nil {
			return err
		}
		session = answer.Session
		answers = append(answers, answer)
		if c.json {
			continue
		}
		if err := c.printAnswer(answer, shown); err != nil {
			return err
		}
		fmt.Fprint(c.out, "\n"+c.waterfall(answer))
		if err := c.printSummary(ctx, d.App, session); err != nil {
			return err
		}
	}
	if c.json {
		documents, err := d.Documents(ctx, answers)
		if err != nil {
			return err
		}
		return c.print(map[string]any{"answers": answers, "documents": documents})
	}
	_, err := fmt.Fprint(c.out, "\n"+c.screen.Wrap(demoEnd, "", "")+c.indentedHints(demoNext))
	return err
}

// printSummary prints the rolling summary, which the next question uses.
func (c *console) printSummary(ctx context.Context, a *app.App, session string) error {
	s, err := a.Library().Session(ctx, session)
	if err != nil || s.Summary == "" {
		return err
	}
	_, err = fmt.Fprintln(c.out, c.screen.Wrap("Rolling summary of the session: "+s.Summary, "  ", "  "))
	return err
}

// pairs splits NAME=VALUE flags.
func pairs(flags []string, example string) (map[string]string, error) {
	out := map[string]string{}
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" || value == "" {
			return nil, evidence.BadInput(fmt.Sprintf("%q is not SOURCE=VALUE", f), "write it like "+example)
		}
		out[name] = value
	}
	return out, nil
}

func durations(flags []string) (map[string]time.Duration, error) {
	texts, err := pairs(flags, "--latency wikipedia=1.2s")
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	for name, value := range texts {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > time.Minute {
			return nil, evidence.BadInput(fmt.Sprintf("%q is not a latency for %s", value, name), "give a time from 0s to 1m, such as 1.2s")
		}
		out[name] = d
	}
	return out, nil
}
