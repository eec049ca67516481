// Package library stores what was read and finds it again. It is the only place
// that knows how a document is chunked, embedded and stored, how the memory is
// searched with a vector, and how a page, a file or a text becomes a document.
// The engine, the tools, the commands and the server all call it.
package library

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// PageReader reads the page at an address that a person or a model chose. It is
// safe for concurrent use. See WebReader.
type PageReader interface {
	ReadPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error)
}

// FileReader extracts the text of HTML, PDF and other documents; see extract.Isolated.
type FileReader interface {
	Page(ctx context.Context, raw []byte, contentType, pageURL string) (extract.Page, error)
}

// Cache holds answers of sources, which may contain what was forgotten.
type Cache interface {
	// Clear removes all of it. Its error names the file that has to be deleted.
	Clear(ctx context.Context) error
	// GiveUp empties it because the disk is full, and reports whether that may have made
	// room. Nothing is cached for a while.
	GiveUp(ctx context.Context) bool
	// ClearAt is Clear, unless it was cleared at this mark before, by this process or an
	// earlier one. See contract.ForgetMarker.
	ClearAt(ctx context.Context, mark string) error
}

// Deps are the library's collaborators. Memory and Models are required.
type Deps struct {
	Memory   contract.Memory
	Models   models.Chooser
	Pages    PageReader                         // nil: no page can be read
	Named    PageReader                         // of pages that are to be remembered; nil: Pages
	Files    FileReader                         // nil: only plain text is read
	Cache    Cache                              // nil: there is none
	Journal  Journal                            // nil: there is none
	Quota    Quota                              // of the memory; zero: no limit
	Location string                             // of the memory, for messages
	Chunk    func(text string) []evidence.Chunk // nil: extract.Chunks
	Now      func() time.Time                   // nil: time.Now
	Log      *slog.Logger                       // nil discards
	// Embedding has room for those of a process that embed in the background at once: with
	// many, a question would wait for its turn at the encoder. nil: any number.
	Embedding chan struct{}
}

// Library is safe for concurrent use. It owns nothing that needs closing: the
// caller closes the memory.
type Library struct {
	deps      Deps
	questions questions    // recalls among them
	recalls   atomic.Int32 // that are being answered
	counted   counted
	kept      chan struct{} // has capacity 1: something was stored
	skipped   atomic.Int64  // documents that the last Reindex could not read
	said      sync.Map      // warnings that are logged once
}

// New makes a library.
func New(deps Deps) *Library {
	if deps.Chunk == nil {
		deps.Chunk = func(text string) []evidence.Chunk { return extract.Chunks(text, extract.ChunkOptions{}) }
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Location == "" {
		deps.Location = "the memory"
	}
	return &Library{deps: deps, kept: make(chan struct{}, 1), counted: counted{turn: make(chan struct{}, 1)}}
}

// ReadPage reads the page at url without storing it.
func (l *Library) ReadPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	if l.deps.Pages == nil {
		return evidence.Document{}, evidence.Origin{}, &evidence.Problem{What: "this program cannot read web pages", Try: "pass the text of the page instead"}
	}
	return l.deps.Pages.ReadPage(ctx, url)
}

// Document returns a stored document with its text. An unknown id is an
// *evidence.Problem.
func (l *Library) Document(ctx context.Context, id string) (evidence.Document, error) {
	doc, ok, err := l.deps.Memory.Document(ctx, id)
	if err == nil && !ok {
		err = evidence.BadInput(fmt.Sprintf("there is no document %q", id), "`research-mcp memory list` shows the ids")
	}
	return doc, err
}

// Session returns a session, or a new one for an empty id. An unknown id is an
// *evidence.Problem.
func (l *Library) Session(ctx context.Context, id string) (evidence.Session, error) {
	return l.deps.Memory.Open(ctx, id)
}

// Run returns a stored answer. An unknown id is an *evidence.Problem.
func (l *Library) Run(ctx context.Context, id string) (evidence.Answer, error) {
	answer, ok, err := l.deps.Memory.Run(ctx, id)
	if err == nil && !ok {
		err = evidence.BadInput(fmt.Sprintf("there is no run %q in %s", id, l.deps.Location), "`research-mcp runs` lists the stored answers")
	}
	return answer, err
}
