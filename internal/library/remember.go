package library

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Sources of documents that no source found.
const (
	SourceNote = "note" // a text that was passed in
	SourceFile = "file"
)

const (
	titleLength  = 80  // bytes of a text's first line that become its title
	longestTitle = 300 // bytes of a title that was given, or of a heading
)

// RememberRequest is what to store: a text, or the page at an address.
type RememberRequest struct {
	Text  string
	URL   string // absolute, http or https
	Title string // empty: the document's own
	Tags  []string
}

// RememberResult says what was stored. Warnings is never nil.
type RememberResult struct {
	DocumentID   string   `json:"document_id"`
	Chunks       int      `json:"chunks"`
	Deduplicated bool     `json:"deduplicated"` // it was already there: nothing was written
	Warnings     []string `json:"warnings"`
}

// Check returns an *evidence.Problem for a request with neither a text nor an
// address, or with both.
func (r RememberRequest) Check() error {
	empty := !text.HasVisible(r.Text)
	switch {
	case empty && r.Text != "":
		return evidence.BadInput(fmt.Sprintf("the text is %s of white space", text.Count(len(r.Text), "byte")), "give the text to keep")
	case empty && r.URL == "":
		return evidence.BadInput("there is neither a text nor a URL", "give the text to keep, or the address of a page")
	case !empty && r.URL != "":
		return evidence.BadInput("there are both a text and a URL", "give one of them: a page is read from its address")
	}
	if r.URL != "" {
		return CheckURL("the URL", r.URL)
	}
	return nil
}

// Remember stores a text or a page. A text may have been written by anyone, so
// it is stored as untrusted.
func (l *Library) Remember(ctx context.Context, req RememberRequest) (RememberResult, error) {
	if err := req.Check(); err != nil {
		return RememberResult{}, err
	}
	if req.URL == "" {
		return l.rememberText(ctx, note{source: SourceNote, title: req.Title, body: req.Text, tags: req.Tags})
	}
	doc, from, err := l.readNamed(ctx, req.URL)
	if err != nil {
		return RememberResult{}, unreadable(ctx, req.URL, err)
	}
	var warnings []string
	if w := doc.Meta[evidence.MetaWarning]; w != "" {
		warnings = append(warnings, w)
	}
	if doc.Truncated {
		warnings = append(warnings, fmt.Sprintf("the page is longer than %d bytes: its beginning was kept", extract.MaxInput))
	}
	if from.Stale {
		warnings = append(warnings, fmt.Sprintf("the page could not be asked for: this is what it said %s ago", from.Age.Round(time.Second)))
	}
	doc.Title, doc.Tags = cmp.Or(strings.TrimSpace(req.Title), doc.Title), req.Tags
	return l.remember(ctx, doc, warnings)
}

// readNamed reads a page that a person wants to have remembered.
func (l *Library) readNamed(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	if l.deps.Named == nil {
		return l.ReadPage(ctx, url)
	}
	return l.deps.Named.ReadPage(ctx, url)
}

// unreadable adds the address to an error that may not contain it.
func unreadable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p := evidence.AsProblem(err)
	return &evidence.Problem{What: fmt.Sprintf("%s was not read: %s", address, p.What),
		Try: cmp.Or(p.Try, "check whether the address can be reached from here, or pass its text"), Usage: p.Usage, Cause: err}
}

// note is a text on its way to become a document.
type note struct {
	source, address, title, body string
	revision                     string // of a file
	tags, warnings               []string
}

// rememberText stores a text. Without an address its id follows from its content.
func (l *Library) rememberText(ctx context.Context, n note) (RememberResult, error) {
	if len(n.body) > contract.DefaultMaxText {
		return RememberResult{}, tooLong("the text", fmt.Sprint(len(n.body)), contract.DefaultMaxText)
	}
	clean, _ := text.Clean(n.body)
	clean = strings.TrimSpace(clean)
	if clean == "" {
		return RememberResult{}, evidence.BadInput("the text is empty", "give something to remember")
	}
	warnings := n.warnings
	if strings.ToValidUTF8(n.body, "\uFFFD") != n.body {
		warnings = append(warnings, "the text was not valid UTF-8: bytes that are no character were replaced by \uFFFD")
	}
	title, _ := text.Clean(n.title)
	title = shortened(text.Squash(title), longestTitle)
	doc := evidence.Document{ID: evidence.DocumentID(n.source, n.address, clean), Source: n.source, URL: n.address, Title: title, Text: clean,
		Revision: n.revision, Retrieved: l.deps.Now(), Untrusted: true, Tags: n.tags}
	if len(warnings) > 0 {
		doc = doc.WithMeta(evidence.MetaWarning, strings.Join(warnings, "; "))
	}
	if title == "" {
		doc.Title = firstLine(clean)
		// The same text without the title that it was stored with is no change.
		if have, ok, err := l.deps.Memory.Document(ctx, doc.ID); err == nil && ok && have.Text == clean {
			doc.Title = have.Title
		}
	}
	return l.remember(ctx, doc, warnings)
}

func (l *Library) remember(ctx context.Context, doc evidence.Document, warnings []string) (RememberResult, error) {
	doc.Title, doc.Tags = visible(doc.Title), visibleTags(doc.Tags)
	end, err := l.journal(ctx, "remember", nil)
	if err != nil {
		return RememberResult{}, err
	}
	got, err := l.Keep(ctx, doc, "")
	if err != nil {
		_ = end(Change{Err: err}) // the journal has logged why
		return RememberResult{}, err
	}
	if err := end(Change{IDs: []string{got.DocumentID}, Documents: 1, Unchanged: got.Deduplicated}); err != nil {
		warnings = append(warnings, "it was kept, but "+err.Error())
	}
	return RememberResult{DocumentID: got.DocumentID, Chunks: got.Chunks, Deduplicated: got.Deduplicated,
		Warnings: append(append([]string{}, warnings...), got.Warnings...)}, nil
}

func tooLong(what, size string, limit int) error {
	return evidence.BadInput(fmt.Sprintf("%s is %s bytes; the limit is %d", what, size, limit), "split it into parts")
}

func firstLine(body string) string {
	line, _, _ := strings.Cut(body, "\n")
	return shortened(text.Squash(strings.TrimLeft(line, "# ")), titleLength)
}

func shortened(s string, limit int) string {
	short, cut := text.Cut(s, limit)
	if cut {
		short += "…"
	}
	return short
}
