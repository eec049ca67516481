package tools

import (
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Describe is an event in words, in one line, or empty when it is not one that
// a person who waits wants to see.
func Describe(ev Event) string {
	switch ev.Kind {
	case research.EventPlanned:
		return "asking " + count(ev.Total, "source")
	case research.EventSource:
		if ev.Source != nil {
			return reportLine(*ev.Source)
		}
	case research.EventStage:
		return stageLine(ev.Stage)
	}
	return ""
}

func stageLine(stage string) string {
	switch stage {
	case "rank":
		return "choosing passages"
	case "synthesis":
		return "writing the answer"
	case "verify":
		return "checking the answer against its sources"
	}
	return stage
}

// reportLine is a source's report as in "hackernews: 4 documents in 512 ms".
func reportLine(r evidence.SourceReport) string {
	line := fmt.Sprintf("%s: %s after %d ms", r.Name, r.Status, r.LatencyMS)
	switch r.Status {
	case evidence.StatusOK:
		line = fmt.Sprintf("%s: %s in %d ms", r.Name, count(r.Documents, "document"), r.LatencyMS)
	case evidence.StatusCached:
		line = fmt.Sprintf("%s: %s from the cache", r.Name, count(r.Documents, "document"))
	case evidence.StatusEmpty:
		line = fmt.Sprintf("%s: nothing found in %d ms", r.Name, r.LatencyMS)
	}
	if r.Err != "" { // also of one that answered: not everything, or long ago
		line += ": " + text.Squash(r.Err)
	}
	return line
}

// count is a number of things in words, such as "1 source" or "3 sources".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
