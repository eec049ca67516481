package tools

import (
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Describe returns an event as one line of text, or "" for an event that is not
// shown as progress.
func Describe(ev Event) string {
	switch ev.Kind {
	case research.EventPlanned:
		return "asking " + text.Count(ev.Total, "source")
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

// reportLine renders a source's report as in "hackernews: 4 documents in 512 ms".
func reportLine(r evidence.SourceReport) string {
	line := fmt.Sprintf("%s: %s after %d ms", r.Name, r.Status, r.LatencyMS)
	switch r.Status {
	case evidence.StatusOK:
		line = fmt.Sprintf("%s: %s in %d ms", r.Name, text.Count(r.Documents, "document"), r.LatencyMS)
	case evidence.StatusCached:
		line = fmt.Sprintf("%s: %s from the cache", r.Name, text.Count(r.Documents, "document"))
	case evidence.StatusEmpty:
		line = fmt.Sprintf("%s: nothing found in %d ms", r.Name, r.LatencyMS)
	}
	if r.Err != "" { // a source that answered can have one: incomplete, or stale
		line += ": " + defuse(text.Squash(r.Err), "")
	}
	return line
}
