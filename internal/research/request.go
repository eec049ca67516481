package research

import (
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Depths of a request: how many keywords are asked, and how much is read.
const (
	DepthQuick    = "quick"
	DepthStandard = "standard"
	DepthDeep     = "deep"
)

// Request is one question and its bounds. A zero field means the engine's
// default.
type Request struct {
	Question  string        // as the person asked it
	Session   string        // a thread to go on with; empty starts a new one
	Sources   []string      // names to ask; empty leaves the choice to the engine
	Depth     string        // DepthQuick, DepthStandard or DepthDeep
	Budget    time.Duration // an answer stands when it is spent, if only a partial one
	MaxTokens int           // of the answer
	Language  string        // BCP 47 primary subtag, such as "en"
}

// Kinds of events.
const (
	EventPlanned = "planned" // Total is how many sources are asked
	EventSource  = "source"  // Source reports; Done of Total have done so
	EventStage   = "stage"   // Stage begins
	EventText    = "text"    // Text is the next piece of the answer's prose
	EventDone    = "done"    // the answer stands
)

// GivenUp lists searches of a source that are not waited for, by keyword.
type GivenUp struct {
	Topics []string // nothing came
	Links  []string // the documents came, and the pages that they link to did not
}

// Event is one step on the way to an answer. Which fields are set depends on
// Kind.
type Event struct {
	Kind        string
	Source      *evidence.SourceReport
	GivenUp     *GivenUp // with Source: searches that are not waited for; nil: none
	Stage       string
	Text        string
	Done, Total int
}
