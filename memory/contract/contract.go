// Package contract defines what a memory backend does: the interfaces, and the
// types in their signatures. Callers use package memory, which names them again
// and opens a backend; the contract is a package of its own so that a backend
// can import it without importing the other backends.
//
// The contract has two rings. Every backend implements [Memory]. The interfaces
// of optional.go are separate: a backend declares one by implementing it, and
// callers ask for it with [Require].
package contract

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Limits that hold for every backend.
const (
	DefaultMaxText = 10 << 20 // bytes of text in one document
	MaxTitle       = 1000     // bytes of a title; a longer one is cut
	MaxID          = 1000     // bytes of a document's id
	MaxName        = 1000     // bytes of the name of a source, a session, a run, a model or its revision
	MaxURL         = 2048     // bytes of an address; a longer one is left out
	MaxTags        = 64       // tags of a document; further ones are left out
	MaxTag         = 200      // bytes of a tag, of which a longer one is cut, or of a key of its metadata
	MaxMeta        = 64       // entries of its metadata
	MaxMetaValue   = 4096     // bytes of each; a longer one is cut
	DefaultK       = 10       // hits of a recall with K of 0 or less
	MaxK           = 1000     // most hits of one recall
	ConfirmAbove   = 10       // forgetting more documents than this needs Selector.Confirm; so do two or more that are over a third of all
	ConfirmTurns   = 100      // and so do more documents and turns that quote them than this
)

// Config opens a memory.
type Config struct {
	Backend     string           // a registered name
	URL         string           // address of the backend's server; a backend without a server refuses one
	Dir         string           // data folder; created with mode 0700 if it does not exist
	Tenant      string           // whose memory, of a backend that is Tenanted; "": that of nobody in particular
	ActiveModel evidence.Model   // the embedder in use now: its vectors are loaded first; zero: the memory's active model
	MaxText     int              // most bytes of text in a document; 0 is DefaultMaxText
	Keep        Retention        // what Retain removes; the zero value removes nothing
	SealDaily   Seal             // of automatic backups; nil: they are not encrypted
	Shared      *Shared          // of the memories of this process; nil: this one has its own connections
	Logger      *slog.Logger     // nil discards
	Now         func() time.Time // nil is time.Now

	// MakeRoom is called when the disk is full for a repair, and reports whether it may
	// have made room. nil: nothing can.
	MakeRoom func(ctx context.Context) bool
}

// Retention limits what is kept. Pinned documents are exempt.
type Retention struct {
	MaxAge   time.Duration // since a document was last retrieved; 0: no limit
	MaxBytes int64         // of document text, the oldest are removed first; 0: no limit
}

// IsZero reports whether nothing is removed.
func (r Retention) IsZero() bool { return r.MaxAge <= 0 && r.MaxBytes <= 0 }

// Memory is the required ring: what every backend implements.
//
// All methods, also those of the optional interfaces, are safe for concurrent
// use, also by several processes on the same data. A method that ends because
// its context ended returns the context's error and has stored nothing, unless
// it says that it works in batches. Arguments are neither changed nor kept, and
// results are not shared with the memory.
// An error that the user can fix is an *evidence.Problem that names the bad value.
// What a finished write stored is there after Close and another open.
type Memory interface {
	Store
	Sessions
	ChangeFeed
	Describer
}

// Store keeps documents and finds them again.
type Store interface {
	// Put stores doc and its chunks; they are durable when it returns. Putting the
	// same id with the same title and text again is a no-op that reports
	// Deduplicated, except for retrieval time, tags, session link, and vectors of a
	// model that the document had none of. The same id with another text replaces
	// the document. Vectors that cannot be stored (wrong dimension, NaN, zero) are
	// left out with a warning in the receipt that names the model; the document is
	// stored and found by its words. The first vectors of a model fix the dimension of
	// its space. Without items, the whole text is one chunk.
	//
	// Tags are added to those that the document has, and kept sorted; one above MaxTag
	// is cut, in filters too. MetaSession adds a link to the session; it is not kept as
	// metadata. Each invalid or zero byte of the text is replaced by one byte, with a
	// warning, so that offsets stay valid. A title above MaxTitle is cut on a rune
	// boundary before anything is compared; its words are indexed, and must not make the
	// stored size of a document grow with title times chunks. Refused as a Problem: no
	// id, one above MaxID, a source, session or model above MaxName, a text above
	// Config.MaxText, and a chunk that is not a range of the text on rune boundaries, by
	// its index.
	//
	// The receipt counts documents written (0 if deduplicated) and the document's chunks.
	Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error)
	// Recall finds chunks, best first. It sees every finished Put and Forget of
	// every process. See [evidence.RecallQuery] for the filters, which are joined by
	// AND.
	//
	// K of 0 or less is DefaultK, above MaxK is MaxK. Mode "" is hybrid; an unknown
	// one is a Problem that lists the known. The text is any bytes of any length and
	// never a syntax; without words nothing is found by words.
	//
	//   - By words (ModeBM25): chunks that share a word with the text, also
	//     those without vectors. Case and diacritics do not count, and scripts without
	//     spaces are found. The words of a document's title count for its chunks. Very
	//     common words alone, as in "The Who", find titles.
	//   - By vector (ModeVector): the nearest chunks in the space of Model. A
	//     query without a usable vector (absent, NaN, zero, another dimension), or
	//     of a model that the memory has no vectors of, is a Problem.
	//   - Hybrid: both. Where ModeVector would return a Problem, the words alone are
	//     used, with a warning that names the model if a vector was given. A backend that
	//     implements VectorFiller uses a Lexical vector instead; its hits then have no
	//     vector. It ranks chunks that have no vector of Model yet by the rest, without a
	//     warning.
	//
	// Of chunks whose texts are nearly the same, one is returned. A chunk gains by
	// good neighbours in its document. Documents of evidence.KindTurn gain by good
	// neighbours in their session, by MetaSeq, and are found by the day on which they
	// were published ("8 May 2023"). Session selects documents that were put with the
	// session or that a run of it cites.
	//
	// Scores are within 0..1. A passage is the bytes of its document's text at its
	// offsets; the hit's document has everything but the text, and Vector is the
	// chunk's in the space of Model, nil if it has none. Index is IndexLexical if
	// no vectors were used.
	Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error)
	// Document returns the stored document with its text, or false if there is none.
	Document(ctx context.Context, id string) (evidence.Document, bool, error)
	// Forget removes the documents that sel selects, the answers that cite them,
	// and what sessions quote from them: afterwards no method returns a removed text.
	// A turn that quotes one keeps its Seq and role, with another text and no run; a
	// summary that quotes one is emptied, SummaryTo with it, so that a Fold that began
	// before fails. The receipt has a warning if sessions were changed, and one if nothing
	// was selected. IDs are the removed documents, sorted, Titles theirs in the same
	// order; Remaining is how many are left, and Matched counts what each field that is
	// set selects alone. Selections for which Selector.NeedsConfirm holds are refused without
	// Selector.Confirm, by Unconfirmed with their number, and nothing is removed. With Selector.DryRun
	// nothing is removed or refused: the receipt says what would be. A backend whose
	// stored bytes can be read leaves none of what was removed in them.
	Forget(ctx context.Context, sel Selector) (evidence.Receipt, error)
	// Close stops background work and waits for it. It may be called again; the other
	// methods then return errors.
	Close() error
}

// Selector selects what to forget. The fields are joined by AND: a document is
// removed if every field that is set selects it; several ids are alternatives. A
// selector with no field set is refused.
type Selector struct {
	IDs     []string  // ids of documents
	URL     string    // documents of exactly this address
	Source  string    // documents of this source
	Session string    // documents that were put by this session alone; if no other field is set, also its turns and runs
	Before  time.Time // documents last retrieved before this moment
	Confirm bool      // remove even what NeedsConfirm
	DryRun  bool      // remove nothing: report what would be
}

// NeedsConfirm reports whether forgetting documents of total, which turns quote,
// needs Selector.Confirm. One document, and what a session read, may be any share of
// the memory: it is named, and in a new memory it is most of it.
func (s Selector) NeedsConfirm(documents, turns, total int) bool {
	share := documents > 1 && 3*documents > total && !s.WholeSession()
	return documents > ConfirmAbove || share || documents+turns > ConfirmTurns
}

// Confirmed refuses to remove more than a user may expect without confirmation. Turns that
// quote the documents count; matched is what each field of the selector selects alone.
func (s Selector) Confirmed(documents, turns, total int, matched []evidence.Matched) error {
	if s.Confirm || s.DryRun || !s.NeedsConfirm(documents, turns, total) {
		return nil
	}
	what := fmt.Sprintf("that would forget %s of %d", text.Count(documents, "document"), total)
	if turns > 0 {
		what += fmt.Sprintf(" and what quotes them, %s", text.Count(turns, "turn"))
	}
	if each := MatchedTexts(matched); len(each) > 1 {
		what += " (" + strings.Join(each, ", ") + ")"
	}
	return Unconfirmed(fmt.Sprintf("%s; more than %d documents need a confirmation, and so do two or more that are over a third of the memory", what, ConfirmAbove),
		"look at them with `dry_run` (on the command line --dry-run), then confirm (`confirm`, --yes), or select fewer")
}

// Unconfirmed is the refusal of a selection that NeedsConfirm.
func Unconfirmed(what, try string) *evidence.Problem {
	return &evidence.Problem{What: what, Try: try, Usage: true, Cause: evidence.ErrUnconfirmed}
}

// WholeSession reports whether the session itself is selected, with its turns and
// runs, and not only documents of it.
func (s Selector) WholeSession() bool {
	rest := s
	rest.Session = ""
	return s.Session != "" && rest.Empty()
}

// Empty reports whether no field is set. Confirm and DryRun do not count.
func (s Selector) Empty() bool {
	return len(s.IDs) == 0 && s.URL == "" && s.Source == "" && s.Session == "" && s.Before.IsZero()
}

// Sessions stores conversations and their answers.
type Sessions interface {
	// Open returns the session with the turns that are not in its summary, or a
	// new session if id is empty. An unknown id is an *evidence.Problem. Ids begin with
	// "s_" and cannot be guessed (at least 80 random bits). The title is the first turn
	// of the user, Messages counts all turns, and Turns is never nil.
	Open(ctx context.Context, id string) (evidence.Session, error)
	// Append stores the turns, in order, before it returns, and numbers them. A
	// session that does not exist yet is created. Seq of the arguments is ignored: the
	// turns of a session are 1, 2, 3 and so on. A zero At becomes the present time. A
	// role other than evidence.RoleUser and RoleAssistant is refused. Run, the answer
	// of an assistant's turn, is stored under its RunID and returned with the turn.
	Append(ctx context.Context, id string, turns ...evidence.Turn) error
	// Fold replaces the turns up to and including seq to by summary, if from is
	// still the session's SummaryTo and seq is not beyond its last turn, and reports
	// whether it did: of concurrent calls from one state, one does. The turns
	// themselves are kept for export. An unknown id is an *evidence.Problem.
	Fold(ctx context.Context, id string, from, to int64, summary string) (bool, error)
	// Run returns a stored answer, or false if there is none.
	Run(ctx context.Context, id string) (evidence.Answer, bool, error)
}

// ChangeFeed reports which documents have changed, so that another process can
// keep an index or a cache up to date.
type ChangeFeed interface {
	// Changes returns the documents that were put, replaced, removed or given
	// vectors after since, by any process. With an empty since it returns no
	// documents and the present position: the place to begin. Every write that
	// finished before the call is before Changes.Next. A Put that stored nothing new is
	// no change, and without a change Next is since. A text that is not a position is
	// a Problem.
	Changes(ctx context.Context, since Position) (Changes, error)
}

// Position is a place in the change feed of one memory. It is opaque: compare it
// for equality only.
type Position string

// Changes are the documents that changed between two positions.
type Changes struct {
	Documents []Change // each document once, in the order of their last changes; never nil
	Next      Position // the since of the next call
	// Reset reports that the feed does not reach back to since, or has not reached
	// it, as after a backup was restored: Documents is empty, and everything has to
	// be read again.
	Reset bool
}

// Change is a document that changed. Key identifies it within the memory and is
// never used again for another document. ID is empty if the document was
// removed: the feed does not keep the id of what was forgotten.
type Change struct {
	Key string
	ID  string
}

// Describer reports what the memory is and holds.
type Describer interface {
	// Backend returns the name under which the backend is registered.
	Backend() string
	// Stats counts what is stored now.
	Stats(ctx context.Context) (Stats, error)
}

// MatchedTexts is what each selector selects alone, as messages show it.
func MatchedTexts(all []evidence.Matched) []string {
	parts := make([]string, 0, len(all))
	for _, m := range all {
		parts = append(parts, fmt.Sprintf("%s: %d", m.Selector, m.Documents))
	}
	return parts
}
