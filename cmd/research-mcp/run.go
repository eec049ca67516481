package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Formats of a stored answer.
const (
	formatMarkdown = "markdown"
	formatJSON     = "json"
)

func newRun(c *console) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "run R_ID", Short: "Show a stored answer again", Args: exactly(1, "one run id, as `research-mcp runs` lists them"),
		Example: `research-mcp run r_2k3v…
research-mcp run r_2k3v… --format markdown > answer.md`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch format {
			case "", formatMarkdown, formatJSON:
			default:
				return evidence.BadInput(fmt.Sprintf("there is no format %q", format), "choose markdown or json")
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				answer, err := a.Library().Run(cmd.Context(), args[0])
				switch {
				case err != nil:
					return err
				case format == formatJSON:
					return c.print(answer)
				case format == formatMarkdown && !c.json:
					_, err := fmt.Fprint(c.out, answerMarkdown(answer))
					return err
				}
				return c.show(answer, "")
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "markdown (a document of its own) or json; without it, as `ask` shows it")
	cmd.ValidArgsFunction = c.completeRuns
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{formatMarkdown, formatJSON}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// answerMarkdown is an answer as a Markdown document.
func answerMarkdown(a evidence.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", strings.Join(strings.Fields(a.Question), " "), strings.TrimSpace(a.Answer))
	if a.Status != evidence.Answered {
		fmt.Fprintf(&b, "\nStatus: %s\n", a.Status)
	}
	if len(a.Citations) > 0 {
		b.WriteString("\n## Sources\n\n")
	}
	for _, cite := range a.Citations {
		title := inert(cite.Title)
		if at := webAddress(cite.URL); at != "" {
			title = fmt.Sprintf("[%s](<%s>)", title, at)
		}
		fmt.Fprintf(&b, "%d. %s (%s)\n", cite.N, title, inert(cite.Source))
		if !contains(a.Answer, cite.Quote) {
			fmt.Fprintf(&b, "   > %s\n", inert(short(cite.Quote, 300)))
		}
	}
	for _, w := range a.Warnings {
		fmt.Fprintf(&b, "\nNote: %s\n", inert(w))
	}
	return b.String()
}

// inert is foreign text on one line of a Markdown document, in which nothing is Markdown,
// HTML or a link, not even an address by itself.
func inert(foreign string) string {
	var b strings.Builder
	line := []rune(strings.Join(strings.Fields(foreign), " "))
	for i, r := range line {
		switch {
		case r == '<':
			b.WriteString("&lt;")
			continue
		case r == '&':
			b.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\`*_[]>!|~@$", r),
			r == ':' && i+1 < len(line) && line[i+1] != ' ',                        // a scheme, such as https:
			r == '.' && i >= 3 && strings.EqualFold(string(line[i-3:i]), "www"),    // is a link in many dialects
			i == 0 && strings.ContainsRune("#+-=", r),                              // heading, list, rule
			i > 0 && strings.ContainsRune(".)", r) && onlyDigits(string(line[:i])): // numbered list
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func onlyDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// webAddress is an address that a Markdown document may lead to, or "".
func webAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return strings.NewReplacer("<", "%3C", ">", "%3E", "\\", "%5C", "\n", "%0A").Replace(u.String())
}
