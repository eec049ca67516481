// Package contract is what every memory promises: the interfaces, and the
// structs that they speak in. Callers use package memory, which names them
// again and opens a backend; this package stands apart so that a backend can
// know the contract without knowing its siblings.
package contract

import (
	"context"
	"log/slog"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Keys of evidence.Document.Meta that the memory understands. All other keys
// are kept and given back as they are.
const (
	// MetaSession links the document to a session. It is kept as a link, not
	// as metadata: a document may belong to many sessions.
	MetaSession = "session"
	// MetaKind says what a document is; KindTurn is the only value with a meaning.
	MetaKind = "kind"
	// MetaSeq is the place of a turn within its session, a decimal number. Without
	// it the order in which turns were put is their order.
	MetaSeq = "seq"
	// MetaPinned with the value "true" keeps a document from retention.
	MetaPinned = "pinned"
)

// KindTurn marks a document as one turn of a conversation: its neighbours in
// the same session and the date of the session count in recall.
const KindTurn = "turn"

// Limits that hold for every backend.
const (
	DefaultMaxText = 10 << 20 // bytes of text in one document
	MaxTitle       = 1000     // bytes of a title; a longer one is cut
	DefaultK       = 10       // hits of a recall that asks for none or fewer
	MaxK           = 1000     // most hits of one recall
	ConfirmAbove   = 100      // more documents than this are forgotten only with Selector.Confirm
)

// Config opens a memory.
type Config struct {
	Backend     string           // a name of the registry; empty is "local"
	Dir         string           // folder of the data; made with mode 0700 when it is not there
	ActiveModel evidence.Model   // the embedder in use now: its vectors are loaded first; zero: the memory's own active model
	MaxText     int              // most bytes of text in a document; 0 is DefaultMaxText
	Keep        Retention        // what Retain removes; the zero value removes nothing
	Logger      *slog.Logger     // nil discards
	Now         func() time.Time // nil is time.Now
}

// Retention bounds what is kept. Pinned documents are excepted.
type Retention struct {
	MaxAge   time.Duration // since a document was last retrieved; 0: no bound
	MaxBytes int64         // of document text, oldest go first; 0: no bound
}

// Store keeps documents and finds them again.
//
// All methods are safe for concurrent use, also by several processes on the
// same data. Each ends with ctx's error when ctx ended before it was done; then
// nothing of it is kept. Arguments are never changed nor held after the return,
// and nothing that is returned is shared with the memory. An error that a person
// can mend is an *evidence.Problem.
type Store interface {
	// Put keeps doc and its chunks; it is durable when it returns. The same id
	// with the same title and text is a no-op that says Deduplicated, apart from
	// retrieval time, tags, session link, and vectors of a model that the document
	// had none of. The same id with another text replaces the document. Vectors
	// that cannot be kept (another dimension than the model's, NaN, zero) are left
	// out with a warning in the receipt; the document is kept and found by its words.
	// Without items, the whole text is one chunk.
	Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error)
	// Recall finds chunks, best first. Each finished Put and Forget of any
	// process is seen. Hits is never nil.
	Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error)
	// Document is the stored document with its text, or false when there is none.
	Document(ctx context.Context, id string) (evidence.Document, bool, error)
	// Forget removes what sel selects, and every trace of it.
	Forget(ctx context.Context, sel Selector) (evidence.Receipt, error)
	// Close ends background work and waits for it. Calling it again is harmless.
	Close() error
}

// Sessions keep threads of questions. The rules of Store hold.
type Sessions interface {
	// Open returns the session with the turns that are not in its summary, or a
	// new session for an empty id. An id that is not there is an *evidence.Problem.
	Open(ctx context.Context, id string) (evidence.Session, error)
	// Append commits the turns, in order, before it returns. A session that is
	// not there yet begins with them, so that nobody has to write before there is
	// something to keep. It gives each its
	// Seq; Seq and At of the arguments count only where At is not zero.
	Append(ctx context.Context, id string, turns ...evidence.Turn) error
	// Fold replaces the turns up to and including seq to by summary, if from is
	// still the session's SummaryTo; it reports whether it did. The turns
	// themselves are kept for export.
	Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error)
	// Run is a kept answer, or false when there is none.
	Run(ctx context.Context, id string) (evidence.Answer, bool, error)
	// Threads are the sessions, most recently used first, at most limit, without
	// their turns.
	Threads(ctx context.Context, limit int) ([]evidence.Session, error)
}

// Keeper cares for the data. The rules of Store hold.
type Keeper interface {
	Stats(ctx context.Context) (Stats, error)
	// Check compares the data with itself: the file, the word index, the vectors,
	// the counters.
	Check(ctx context.Context) (CheckReport, error)
	// Gone looks everywhere for a document, a session or a run that was forgotten.
	Gone(ctx context.Context, id string) (GoneReport, error)
	// Backup writes a whole copy to a file that must not be there yet, while
	// others read and write.
	Backup(ctx context.Context, path string) (BackupReport, error)
	// Retain removes what Config.Keep says, in batches that are each durable.
	Retain(ctx context.Context) (evidence.Receipt, error)
}

// Mover moves memories between machines, versions and models.
type Mover interface {
	// Export writes everything as JSON lines, one record a line, as of one moment.
	Export(ctx context.Context, w Writer, opts ExportOptions) (Moved, error)
	// Import reads what Export wrote. What is already there stays; a bad line ends
	// it with an error that names the line, and what came before is kept.
	Import(ctx context.Context, r Reader) (Moved, error)
	// Reindex gives every document vectors of model, in batches that are each
	// durable, so that it goes on where it was ended. When all have them, model
	// becomes the active one in the same transaction. progress may be nil.
	Reindex(ctx context.Context, model evidence.Model, embed EmbedFunc, progress func(Progress)) (Progress, error)
}

// Memory is the whole contract.
type Memory interface {
	Store
	Sessions
	Keeper
	Mover
}

// EmbedFunc makes a vector for each text, in order, in the space of the model
// that Reindex was told.
type EmbedFunc func(ctx context.Context, texts []string) ([][]float32, error)
