package contract

import (
	"io"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Writer and Reader are io's, named here so that the contract reads alone.
type (
	Writer = io.Writer
	Reader = io.Reader
)

// Selector says what to forget. A document goes when any of the fields that are
// set selects it; a selector with nothing set is refused.
type Selector struct {
	IDs     []string  // ids of documents
	URL     string    // documents of exactly this address
	Source  string    // documents of this source
	Session string    // the session with its turns and runs, and the documents that only it put
	Before  time.Time // documents last retrieved before this moment
	Confirm bool      // yes, even when it is more than ConfirmAbove documents
}

// Empty reports whether nothing is selected.
func (s Selector) Empty() bool {
	return len(s.IDs) == 0 && s.URL == "" && s.Source == "" && s.Session == "" && s.Before.IsZero()
}

// ModelStats is how far one vector space covers the memory.
type ModelStats struct {
	Name      string `json:"name"`
	Revision  string `json:"revision"`
	Kind      string `json:"kind"`
	Dims      int    `json:"dims"`
	Documents int    `json:"documents"` // that have vectors in this space
	Active    bool   `json:"active"`
}

// Stats is what the memory holds. Slices and maps are never nil.
type Stats struct {
	Backend   string         `json:"backend"`
	Path      string         `json:"path"`
	Schema    int            `json:"schema"`
	Documents int            `json:"documents"`
	Chunks    int            `json:"chunks"`
	TextBytes int64          `json:"text_bytes"`
	Bytes     int64          `json:"bytes"` // on disk, with the write-ahead log
	Sessions  int            `json:"sessions"`
	Turns     int            `json:"turns"`
	Runs      int            `json:"runs"`
	BySource  map[string]int `json:"by_source"`
	Embedder  string         `json:"embedder"` // the active model, empty when there is none
	Models    []ModelStats   `json:"models"`
	Index     string         `json:"index"` // evidence.IndexReady, IndexWarming or IndexLexical
	Indexed   int            `json:"indexed"`
	Reindex   *Progress      `json:"reindex,omitempty"` // of a model change that is not done
	Oldest    time.Time      `json:"oldest,omitzero"`   // retrieval time
	Newest    time.Time      `json:"newest,omitzero"`
	Warnings  []string       `json:"warnings"`
}

// Progress of a change of model.
type Progress struct {
	Model string `json:"model"`
	Done  int    `json:"done"` // documents
	Total int    `json:"total"`
}

// CheckReport is what a check found.
type CheckReport struct {
	OK        bool     `json:"ok"`
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	Vectors   int      `json:"vectors"`
	Indexed   int      `json:"indexed"` // vectors in the index in RAM
	Problems  []string `json:"problems"`
	Try       string   `json:"try,omitempty"`
}

// GoneReport says where an id still stands, if anywhere.
type GoneReport struct {
	ID    string   `json:"id"`
	Gone  bool     `json:"gone"`
	Found []string `json:"found"` // places, in words
}

// BackupReport says what a backup wrote.
type BackupReport struct {
	Path      string `json:"path"`
	Bytes     int64  `json:"bytes"`
	Documents int    `json:"documents"`
}

// ExportOptions choose what an export holds beside documents, chunks and sessions.
type ExportOptions struct {
	Vectors bool
}

// Moved counts what an export wrote or an import added.
type Moved struct {
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	Sessions  int      `json:"sessions"`
	Turns     int      `json:"turns"`
	Vectors   int      `json:"vectors"` // documents with vectors
	Skipped   int      `json:"skipped"` // records that were already there
	Warnings  []string `json:"warnings"`
}

// ModelText names a model for a person.
func ModelText(m evidence.Model) string {
	if m.Revision == "" {
		return m.Name
	}
	return m.Name + "@" + m.Revision
}
