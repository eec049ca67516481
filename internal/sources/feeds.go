package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of feeds, so that neither the operator's list nor a feed makes a question
// slow.
const (
	maxFeeds        = 50
	maxFeedItems    = 1000    // of one feed that are searched
	maxFeedDepth    = 64      // of its elements: the parser recurses
	maxFeedEntries  = 5000    // of one feed; a longer one is refused
	maxFeedElements = 200_000 // and attributes of one feed: the parser keeps them all
	feedsParsed     = 2       // at once: a parsed feed takes many times its bytes
)

func feedsSpec() Spec {
	return Spec{
		Name: "feeds", About: "items of RSS, Atom and JSON feeds of your choice", DefaultTimeout: defaultTimeout,
		Rate: fetch.Rate{PerSecond: 1, Burst: 5}, Lifetime: 15 * time.Minute, Enabled: true, Kinds: []string{KindNews},
		Options: []Option{{Name: "urls", About: "addresses of RSS, Atom or JSON feeds, with commas or spaces between them", Private: true}},
		Needs:   []string{"urls"}, New: newFeeds,
	}
}

// feeds reads the feeds that the operator listed, all at once, and picks the
// items that match: feeds cannot be searched, so they are read whole.
type feeds struct {
	list    []feed
	timeout time.Duration
	parsing semaphore
}

// feed is one address with a client for its host, which the operator chose.
type feed struct {
	url    *url.URL
	client *fetch.Client
}

func newFeeds(s Settings, network *fetch.Network) (Source, error) {
	f := &feeds{timeout: s.Timeout, parsing: make(semaphore, feedsParsed)}
	names := strings.FieldsFunc(s.Options["urls"], func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(names) == 0 || len(names) > maxFeeds {
		return nil, evidence.BadInput(fmt.Sprintf("sources.feeds.urls lists %d feeds", len(names)), fmt.Sprintf("list 1 to %d", maxFeeds))
	}
	seen := map[string]bool{}
	for _, name := range names {
		u, err := url.Parse(name)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return nil, notAFeed(name, u)
		}
		if seen[u.String()] {
			continue
		}
		seen[u.String()] = true
		own := s
		if isLocal(u) {
			own.Rate = fetch.Rate{}
		}
		at, err := own.clientFor(network, u.String())
		if err != nil {
			return nil, err
		}
		f.list = append(f.list, feed{url: u, client: at})
	}
	return f, nil
}

// notAFeed refuses an address of the settings; u is nil if it is no URL.
func notAFeed(address string, u *url.URL) error {
	shown := redact.PrivateSetting(address)
	if u != nil && u.User != nil {
		return evidence.BadInput(fmt.Sprintf("sources.feeds.urls holds %q, an address with a user or password", shown),
			"leave out what stands before the @: feeds are read without it; many services give an address with a token instead")
	}
	return evidence.BadInput(fmt.Sprintf("sources.feeds.urls holds %q, which is not the address of a feed", shown),
		"list addresses such as https://example.org/feed.xml, with commas or spaces between them")
}

func (f *feeds) Name() string { return "feeds" }

func (f *feeds) Timeout() time.Duration { return f.timeout }

// Search fails when every feed fails, and when no item matches while a feed
// failed: that feed might have had one.
func (f *feeds) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs := make([][]evidence.Document, len(f.list))
	failed := make([]error, len(f.list))
	var group errgroup.Group
	for i, it := range f.list {
		group.Go(func() error {
			docs[i], failed[i] = f.read(ctx, it)
			return nil // a failed feed does not end the others
		})
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading %d feeds: %w", len(f.list), err)
	}
	found := rankItems(slices.Concat(docs...), q)
	failed = slices.DeleteFunc(failed, func(err error) bool { return err == nil })
	if len(found) > 0 || len(failed) == 0 {
		return found, nil
	}
	if len(f.list) == 1 {
		return nil, failed[0]
	}
	return nil, fmt.Errorf("%d of %d feeds failed, the first with: %w", len(failed), len(f.list), failed[0])
}

// read returns every item of one feed; of a damaged one what can be read, and an error.
// A panic of the parser fails that feed only.
func (f *feeds) read(ctx context.Context, it feed) (docs []evidence.Document, err error) {
	req := fetch.Request{URL: it.url.String(),
		Accept: "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9", Budget: fetch.NewBudget(f.timeout)}
	malformed := &fetch.Error{Kind: fetch.Malformed, Host: it.url.Host, Detail: "the answer is not the RSS, Atom or JSON Feed that was expected"}
	defer func() {
		if recover() != nil {
			docs, err = nil, malformed
		}
		if fetch.IsKind(err, fetch.Malformed) || fetch.IsKind(err, fetch.TooLarge) {
			it.client.Invalidate(req)
		}
	}()
	resp, err := it.client.Get(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := f.parsing.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.parsing.release()
	parsed, err := parseFeed(resp.Body, resp.FullType())
	switch {
	case errors.Is(err, errFeedTooLarge):
		return nil, &fetch.Error{Kind: fetch.TooLarge, Host: it.url.Host, Detail: "the feed has more items or elements than are read"}
	case err != nil:
		return nil, malformed
	}
	docs = items(it.url, parsed, resp.Retrieved)
	if parsed.damaged {
		return docs, malformed
	}
	return docs, nil
}

// newsWords ask for new items rather than for items with these words.
var newsWords = text.QueryTerms("new news newest latest recent recently today yesterday current currently headline week month year update")

// rankItems returns the items that hold a word of the query, best first and, among
// equals, newest first; for a query of nothing but newsWords the newest.
func rankItems(docs []evidence.Document, q evidence.Query) []evidence.Document {
	docs = distinct(docs)
	query := slices.DeleteFunc(text.SearchTerms(q.Text), func(t string) bool { return slices.Contains(newsWords, t) })
	terms := make([][]string, len(docs))
	for i, d := range docs {
		title := text.IndexTerms(d.Title, "")
		terms[i] = slices.Concat(title, title, text.IndexTerms(d.Text, "")) // a word of the title counts three times
	}
	scores, best := text.NewBM25(terms).Scores(query), 0.0
	for i, d := range docs {
		scores[i] *= d.Score
		best = max(best, scores[i])
	}
	out := []evidence.Document{}
	for i, d := range docs {
		switch {
		case len(query) == 0:
			d.Score = 1
		case scores[i] <= 0:
			continue
		default:
			d.Score = scores[i] / best
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b evidence.Document) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), b.Published.Compare(a.Published))
	})
	return out[:min(len(out), clamp(q.Limit, 1, maxLimit))]
}

// distinct drops an item that another feed has, too.
func distinct(docs []evidence.Document) []evidence.Document {
	seen := map[string]bool{}
	return slices.DeleteFunc(docs, func(d evidence.Document) bool {
		again := seen[d.ID]
		seen[d.ID] = true
		return again
	})
}
