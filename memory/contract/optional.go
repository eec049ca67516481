package contract

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Backuper copies the memory.
type Backuper interface {
	// Backup writes a complete copy, as of one moment, to a new file while others read
	// and write. Restored, it is a memory with the same documents, vectors, sessions and
	// runs. An existing file or an empty path is a Problem, and changes nothing. The file
	// appears when it is complete: after an error, nothing is left of it or beside it.
	Backup(ctx context.Context, path string) (BackupReport, error)
}

// Sealing encrypts what is written to it. Verify, after Close, reads the whole encrypted
// file and compares it with what was written.
type Sealing interface {
	io.WriteCloser
	Verify(r io.Reader) error
}

// Seal starts the encryption of a file.
type Seal func(w io.Writer) (Sealing, error)

// SealedBackuper makes encrypted backups; no capability is declared by it.
type SealedBackuper interface {
	// BackupSealed is Backup to a file that seal encrypts and that is verified before it
	// appears. The copy that it is made from is in the memory's own folder until then.
	BackupSealed(ctx context.Context, path string, seal Seal) (BackupReport, error)
}

// DailyBackuper makes backups by itself; no capability is declared by it.
type DailyBackuper interface {
	// BackupDaily makes a backup in a place of its own, unless it made one within a day,
	// the memory is empty or larger than maxBytes (0: any size), or the disk is too full,
	// and reports whether it did. It removes the oldest of its own beyond seven.
	BackupDaily(ctx context.Context, maxBytes int64) (BackupReport, bool, error)
}

// ForgetMarker says that something was forgotten, where processes on other machines keep
// copies of what they read; no capability is declared by it.
type ForgetMarker interface {
	// ForgetMark returns another text after each Forget, by any process, and after a restore.
	ForgetMark(ctx context.Context) (string, error)
}

// Checker verifies the stored data.
type Checker interface {
	// Check verifies that documents, word index, vectors and counters agree. If they do
	// not, OK is false, Problems says what is wrong, and Try what to do; of a sound
	// memory both are empty. Damage is a result; an error means that nothing was checked.
	Check(ctx context.Context) (CheckReport, error)
}

// Exporter moves a memory to another machine, version or backend. The format is the
// same for all backends: package transfer describes it. The first
// line is {"memory":{"format":1,"written_at":TIME}}; then come models, documents with
// their chunks as byte offsets and a hash of their content, sessions with their turns
// and runs, and an end with the counts. Equal memories give equal lines after the first.
type Exporter interface {
	// Export writes everything as JSON lines, one record a line, as of one moment.
	// Links to sessions and pins are included, vectors if the options say so. What is
	// damaged is left out, named in Moved.Warnings and counted in Moved.Failed.
	Export(ctx context.Context, w io.Writer, opts ExportOptions) (Moved, error)
	// Import reads what Export wrote, in batches. Existing documents are not
	// changed; they and existing sessions are counted as skipped. A bad line (a text
	// that does not match its hash, a chunk outside of its text) is left out, named in
	// Moved.Warnings and counted in Moved.Failed; with ImportOptions.Strict it ends the
	// import with a Problem that names the line and what is wrong, and the lines before
	// it are stored and counted. What is no export, or of an unknown format, is always a
	// Problem. Of an export without its end, or with fewer records than that counts, what is
	// there is stored, and the error is a Problem with the cause ErrCutShort. A title above
	// MaxTitle is cut, as by Put.
	Import(ctx context.Context, r io.Reader, opts ImportOptions) (Moved, error)
}

// Placed names the place of a memory, by which one is recognized that was opened under two
// addresses; no capability is declared by it.
type Placed interface {
	Place(ctx context.Context) (string, error)
}

// ErasureProver shows that nothing is left of what was forgotten.
type ErasureProver interface {
	// ProveErased searches everything that the memory stores for the id of a
	// document, a session or a run, or for a title, an address or words, and names the
	// places that have it. Of an id that is not found, it says whether one was removed.
	ProveErased(ctx context.Context, id string) (ErasureReport, error)
}

// Reindexer changes the embedding model.
type Reindexer interface {
	// Reindex gives every document vectors of model, in batches that are each
	// durable, so that a later call continues an interrupted one and embeds nothing
	// twice. When all have them, also those that were put meanwhile, model becomes the
	// active one in the same transaction. The vectors of other models are kept. Until
	// then Stats.Reindex has the progress, and a Recall in the new space warns how many
	// documents it has. A model of no name or of another dimension than its space, and a
	// nil embed, are Problems; an embed that returns an error or too few vectors ends it
	// with an error; an unusable vector leaves its chunk without one. A document that
	// cannot be read because the file is damaged is counted in Progress.Skipped, and the
	// others get their vectors. progress may be nil; Done never goes down.
	Reindex(ctx context.Context, model evidence.Model, embed EmbedFunc, progress func(Progress)) (Progress, error)
}

// EmbedFunc returns a vector for each text, in order, in the space of the model
// that was given to Reindex.
type EmbedFunc func(ctx context.Context, texts []string) ([][]float32, error)

// Retainer removes old documents.
type Retainer interface {
	// Retain removes what Config.Keep says, in batches that are each durable, and
	// completes a Forget that was interrupted. The receipt is as of Forget.
	Retain(ctx context.Context) (evidence.Receipt, error)
}

// Capability is the name of an optional interface.
type Capability string

// The capabilities, each with the interface that declares it.
const (
	CapBackup    Capability = "backup"           // Backuper
	CapCheck     Capability = "check"            // Checker
	CapClaims    Capability = "claims of runs"   // RunClaimer
	CapErasure   Capability = "proof of erasure" // ErasureProver
	CapExport    Capability = "export"           // Exporter
	CapLists     Capability = "lists"            // Lister
	CapReindex   Capability = "reindex"          // Reindexer
	CapRetention Capability = "retention"        // Retainer
	CapVectors   Capability = "vectors"          // VectorFiller
)

// AllCapabilities returns every capability, sorted.
func AllCapabilities() []Capability {
	return []Capability{CapBackup, CapCheck, CapClaims, CapExport, CapLists, CapErasure, CapReindex, CapRetention, CapVectors}
}

// Capabilities returns what m declares, sorted; it is never nil.
func Capabilities(m Memory) []Capability {
	out := []Capability{}
	for _, c := range AllCapabilities() {
		if declares(m, c) {
			out = append(out, c)
		}
	}
	return out
}

func declares(m Memory, c Capability) bool {
	var ok bool
	switch c {
	case CapBackup:
		_, ok = m.(Backuper)
	case CapCheck:
		_, ok = m.(Checker)
	case CapErasure:
		_, ok = m.(ErasureProver)
	case CapClaims:
		_, ok = m.(RunClaimer)
	case CapExport:
		_, ok = m.(Exporter)
	case CapLists:
		_, ok = m.(Lister)
	case CapReindex:
		_, ok = m.(Reindexer)
	case CapRetention:
		_, ok = m.(Retainer)
	case CapVectors:
		_, ok = m.(VectorFiller)
	}
	return ok
}

// ErrUnsupported is the cause of a Problem that lies in the choice of the backend
// and not in the stored data: a name that is not registered, or a capability or
// setting that the backend does not support.
var ErrUnsupported = errors.New("not supported by the memory backend")

// ErrFull is the cause of a Problem about a write for which the disk had no room. Nothing
// of it is stored.
var ErrFull = errors.New("the disk is full")

// ErrReadOnly is the cause of a Problem about a write to a memory that can only be read.
var ErrReadOnly = errors.New("the memory is read-only")

// ErrCutShort is the cause of a Problem about an export of which something is missing. What
// was there is stored.
var ErrCutShort = errors.New("the export is incomplete")

// ErrDamaged is the cause of a Problem about stored data that are damaged.
var ErrDamaged = errors.New("the stored data are damaged")

// Unsupported returns a Problem with the cause ErrUnsupported, due to the
// caller's input.
func Unsupported(what, try string) *evidence.Problem {
	return &evidence.Problem{What: what, Try: try, Usage: true, Cause: ErrUnsupported}
}

// Require returns m as the optional interface T, or an *evidence.Problem if its
// backend does not declare it.
func Require[T any](m Memory) (T, error) {
	if t, ok := m.(T); ok {
		return t, nil
	}
	var none T
	lacks := capabilityOf[T]()
	return none, Unsupported(fmt.Sprintf("the memory backend %q does not support %s", m.Backend(), lacks), insteadOf(lacks))
}

// insteadOf is what to do where a backend lacks a capability. Another backend is another memory.
func insteadOf(lacks Capability) string {
	switch lacks {
	case CapBackup:
		return "`research-mcp memory export FILE` writes all of it; a database server has backups of its own, see docs/guides/postgres.md"
	case CapErasure:
		return "`research-mcp memory stats` says which removals have left bytes in files of a server; docs/guides/postgres.md has how they go"
	}
	return "`research-mcp memory migrate --to PLACE` copies this memory into a backend that does, such as \"local\""
}

// capabilityOf is the name of the optional interface T.
func capabilityOf[T any]() Capability {
	switch any((*T)(nil)).(type) {
	case *Backuper:
		return CapBackup
	case *Checker:
		return CapCheck
	case *ErasureProver:
		return CapErasure
	case *RunClaimer:
		return CapClaims
	case *Exporter:
		return CapExport
	case *Lister:
		return CapLists
	case *Reindexer:
		return CapReindex
	case *Retainer:
		return CapRetention
	case *VectorFiller:
		return CapVectors
	}
	return "this"
}
