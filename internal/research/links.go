package research

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
)

const (
	// maxLinked is the number of pages that are read for one search: those of its
	// best hits.
	maxLinked = 3
	// linkedPatience is the time limit of a linked page, which matters less than a
	// source.
	linkedPatience = 6 * time.Second
)

// linked returns the documents whose URL leads to a page that is worth reading,
// as their source says.
func linked(docs []evidence.Document) []evidence.Document {
	var out []evidence.Document
	for _, d := range docs {
		if d.ReadPage && len(out) < maxLinked && strings.HasPrefix(d.URL, "http") {
			out = append(out, d)
		}
	}
	return out
}

// readLinked reads the pages behind documents, all at once. A page that cannot
// be read is missing from the result: the document that links to it is not. The
// origin is that of all pages together.
func (e *Engine) readLinked(ctx context.Context, docs []evidence.Document) ([]evidence.Document, evidence.Origin) {
	pages, origins := make([]*evidence.Document, len(docs)), make([]evidence.Origin, len(docs))
	var group errgroup.Group
	for i, d := range docs {
		group.Go(func() error {
			bounded, cancel := limit.WithTimeout(ctx, linkedPatience)
			defer cancel()
			page, from, err := e.readPage(bounded, d.URL)
			if err != nil {
				e.deps.Log.Info("linked page was not read", "source", d.Source, "err", err)
				return nil // one page's failure must not end the others
			}
			// Nobody asked for the page by its address: a source linked to it.
			page = page.WithMeta(evidence.MetaRequestedURL, "").WithMeta(evidence.MetaVia, d.Source)
			page.Score = d.Score
			pages[i], origins[i] = &page, from
			return nil
		})
	}
	_ = group.Wait() // always nil
	out, all := []evidence.Document{}, evidence.Origin{Cached: true}
	for i, p := range pages {
		if p != nil {
			out, all = append(out, *p), all.Join(origins[i])
		}
	}
	all.Cached = all.Cached && len(out) > 0
	return out, all
}

// readPage reads a page and turns a panic of its reader into an error.
func (e *Engine) readPage(ctx context.Context, url string) (doc evidence.Document, from evidence.Origin, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.deps.Log.Error("reading a page panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("reading the page panicked: %v", p)
		}
	}()
	return e.deps.Library.ReadPage(ctx, url)
}
