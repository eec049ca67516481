// Package research is the engine: it plans a question, gathers from sources and
// memory at once, digests, ranks, has an answer written, verifies each sentence
// of it, and remembers. It speaks no HTTP, no MCP and no SQL; what it consumes
// it declares here.
package research

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Source is one place to ask. Search is safe for concurrent use, ends as soon
// as ctx does, returns at most q.Limit documents, best first, and never nil on
// success. It may panic: the engine turns that into the source's report.
type Source interface {
	Name() string
	Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error)
}

// Origin says how a source came by an answer.
type Origin struct {
	Cached bool          // all of it was kept from earlier: nobody was asked
	Stale  bool          // some of it is past its time, because the place could not be asked
	Age    time.Duration // of its oldest kept part
}

// Tracer is a Source that can tell the origin of an answer. SearchTraced is
// Search, and as safe.
type Tracer interface {
	Source
	SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, Origin, error)
}

// Timed is a Source with a timeout of its own: the longest that one search spends
// on the wire.
type Timed interface {
	Source
	Timeout() time.Duration
}

// Memory keeps documents. Put is durable when it returns; Recall never returns
// nil Hits on success. Both are safe for concurrent use and return ctx's error
// when ctx ended before they were done.
type Memory interface {
	Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error)
	Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error)
	// Document is the stored document with its text, or false when there is none.
	Document(ctx context.Context, id string) (evidence.Document, bool, error)
}

// Sessions keep threads of questions.
type Sessions interface {
	// Open returns the session, or a new one for an empty id. An id that is not
	// there is an *evidence.Problem.
	Open(ctx context.Context, id string) (evidence.Session, error)
	// Append commits the turns, in order, before it returns. A session that is
	// not there yet begins with them.
	Append(ctx context.Context, id string, turns ...evidence.Turn) error
	// Fold replaces the turns up to and including seq to by summary, if nobody
	// folded the session since from was its SummaryTo; it reports whether it did.
	Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error)
}

// Analyst makes statistics of what was read. Its failure is data: a status.
type Analyst interface {
	Analyse(ctx context.Context, in evidence.AnalysisInput) evidence.Analysis
}
