// Package research answers questions: it plans keywords, gathers documents from
// sources and the memory concurrently, digests and ranks them, has an answer
// written, verifies each of its sentences, and stores it. It knows no HTTP, MCP or
// SQL: it uses the library and the interfaces that are declared here.
package research

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Source finds documents. Search is safe for concurrent use, ends when ctx does,
// and returns at most q.Limit documents, best first, and not nil on success. A
// panic is reported as the source's error.
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

// Local is a Source that may search this machine, which costs no requests: it is
// asked for more documents than others.
type Local interface {
	Source
	Local() bool
}

// Replayed is a Source that replays a recording.
type Replayed interface {
	Source
	// GivenUp returns the error in the report of a search that was not waited for,
	// or "" for one that was. With linksOnly its documents came in time, and the
	// pages that they link to did not.
	GivenUp(q evidence.Query) (report string, linksOnly bool)
}

// Analyst computes the statistics of what was read. A failure is its Status.
type Analyst interface {
	Analyse(ctx context.Context, in evidence.AnalysisInput) evidence.Analysis
}
