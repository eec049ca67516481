package contract

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ModelStats describes one vector space: how many documents have vectors in it.
type ModelStats struct {
	Name      string `json:"name"`
	Revision  string `json:"revision"`
	Kind      string `json:"kind"`
	Dims      int    `json:"dims"`
	Documents int    `json:"documents"`
	Active    bool   `json:"active"`
}

// Stats describes what the memory holds. Slices and maps are never nil.
type Stats struct {
	Backend   string         `json:"backend"`
	Path      string         `json:"path"`   // where the data is; may be empty
	Schema    int            `json:"schema"` // version of the stored layout
	Documents int            `json:"documents"`
	Chunks    int            `json:"chunks"`
	TextBytes int64          `json:"text_bytes"`
	Bytes     int64          `json:"bytes"` // as stored, indexes included
	Sessions  int            `json:"sessions"`
	Turns     int            `json:"turns"`
	Runs      int            `json:"runs"`
	BySource  map[string]int `json:"by_source"`
	Embedder  string         `json:"embedder"` // the active model, empty if there is none
	Models    []ModelStats   `json:"models"`
	Index     string         `json:"index"` // evidence.IndexReady, IndexWarming or IndexLexical
	Indexed   int            `json:"indexed"`
	Reindex   *Progress      `json:"reindex,omitempty"` // of an unfinished change of model
	Queue     *Queue         `json:"queue,omitempty"`   // of vectors that are written in the background; nil: there is none
	Words     string         `json:"words,omitempty"`   // what finds the words, where there is a choice
	Oldest    time.Time      `json:"oldest,omitzero"`   // retrieval time
	Newest    time.Time      `json:"newest,omitzero"`
	Warnings  []string       `json:"warnings"`
}

// Progress of a Reindex.
type Progress struct {
	Model string `json:"model"`
	Done  int    `json:"done"` // documents
	Total int    `json:"total"`

	Skipped    int      `json:"skipped,omitempty"`    // documents that cannot be read, and got no vectors
	Unreadable []string `json:"unreadable,omitempty"` // the ids of those, as far as they are known; a few hundred at most
}

// Problem says which documents were skipped; nil if none was.
func (p Progress) Problem() error {
	if p.Skipped == 0 {
		return nil
	}
	named := p.Unreadable[:min(len(p.Unreadable), 5)]
	what := fmt.Sprintf("%s cannot be read and got no vectors of %s", text.Count(p.Skipped, "document"), p.Model)
	if len(named) > 0 {
		what += ": " + strings.Join(named, ", ")
	}
	if p.Skipped > len(named) && len(named) > 0 {
		what += fmt.Sprintf(" and %d more", p.Skipped-len(named))
	}
	return &evidence.Problem{What: what, Try: "`research-mcp memory check` says what is damaged; `research-mcp memory repair` makes a new file of what can be read", Cause: ErrDamaged}
}

// Queue is what still lacks vectors of a model.
type Queue struct {
	Model     string `json:"model"`
	Documents int    `json:"documents"`
	Chunks    int    `json:"chunks"`
}

// CheckReport is the result of a check.
type CheckReport struct {
	OK        bool     `json:"ok"`
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	Vectors   int      `json:"vectors"`
	Indexed   int      `json:"indexed"` // vectors in the index in RAM
	Problems  []string `json:"problems"`
	Try       string   `json:"try,omitempty"`
	// Cells are the cells of the vectors, where a backend divides them.
	Cells []CellsReport `json:"cells,omitempty"`
}

// CellsReport tells how well a search among the cells of a model's vectors does.
type CellsReport struct {
	Model   string  `json:"model"`
	Vectors int     `json:"vectors"`
	Cells   int     `json:"cells"`
	Probes  int     `json:"probes"` // cells that a search reads; 0: all vectors are compared
	Recall  float64 `json:"recall"` // the part of the ten nearest vectors that is found
}

// ErasureReport tells where an id still occurs, if anywhere.
type ErasureReport struct {
	ID      string   `json:"id"`
	Gone    bool     `json:"gone"`
	Unknown bool     `json:"unknown,omitempty"` // it looks like an id, and nothing of this name is known to have been removed: it may be mistyped
	Found   []string `json:"found"`             // descriptions of the places; never nil
}

// RepairReport describes a repaired memory.
type RepairReport struct {
	Path  string `json:"path"`
	Kept  string `json:"kept"`  // where the damaged file is now
	Moved Moved  `json:"moved"` // what the new one has
}

// BackupReport describes a finished backup.
type BackupReport struct {
	Path      string `json:"path"`
	Bytes     int64  `json:"bytes"`
	Documents int    `json:"documents"`
}

// ExportOptions choose what an export contains besides documents, chunks and sessions.
type ExportOptions struct {
	Vectors bool
}

// ImportOptions choose how an import treats lines that cannot be stored.
type ImportOptions struct {
	Strict bool // the first one ends it
	// MakeRoom is called when the disk is full, and reports whether it may have made
	// room: then what was not stored is stored again. nil: nothing can.
	MakeRoom func(ctx context.Context) bool
}

// Moved counts what an export wrote or an import stored.
type Moved struct {
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	Sessions  int      `json:"sessions"`
	Turns     int      `json:"turns"`
	Vectors   int      `json:"vectors"`          // documents with vectors
	Skipped   int      `json:"skipped"`          // records that already existed
	Failed    int      `json:"failed,omitempty"` // records that could not be read or stored; Warnings name them
	Warnings  []string `json:"warnings"`
}

// ModelText is a model as messages show it: name@revision.
func ModelText(m evidence.Model) string {
	if m.Revision == "" {
		return m.Name
	}
	return m.Name + "@" + m.Revision
}
