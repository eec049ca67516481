package research

import (
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Depths of a request: how many keywords are used, and how much is read.
const (
	DepthQuick    = "quick"
	DepthStandard = "standard"
	DepthDeep     = "deep"
)

// Request is one question and its limits. A zero field means its default, which
// for Budget and Language is the Config's.
type Request struct {
	Question  string        // as the person asked it
	Session   string        // id of the session to continue; empty starts a new one
	Sources   []string      // names to ask; empty leaves the choice to the engine
	Depth     string        // DepthQuick, DepthStandard or DepthDeep
	Budget    time.Duration // by its end an answer is returned, perhaps a partial one
	MaxTokens int           // of the answer
	Language  string        // BCP 47 primary subtag, such as "en"
	Run       string        // only for Ask: the id of a run whose answer is wanted; Question is empty, or the run's own
}

// Kinds of events.
const (
	EventPlanned   = "planned"   // Total sources are asked, whose names are Sources
	EventSource    = "source"    // Source has reported, Done of Total
	EventStage     = "stage"     // Stage begins
	EventText      = "text"      // Text is the next piece of the answer, quoted from the sources
	EventWriting   = "writing"   // the model named by Stage begins to write; all EventText has been sent
	EventRewritten = "rewritten" // Text, a model's answer, replaces that of all EventText
	EventDone      = "done"      // the answer is complete
)

// GivenUp lists searches of a source that are not waited for, by keyword.
type GivenUp struct {
	Topics []string // nothing came
	Links  []string // the documents came, and the pages that they link to did not
}

// Event is a step of answering. Kind determines which fields are set.
type Event struct {
	Kind        string
	Source      *evidence.SourceReport
	GivenUp     *GivenUp // with Source: searches that are not waited for; nil: none
	Stage       string
	Sources     []string // names
	Parts       []string // that a model divided the question into; nil: none
	Text        string
	Done, Total int
}
