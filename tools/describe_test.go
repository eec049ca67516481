package tools

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	report := func(status, err string, documents int) Event {
		return Event{Kind: research.EventSource, Source: &evidence.SourceReport{Name: "hackernews", Status: status, Documents: documents, LatencyMS: 512, Err: err}}
	}
	for _, tt := range []struct {
		ev   Event
		want string
	}{
		{Event{Kind: research.EventPlanned, Total: 3}, "asking 3 sources"},
		{report(evidence.StatusOK, "", 1), "hackernews: 1 document in 512 ms"},
		{report(evidence.StatusOK, "", 4), "hackernews: 4 documents in 512 ms"},
		{report(evidence.StatusCached, "", 4), "hackernews: 4 documents from the cache"},
		{report(evidence.StatusEmpty, "", 0), "hackernews: nothing found in 512 ms"},
		{report(evidence.StatusTimeout, "", 0), "hackernews: timeout after 512 ms"},
		{report(evidence.StatusError, "HTTP 500\nfrom it", 0), "hackernews: error after 512 ms: HTTP 500 from it"},
		{Event{Kind: research.EventStage, Stage: "synthesis"}, "writing the answer"},
		{Event{Kind: research.EventStage, Stage: "another"}, "another"},
		{Event{Kind: research.EventText, Text: "x"}, ""},
		{Event{Kind: research.EventSource}, ""},
		{Event{Kind: research.EventDone}, ""},
	} {
		if got := Describe(tt.ev); got != tt.want {
			t.Errorf("Describe(%+v) = %q, want %q", tt.ev, got, tt.want)
		}
	}
}
