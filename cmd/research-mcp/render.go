package main

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/terminal"
	words "github.com/research-mcp/research-mcp/internal/text"
)

// printAnswer writes an answer for a person. shown is what of its text is on the screen
// already; it is not printed twice.
func (c *console) printAnswer(a evidence.Answer, shown string) error {
	var b strings.Builder
	if shown == "" || !contains(shown, a.Answer) {
		b.WriteString(c.answerText(a) + "\n")
	}
	if a.Status != evidence.Answered {
		fmt.Fprintf(&b, "\nStatus: %s\n", a.Status)
	}
	if len(a.Citations) > 0 {
		b.WriteString("\n" + c.screen.Heading("Sources") + "\n")
	}
	for _, cite := range a.Citations {
		b.WriteString(c.citation(cite, a.Answer))
	}
	if line := askedLine(a.Sources, a.NotAsked); line != "" {
		b.WriteString("\n" + c.screen.Wrap(line, "", "") + "\n")
	}
	for _, w := range a.Warnings {
		b.WriteString(c.screen.Wrap("! "+c.hint(w), "", "  ") + "\n")
	}
	end := fmt.Sprintf("%s in %d ms, written by %s", a.Status, a.Timing.TotalMS, a.Synthesizer)
	for _, id := range [][2]string{{"session", a.Session}, {"run", a.RunID}} {
		if id[1] != "" { // else it was not stored, and a warning says why
			end += ", " + id[0] + " " + id[1]
		}
	}
	b.WriteString("\n" + c.screen.Wrap(end, "", "") + "\n")
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

// answerText is the text of an answer as the screen shows it.
func (c *console) answerText(a evidence.Answer) string {
	answer := a.Answer
	if a.Status == evidence.Insufficient { // it says what to do next
		answer = c.hint(answer)
	}
	return c.screen.Markdown(answer, "")
}

// citation is a source with its quote, unless the answer has the quote.
func (c *console) citation(cite evidence.Citation, answer string) string {
	head := fmt.Sprintf("[%d] %s (%s)", cite.N, cite.Title, cite.Source)
	if cite.URL != "" {
		head += " " + cite.URL
	}
	out := c.screen.Wrap(head, "  ", "      ") + "\n"
	if !contains(answer, cite.Quote) {
		out += c.screen.Wrap("“"+short(cite.Quote, 300)+"”", "      ", "      ") + "\n"
	}
	return out
}

var (
	citationMark = words.Pattern(`\[\d+\]`)
	notWords     = words.Pattern(`[^\pL\pN]+`)
)

// contains reports whether text has all the words of part in their order, whatever
// markup and citation marks are between them. A part without words is contained.
func contains(text, part string) bool {
	part = wordsOnly(part)
	return strings.TrimSpace(part) == "" || strings.Contains(wordsOnly(text), part)
}

func wordsOnly(text string) string {
	return " " + strings.TrimSpace(notWords().ReplaceAllString(citationMark().ReplaceAllString(text, " "), " ")) + " "
}

// askedLine lists the sources that were asked, grouped by the reason, and those
// that were not.
func askedLine(asked []evidence.SourceReport, rest []evidence.NotAsked) string {
	var reasons []string
	byReason := map[string][]string{}
	for _, s := range asked {
		if byReason[s.Why] == nil {
			reasons = append(reasons, s.Why)
		}
		byReason[s.Why] = append(byReason[s.Why], s.Name)
	}
	var parts []string
	for _, why := range reasons {
		part := strings.Join(byReason[why], ", ")
		if why != "" {
			part += " (" + why + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	line := "Asked: " + strings.Join(parts, "; ")
	if len(rest) > 0 {
		names := make([]string, len(rest))
		for i, r := range rest {
			names[i] = r.Name
		}
		line += ". Not asked: " + strings.Join(names, ", ")
	}
	return line
}

// short is text on one line, cut after n runes.
func short(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}

// Layout of the waterfall.
const (
	waterfallRest = 36 // columns beside the bars
	widestBar     = 40
	narrowestBar  = 4
)

// waterfall draws when each source answered, against the whole.
func (c *console) waterfall(a evidence.Answer) string {
	columns := min(max(c.screen.Prose().Width-waterfallRest, narrowestBar), widestBar)
	slowest := max(a.Timing.SlowestSourceMS, a.Timing.TotalMS, 1)
	sum := int64(0)
	var rows [][]string
	bar := func(ms int64, mark string) string {
		n := int(ms * int64(columns) / slowest)
		return strings.Repeat(mark, n) + strings.Repeat("·", columns-n)
	}
	for _, s := range a.Sources {
		sum += s.LatencyMS
		rows = append(rows, []string{s.Name, bar(s.LatencyMS, "█"), fmt.Sprintf("%5d ms", s.LatencyMS), s.Status})
	}
	rows = append(rows, []string{"whole answer", bar(a.Timing.TotalMS, "▒"), fmt.Sprintf("%5d ms", a.Timing.TotalMS), ""})
	total := fmt.Sprintf("one after the other: %d ms; all at once: %d ms, %d ms more than the slowest source",
		sum, a.Timing.TotalMS, a.Timing.TotalMS-a.Timing.SlowestSourceMS)
	return c.screen.Table(rows, "  ") + c.screen.Wrap(total, "  ", "  ") + "\n"
}

// prose is a text of several paragraphs, such as a command's description, in the width
// of a screen. Lines that follow each other are one paragraph, indented ones stay.
func prose(s terminal.Screen, text string) string {
	s = s.Prose()
	var out, para []string
	flush := func() {
		if len(para) > 0 {
			out = append(out, s.Wrap(strings.Join(para, " "), "", ""))
			para = nil
		}
	}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		switch inner := strings.TrimLeft(line, " "); {
		case inner == "":
			flush()
			out = append(out, "")
		case inner != line:
			flush()
			indent := line[:len(line)-len(inner)]
			command, about, _ := strings.Cut(inner, "  ")
			if about != "" && terminal.Columns(line) > s.Width {
				inner = command + "\n" + s.Wrap(strings.TrimSpace(about), indent+"    ", indent+"    ")
				out = append(out, s.Wrap(command, indent, indent+"  ")+strings.TrimPrefix(inner, command))
				continue
			}
			if terminal.Columns(line) > s.Width {
				line = s.Wrap(inner, indent, indent+"  ")
			}
			out = append(out, line)
		default:
			para = append(para, inner)
		}
	}
	flush()
	return strings.Join(out, "\n")
}
