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

// Tracer is a Source that reports the origin of its documents. SearchTraced is
// otherwise like Search.
type Tracer interface {
	Source
	SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error)
}

// Timed is a Source with a timeout of its own: the longest that one search spends
// on the wire.
type Timed interface {
	Source
	Timeout() time.Duration
}

// Replayed is a Source that replays a recording.
type Replayed interface {
	Source
	// GivenUp returns the error in the report of a search that was not waited for,
	// or "" for one that was. With linksOnly its documents came in time, and the
	// pages that they link to did not.
	GivenUp(q evidence.Query) (report string, linksOnly bool)
}

// Analyst makes statistics of what was read. Its failure is data: a status.
type Analyst interface {
	Analyse(ctx context.Context, in evidence.AnalysisInput) evidence.Analysis
}
