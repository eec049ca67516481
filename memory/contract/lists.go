package contract

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// MaxListed is the most entries of one list: more are for an export.
const MaxListed = 10_000

// Lister lists what the memory holds, the newest first. A limit of 0 or less, or above
// MaxListed, is MaxListed. Lists are never nil.
type Lister interface {
	// ListDocuments returns documents without their texts, by the time at which they
	// were last retrieved. The conditions of the filter are joined by AND.
	ListDocuments(ctx context.Context, filter DocumentFilter) ([]evidence.Document, error)
	// ListSessions returns sessions without turns, by the time of their last change.
	ListSessions(ctx context.Context, limit int) ([]evidence.Session, error)
	// ListRuns returns what the stored answers are, by the time at which they were stored.
	ListRuns(ctx context.Context, limit int) ([]RunInfo, error)
}

// DocumentFilter selects documents. Zero fields do not filter.
type DocumentFilter struct {
	Source string
	Tags   []string  // a document has all of them
	Since  time.Time // last retrieved at this moment or later
	Limit  int
}

// RunInfo describes a stored answer.
type RunInfo struct {
	ID       string    `json:"run_id"`
	Session  string    `json:"session"`
	Question string    `json:"question"`
	Status   string    `json:"status"`
	At       time.Time `json:"at"`
}
