package sources

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// parsedPages is how many pages of a wiki without extracts are read, one request
// each.
const parsedPages = 3

func mediawikiSpec() Spec {
	return Spec{
		Name: "mediawiki", About: "pages of a MediaWiki of your choice",
		DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: 1, Burst: 5},
		Enabled: true, Kinds: []string{KindGeneral}, Needs: []string{"url"}, New: newMediaWiki,
		Options: []Option{{Name: "script_path", Value: defaultScriptPath, About: "path of api.php on the wiki; / when it is at the top"}},
	}
}

func newMediaWiki(s Settings, network *fetch.Network) (Source, error) {
	w, err := newWiki("mediawiki", s, network)
	if err != nil {
		return nil, err
	}
	if path, ok := s.Options["script_path"]; ok {
		w.script = strings.TrimSuffix("/"+strings.Trim(path, "/"), "/")
	}
	return &wikipedia{w}, nil
}

type parseAnswer struct {
	apiHead
	Parse *struct {
		Revision loose  `json:"revid"`
		Text     string `json:"text"` // HTML
	} `json:"parse"`
}

func (a *parseAnswer) complete() bool { return a.Parse != nil }

// parsePages reads the texts of the best pages from their HTML, for a wiki that
// has no extracts.
func (w *wiki) parsePages(ctx context.Context, budget *fetch.Budget, pages []searchPage) error {
	var failed error
	for i := range pages[:min(len(pages), parsedPages)] {
		if failed = w.parse(ctx, budget, &pages[i]); failed != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("reading pages: %w", ctx.Err())
	case withoutExtracts(pages):
		return failed
	}
	return nil // some pages were read
}

// parse reads the text of one page from its HTML.
func (w *wiki) parse(ctx context.Context, budget *fetch.Budget, page *searchPage) error {
	var a parseAnswer
	_, err := w.api(ctx, budget, url.Values{
		"action": {"parse"}, "page": {page.Title}, "prop": {"text|revid"}, "disableeditsection": {"1"}, "disabletoc": {"1"},
	}, &a)
	if err != nil {
		return err
	}
	if a.Parse == nil {
		return w.malformed()
	}
	read, err := w.settings.reader().Page(ctx, []byte(a.Parse.Text), "text/html; charset=utf-8", pageURL(w.base, page.Title))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := strings.TrimSpace(read.Text)
	if err != nil || text == "" {
		text = extract.Fragment(a.Parse.Text)
	}
	page.Extract, page.Revision = &text, a.Parse.Revision
	return nil
}

// readBest replaces the introduction of the best page by its whole text, unless
// that cannot be read.
func (w *wiki) readBest(ctx context.Context, budget *fetch.Budget, docs []evidence.Document) error {
	if len(docs) == 0 {
		return nil
	}
	var a searchAnswer
	resp, err := w.api(ctx, budget, url.Values{
		"titles": {docs[0].Title}, "redirects": {"1"}, "prop": {"extracts|info"}, "explaintext": {"1"}, "exlimit": {"1"},
	}, &a)
	if ctx.Err() != nil {
		return fmt.Errorf("reading the page: %w", ctx.Err())
	}
	if err == nil && a.Query != nil {
		pages, _ := decodeEach[searchPage](a.Query.Pages)
		replaceText(&docs[0], pages, resp.Retrieved)
	}
	return nil
}

// replaceText takes over the text of the one page, if it is longer.
func replaceText(d *evidence.Document, pages []searchPage, retrieved time.Time) {
	if len(pages) != 1 || pages[0].Extract == nil {
		return
	}
	fuller := *d
	fuller.Text, fuller.Revision = *pages[0].Extract, string(pages[0].Revision)
	if fuller, ok := finish(fuller, retrieved); ok && len(fuller.Text) > len(d.Text) {
		*d = fuller
	}
}
