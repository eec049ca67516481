package research

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ReadRequest asks for documents, by keywords, by address, or both. A zero field
// means its default.
type ReadRequest struct {
	Query    string
	URLs     []string // pages, read through the library
	Sources  []string // names to ask with Query; empty leaves the choice to the engine
	Limit    int      // most documents of sources, 1..MaxRead; pages are added to them
	FullText bool     // also read the pages that hits link to
	Budget   time.Duration
	Language string
}

// ReadResult is what was read, best first. Slices except NotAsked are never nil.
type ReadResult struct {
	Documents []evidence.Document     `json:"documents"`
	Sources   []evidence.SourceReport `json:"sources"`
	NotAsked  []evidence.NotAsked     `json:"not_asked,omitempty"` // sources that are on and not for this query; nil when the caller chose
	Warnings  []string                `json:"warnings"`
}

// Bounds of a ReadRequest.
const (
	MaxRead     = 50 // documents, and pages
	DefaultRead = 8  // documents that sources find, of a request with no Limit
	MaxURL      = library.MaxURL
)

// readShare is the share of the budget for gathering; the rest is for storing.
const readShare = 0.85

// page is one address as a source: it finds the page at that address.
type page struct {
	e   *Engine
	url string
}

func (p page) Name() string { return p.url }

func (p page) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, _, err := p.SearchTraced(ctx, q)
	return docs, err
}

func (p page) SearchTraced(ctx context.Context, _ evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	doc, from, err := p.e.deps.Library.ReadPage(ctx, p.url)
	if err != nil {
		return nil, evidence.Origin{}, err
	}
	return []evidence.Document{doc}, from, nil
}

// Read gathers documents and stores them, without an answer. Errors are those of
// Research.
func (e *Engine) Read(ctx context.Context, req ReadRequest, observe func(Event)) (ReadResult, error) {
	if err := e.enter(); err != nil {
		return ReadResult{}, err
	}
	defer e.tasks.Done()
	sources, rest, req, err := e.completeRead(req)
	if err != nil {
		return ReadResult{}, err
	}
	if err := ctx.Err(); err != nil {
		return ReadResult{}, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	r := &run{e: e, late: newLate(), observe: ordered(observe), started: e.deps.Now(), models: e.chooseModels(ctx),
		req:   Request{Question: req.Query, Budget: req.Budget, Language: req.Language},
		depth: depth{topics: 1, limit: req.Limit, soft: 1, full: req.FullText}}
	if len(req.URLs) > 0 {
		// The caller named these pages, so no soft budget ends the wait for them.
		r.depth.soft = float64(req.Budget) / float64(e.cfg.SoftBudget)
	}
	whole, cancel := limit.WithTimeout(ctx, req.Budget)
	defer cancel()
	bounded, stopGathering := limit.WithTimeout(whole, time.Duration(float64(req.Budget)*readShare))
	defer stopGathering()
	pipeline := r.newDigestion(whole)
	r.emit(Event{Kind: EventPlanned, Total: len(sources), Sources: names(sources)})
	gather, stop := r.newGathering(bounded, sources, r.depth.topics)
	gather.ask(cmp.Or(req.Query, "page"))
	gather.wait(bounded, nil, pipeline.add)
	out := ReadResult{Documents: []evidence.Document{}, Sources: gather.finish(bounded, stop), NotAsked: rest}
	docs := pipeline.wait(whole, gather.documents)
	if err := ctx.Err(); err != nil {
		return ReadResult{}, err
	}
	out.Documents = pickRead(docs, req)
	for _, d := range out.Documents {
		r.warnOf(d)
	}
	r.unkept.hideIn(out.Documents)
	r.emit(Event{Kind: EventDone})
	out.Warnings = append([]string{}, r.finish().Warnings...)
	return out, nil
}

// pickRead returns the best documents of sources, up to the limit, and all pages.
func pickRead(docs []*digested, req ReadRequest) []evidence.Document {
	out := []evidence.Document{}
	found := 0
	for _, d := range docs { // sorted by score
		if !slices.Contains(req.URLs, d.doc.URL) && d.doc.Meta[evidence.MetaRequestedURL] == "" {
			if found++; found > req.Limit {
				continue
			}
		}
		out = append(out, d.doc.Clone()) // the document may still be being stored
	}
	return out
}

// CheckLimit returns an *evidence.Problem for a number of documents that cannot be
// asked for.
func CheckLimit(n int) error {
	if n < 1 || n > MaxRead {
		return evidence.BadInput(fmt.Sprintf("a limit of %d is out of range", n), fmt.Sprintf("give one from 1 to %d", MaxRead))
	}
	return nil
}

// Check returns an *evidence.Problem for a request without a query and a URL, and
// for one that is out of bounds. A URL that cannot be read is not checked here: it
// becomes a report of its own.
func (r ReadRequest) Check() error {
	query := text.HasVisible(r.Query)
	switch {
	case !query && len(r.URLs) == 0:
		return evidence.BadInput("there is neither a query nor a URL", "give search keywords, or addresses to read")
	case len(r.URLs) > MaxRead:
		return evidence.BadInput(fmt.Sprintf("%d URLs are too many", len(r.URLs)), fmt.Sprintf("give at most %d", MaxRead))
	}
	if query {
		if err := library.CheckLength("query", len(r.Query)); err != nil {
			return err
		}
	}
	for _, u := range r.URLs {
		if err := library.CheckURLLength("the URL", u); err != nil {
			return err
		}
	}
	if r.Limit != 0 {
		return CheckLimit(r.Limit)
	}
	return nil
}

// completeRead fills in defaults, refuses what cannot be done, and lists whom
// to ask.
func (e *Engine) completeRead(req ReadRequest) ([]chosen, []evidence.NotAsked, ReadRequest, error) {
	req.Query, _ = text.Clean(strings.TrimSpace(req.Query))
	if !text.HasVisible(req.Query) {
		req.Query = ""
	}
	if err := req.Check(); err != nil {
		return nil, nil, req, err
	}
	req.Limit = cmp.Or(req.Limit, DefaultRead)
	req.Budget = cmp.Or(req.Budget, e.cfg.Budget)
	if err := CheckBudget(req.Budget); err != nil {
		return nil, nil, req, err
	}
	req.Language = cmp.Or(req.Language, e.cfg.Language)
	if err := checkLanguage(req.Language); err != nil {
		return nil, nil, req, err
	}
	var sources []chosen
	var rest []evidence.NotAsked
	if req.Query != "" {
		var err error
		if sources, rest, err = e.choose(req.Sources, req.Query, nil, false); err != nil {
			return nil, nil, req, err
		}
	}
	seen := map[string]bool{}
	for _, u := range req.URLs {
		if !seen[u] {
			sources = append(sources, chosen{page{e, u}, whyNamed})
		}
		seen[u] = true
	}
	return sources, rest, req, nil
}
