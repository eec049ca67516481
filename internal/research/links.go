package research

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// maxLinked pages are read for one search: those that its best hits link to.
	maxLinked = 3
	// linkedPatience is a linked page's deadline: it is worth less than a source.
	linkedPatience = 6 * time.Second
)

// linked are the documents whose URL is a page that is worth reading, as their
// source marked them. It takes the marks off: they are no part of a document.
func (e *Engine) linked(docs []evidence.Document) []evidence.Document {
	var out []evidence.Document
	for _, d := range docs {
		if d.Meta[evidence.MetaLink] == "" {
			continue
		}
		delete(d.Meta, evidence.MetaLink)
		if e.deps.Page != nil && len(out) < maxLinked && strings.HasPrefix(d.URL, "http") {
			out = append(out, d)
		}
	}
	return out
}

// readLinked reads the pages behind documents, all at once. A page that cannot
// be read is missing, as before it was asked for: the document is still there.
// The origin is that of all pages together.
func (e *Engine) readLinked(ctx context.Context, docs []evidence.Document) ([]evidence.Document, Origin) {
	pages, froms := make([]*evidence.Document, len(docs)), make([]Origin, len(docs))
	var group errgroup.Group
	for i, d := range docs {
		group.Go(func() error {
			bounded, cancel := context.WithTimeout(ctx, linkedPatience)
			defer cancel()
			page, err := e.readPage(bounded, d.URL)
			if err != nil {
				e.deps.Log.Info("linked page was not read", "source", d.Source, "err", err)
				return nil // the other pages matter no less for it
			}
			froms[i] = takeOrigin(&page)
			page.Score = d.Score
			if page.Meta == nil {
				page.Meta = map[string]string{}
			}
			page.Meta[evidence.MetaVia] = d.Source
			delete(page.Meta, "requested_url") // nobody named it
			pages[i] = &page
			return nil
		})
	}
	_ = group.Wait() // always nil
	out, all := []evidence.Document{}, Origin{Cached: true}
	for i, p := range pages {
		if p == nil {
			continue
		}
		out = append(out, *p)
		all = Origin{Cached: all.Cached && froms[i].Cached, Stale: all.Stale || froms[i].Stale, Age: max(all.Age, froms[i].Age)}
	}
	all.Cached = all.Cached && len(out) > 0
	return out, all
}

func (e *Engine) readPage(ctx context.Context, url string) (doc evidence.Document, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.deps.Log.Error("reading a page panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("reading the page panicked: %v", p)
		}
	}()
	return e.deps.Page(ctx, url)
}
