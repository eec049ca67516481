package tools

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// longestURL is how much of an address is shown, in bytes.
const longestURL = 2000

// line returns foreign text on one line of at most n bytes.
func line(s string, n int) string {
	s, _ = text.Clean(s)
	return ellipsis(text.Squash(s), n)
}

// outcome renders how each source fared, on one line and without its error's text.
func outcome(reports []evidence.SourceReport) string {
	parts := make([]string, len(reports))
	for i, r := range reports {
		switch r.Status {
		case evidence.StatusOK:
			parts[i] = fmt.Sprintf("%s %d (%d ms)", r.Name, r.Documents, r.LatencyMS)
		case evidence.StatusCached:
			parts[i] = fmt.Sprintf("%s %d (cached)", r.Name, r.Documents)
		default:
			parts[i] = r.Name + " " + r.Status
		}
	}
	return strings.Join(parts, "; ")
}

// writeSources renders which sources were asked and which were not.
func writeSources(b *strings.Builder, reports []evidence.SourceReport, rest []evidence.NotAsked) {
	if len(reports) > 0 {
		fmt.Fprintf(b, "\nSources asked: %s\n", outcome(reports))
	}
	if len(rest) > 0 {
		names := make([]string, len(rest))
		for i, r := range rest {
			names[i] = r.Name
		}
		fmt.Fprintf(b, "Not asked, unless named in sources: %s\n", strings.Join(names, ", "))
	}
}

// troubles are the sources' errors and the warnings, one on a line. Both may quote what
// a server sent, so they are foreign text.
func troubles(reports []evidence.SourceReport, warnings []string) string {
	var b strings.Builder
	for _, r := range reports {
		if r.Err != "" { // a source that answered can have one: incomplete, or stale
			fmt.Fprintf(&b, "- %s: %s\n", r.Name, line(r.Err, 160))
		}
	}
	for _, w := range warnings {
		fmt.Fprintf(&b, "- %s\n", line(w, 400))
	}
	return b.String()
}

// footer renders what follows a result: the outcome of the sources, the warnings, and
// what was left out.
func footer(b *strings.Builder, word string, reports []evidence.SourceReport, rest []evidence.NotAsked, warnings []string, omitted string) {
	writeSources(b, reports, rest)
	if lines := troubles(reports, warnings); lines != "" {
		b.WriteByte('\n')
		fence(b, word, "warnings, which may quote servers", lines)
	}
	writeOmitted(b, omitted)
}

func writeOmitted(b *strings.Builder, omitted string) {
	if omitted != "" {
		fmt.Fprintf(b, "\nNote: %s\n", omitted)
	}
}

// titled is a document's text below its title.
func titled(title, body string) string {
	if title = line(title, 160); title == "" {
		return body
	}
	return title + "\n\n" + body
}

// details joins what is known about a document: "(a; b; c)", without the empty parts.
func details(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// date is the day of t in zone, or "" for the zero time.
func date(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(time.DateOnly)
}

// day renders a date behind a word, or nothing for the zero time.
func day(word string, t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return word + " " + date(t, zone)
}

// tagList renders tags, of which the assistant may ask again.
func tagList(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = line(t, maxName)
	}
	return "tags " + strings.Join(names, ", ")
}

// heading is a passage's path of headings below its document's title.
func heading(title string, path []string) string {
	parts := []string{line(title, 160)}
	for _, h := range path {
		parts = append(parts, line(h, 80))
	}
	parts = slices.DeleteFunc(slices.Compact(parts), func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return "untitled"
	}
	return strings.Join(parts, " › ")
}

// address renders a document's id and URL.
func address(id, url string) string {
	s := line(id, maxID)
	if url != "" {
		s += " " + line(url, longestURL)
	}
	return strings.TrimSpace(s)
}

// writeWarnings renders the warnings of a result without foreign text.
func writeWarnings(b *strings.Builder, warnings []string) {
	if len(warnings) == 0 {
		return
	}
	b.WriteString("\nWarnings:\n")
	for _, w := range warnings {
		fmt.Fprintf(b, "- %s\n", line(w, 400))
	}
}
