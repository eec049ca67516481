package evidence

import "time"

// Verdicts on a claim.
const (
	Supported   = "supported"
	Weak        = "weak"
	Unsupported = "unsupported"
)

// Statuses of an answer.
const (
	Answered     = "answered"
	Partial      = "partial"      // an answer, but something that was asked for is missing: see Warnings
	Insufficient = "insufficient" // nothing that was read answers the question
	Pending      = "pending"      // of a result in an answer's place: its run is still being worked on
)

// Statuses of a source in a report.
const (
	StatusOK        = "ok"
	StatusEmpty     = "empty" // it was asked, it answered, it has nothing
	StatusCached    = "cached"
	StatusTimeout   = "timeout"
	StatusThrottled = "throttled"
	StatusError     = "error"
	StatusSkipped   = "skipped"
)

// Citation is a verbatim quote: Quote == Document.Text[Start:End].
type Citation struct {
	N          int       `json:"n"`
	Title      string    `json:"title"`
	URL        string    `json:"url"`
	Source     string    `json:"source"`
	Quote      string    `json:"quote"`
	Start      int       `json:"start"`
	End        int       `json:"end"`
	DocumentID string    `json:"document_id"`
	Retrieved  time.Time `json:"retrieved_at"`
}

// Claim is one sentence of the answer and what the cited spans say of it.
type Claim struct {
	Text      string `json:"text"`
	Citations []int  `json:"citations"`
	Verdict   string `json:"verdict"` // Supported, Weak or Unsupported
	Why       string `json:"why"`
}

// SourceReport is how one source fared. Its error is data, never the answer's.
type SourceReport struct {
	Name      string `json:"name"`
	Why       string `json:"why,omitempty"` // it was asked
	Status    string `json:"status"`
	Documents int    `json:"documents"`
	LatencyMS int64  `json:"latency_ms"`
	Err       string `json:"error"`

	// Kind says what the error is, where the source knows: throttled, forbidden
	// (401, 403), not found (404, 410), server (5xx), content type (HTML where JSON
	// was due), malformed (JSON of another shape), api (an error inside a good
	// answer), timeout, unreachable, broken (not asked after failures), …
	Kind       string `json:"kind,omitempty"`
	AgeSeconds int64  `json:"age_seconds,omitempty"` // of the oldest answer that was kept from earlier
}

// NotAsked is a source that is on and was left out, and what it is for.
type NotAsked struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// TermCount is a keyword and how often it occurs.
type TermCount struct {
	Term  string `json:"term"`
	Count int    `json:"count"`
}

// TopDocument is a document that matters most for the question.
type TopDocument struct {
	Title  string  `json:"title"`
	URL    string  `json:"url"`
	Source string  `json:"source"`
	Score  float64 `json:"score"`
}

// Analysis are the statistics of what was read, made in an isolated process.
type Analysis struct {
	Status        string         `json:"status"` // ok, timeout, error, skipped
	Documents     int            `json:"documents"`
	BySource      map[string]int `json:"by_source"`
	MeanRelevance float64        `json:"mean_relevance"`
	Keywords      []TermCount    `json:"keywords"`
	TopDocuments  []TopDocument  `json:"top_documents"`
	Err           string         `json:"error,omitempty"`
}

// AnalysisInput is what the isolated process reads.
type AnalysisInput struct {
	Question  string             `json:"question"`
	Documents []Document         `json:"documents"`
	Relevance map[string]float64 `json:"relevance,omitempty"` // document id to 0..1
}

// Timing is how long each step of an answer took, in milliseconds. Steps
// overlap, so they do not add up to TotalMS.
type Timing struct {
	TotalMS         int64 `json:"total_ms"`
	PlanMS          int64 `json:"plan_ms"`
	GatherMS        int64 `json:"gather_ms"`
	SlowestSourceMS int64 `json:"slowest_source_ms"`
	DigestMS        int64 `json:"digest_ms"`
	RankMS          int64 `json:"rank_ms"`
	SynthesisMS     int64 `json:"synthesis_ms"`
	VerifyMS        int64 `json:"verify_ms"`
}

// RankedPassage is a passage that an answer can be written from:
// Text == Document.Text[Start:End], in bytes.
type RankedPassage struct {
	DocumentID string   `json:"document_id"`
	Title      string   `json:"title"`
	URL        string   `json:"url"`
	Source     string   `json:"source,omitempty"` // answers that were stored by earlier versions lack it
	Heading    []string `json:"heading"`          // path of headings above it, outermost first
	Text       string   `json:"text"`
	Start      int      `json:"start"`
	End        int      `json:"end"`
	Score      float64  `json:"score"` // compares passages of one answer only
}

// MemoryReport is what the memory gave to an answer.
type MemoryReport struct {
	Hits  int    `json:"hits"`
	Index string `json:"index"`
	Err   string `json:"error"`
}

// Answer is the whole truth of one question: what `research` returns and what
// `ask --json` prints. Slices and maps are never nil,
// but for NotAsked.
type Answer struct {
	Question  string         `json:"question"`
	Session   string         `json:"session"`
	RunID     string         `json:"run_id"`
	Status    string         `json:"status"`
	Answer    string         `json:"answer"` // Markdown with [1] marks
	Claims    []Claim        `json:"claims"`
	Citations []Citation     `json:"citations"`
	Sources   []SourceReport `json:"sources"`
	NotAsked  []NotAsked     `json:"not_asked,omitempty"` // nil when the caller chose, or all were asked
	Topics    []string       `json:"topics"`              // the keywords that the sources were asked with
	Memory    MemoryReport   `json:"memory"`
	Analysis  Analysis       `json:"analysis"`
	Timing    Timing         `json:"timing"`

	// Confidence is the probability, 0 to 1, that the answer is right; 0: not known.
	Confidence float64         `json:"confidence"`
	Evidence   []RankedPassage `json:"evidence,omitempty"` // what the answer was made from, best first

	Synthesizer string   `json:"synthesizer"`
	Embedder    string   `json:"embedder"`
	Warnings    []string `json:"warnings"`
}
