package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// width of prose on a terminal.
const width = 88

// printAnswer writes an answer for a person.
func (c *console) printAnswer(a evidence.Answer) error {
	var b strings.Builder
	answer := a.Answer
	if a.Status == evidence.Insufficient { // it says what to do next
		answer = c.hint(answer)
	}
	b.WriteString(wrap(answer, width, "") + "\n")
	if a.Status != evidence.Answered {
		fmt.Fprintf(&b, "\nStatus: %s\n", a.Status)
	}
	if len(a.Citations) > 0 {
		b.WriteString("\nSources\n")
	}
	for _, cite := range a.Citations {
		fmt.Fprintf(&b, "  [%d] %s (%s) %s\n%s\n", cite.N, cite.Title, cite.Source, cite.URL,
			wrap("“"+short(cite.Quote, 300)+"”", width, "      "))
	}
	if line := askedLine(a.Sources, a.NotAsked); line != "" {
		b.WriteString("\n" + wrap(line, width, "") + "\n")
	}
	for _, w := range a.Warnings {
		b.WriteString(wrap("! "+c.hint(w), width, "") + "\n")
	}
	fmt.Fprintf(&b, "\n%s in %d ms, written by %s, session %s, run %s\n", a.Status, a.Timing.TotalMS, a.Synthesizer, a.Session, a.RunID)
	_, err := fmt.Fprint(c.out, b.String())
	return err
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

// wrap breaks text at spaces into lines of at most n runes behind indent.
func wrap(text string, n int, indent string) string {
	var out []string
	for _, para := range strings.Split(text, "\n") {
		line := indent
		for _, word := range strings.Fields(para) {
			if utf8.RuneCountInString(line)+utf8.RuneCountInString(word) >= n && strings.TrimSpace(line) != "" {
				out = append(out, strings.TrimRight(line, " "))
				line = indent
			}
			line += word + " "
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.Join(out, "\n")
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

// waterfall draws when each source answered, against the whole.
func waterfall(a evidence.Answer) string {
	const columns = 40
	slowest := max(a.Timing.SlowestSourceMS, a.Timing.TotalMS, 1)
	sum := int64(0)
	var b strings.Builder
	for _, s := range a.Sources {
		sum += s.LatencyMS
		n := int(s.LatencyMS * columns / slowest)
		fmt.Fprintf(&b, "  %-18s %s%s %5d ms  %s\n", s.Name, strings.Repeat("█", n), strings.Repeat("·", columns-n), s.LatencyMS, s.Status)
	}
	n := int(a.Timing.TotalMS * columns / slowest)
	fmt.Fprintf(&b, "  %-18s %s%s %5d ms\n", "whole answer", strings.Repeat("▒", n), strings.Repeat("·", columns-n), a.Timing.TotalMS)
	fmt.Fprintf(&b, "  one after the other: %d ms; all at once: %d ms, %d ms more than the slowest source\n",
		sum, a.Timing.TotalMS, a.Timing.TotalMS-a.Timing.SlowestSourceMS)
	return b.String()
}
