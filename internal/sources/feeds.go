package sources

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html/charset"
	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
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
		Name: "feeds", About: "items of RSS and Atom feeds of your choice", DefaultTimeout: defaultTimeout,
		Rate: fetch.Rate{PerSecond: 1, Burst: 5}, Lifetime: 15 * time.Minute, Enabled: true, Kinds: []string{KindNews},
		Options: []Option{{Name: "urls", About: "addresses of RSS or Atom feeds, with commas or spaces between them"}},
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
			name, _, _ = strings.Cut(name, "?") // the query may hold a key
			return nil, evidence.BadInput(fmt.Sprintf("sources.feeds.urls holds %q, which is not the address of a feed", withoutUser(name)),
				"list addresses such as https://example.org/feed.xml, with commas or spaces between them")
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
	found := []evidence.Document{}
	if slices.Contains(failed, nil) {
		found = rankItems(slices.Concat(docs...), q)
	}
	failed = slices.DeleteFunc(failed, func(err error) bool { return err == nil })
	if len(found) > 0 || len(failed) == 0 {
		return found, nil
	}
	if len(f.list) == 1 {
		return nil, failed[0]
	}
	return nil, fmt.Errorf("%d of %d feeds failed, the first with: %w", len(failed), len(f.list), failed[0])
}

// read returns every item of one feed. A panic of the parser fails that feed only.
func (f *feeds) read(ctx context.Context, it feed) (docs []evidence.Document, err error) {
	req := fetch.Request{URL: it.url.String(),
		Accept: "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9", Budget: fetch.NewBudget(f.timeout)}
	malformed := &fetch.Error{Kind: fetch.Malformed, Host: it.url.Host, Detail: "the answer is not the RSS or Atom that was expected"}
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
	parsed, err := parseFeed(resp.Body)
	switch {
	case errors.Is(err, errFeedTooLarge):
		return nil, &fetch.Error{Kind: fetch.TooLarge, Host: it.url.Host, Detail: "the feed has more items or elements than are read"}
	case err != nil:
		return nil, malformed
	}
	return items(it.url, parsed, resp.Retrieved), nil
}

var (
	errNoFeed       = errors.New("neither RSS nor Atom")
	errFeedTooLarge = errors.New("larger than a feed may be")
)

// parseFeed reads RSS and Atom only: any JSON object would count as an empty JSON
// Feed, and hide an outage.
func parseFeed(raw []byte) (*gofeed.Feed, error) {
	if err := checkSize(raw); err != nil {
		return nil, err
	}
	switch gofeed.DetectFeedType(bytes.NewReader(raw)) {
	case gofeed.FeedTypeAtom, gofeed.FeedTypeRSS:
		return gofeed.NewParser().Parse(bytes.NewReader(raw))
	}
	return nil, errNoFeed
}

// checkSize refuses XML that nests deeper, or has more elements, than any feed. It
// counts every end tag once: the lenient parser closes at least one element for
// each, so its depth is never greater.
func checkSize(raw []byte) error {
	clean := slices.DeleteFunc(slices.Clone(raw), func(b byte) bool { // the parser drops them, too
		return b < ' ' && b != '\t' && b != '\n' && b != '\r'
	})
	d := xml.NewDecoder(bytes.NewReader(clean))
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	for depth, elements, entries := 0, 0, 0; ; {
		token, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err // the parser would fail here, too
		}
		switch tag := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxFeedDepth {
				return errNoFeed
			}
			if name := tag.Name.Local; strings.EqualFold(name, "item") || strings.EqualFold(name, "entry") {
				entries++
			}
			if elements += 1 + len(tag.Attr); elements > maxFeedElements || entries > maxFeedEntries {
				return errFeedTooLarge
			}
		case xml.EndElement:
			depth = max(depth-1, 0)
		}
	}
}

// items makes documents of a feed's items, in its order.
func items(at *url.URL, f *gofeed.Feed, retrieved time.Time) []evidence.Document {
	at = withoutQuery(at)
	base := at
	if home, err := at.Parse(strings.TrimSpace(f.Link)); err == nil {
		base = home
	}
	language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(f.Language)), "-")
	var out []evidence.Document
	for _, it := range f.Items[:min(len(f.Items), maxFeedItems)] {
		if it == nil {
			continue
		}
		d := evidence.Document{Source: "feeds", Title: plainText(it.Title), Score: 1, Language: language}
		d.Text = cmp.Or(plainText(it.Content), plainText(it.Description))
		if d.Text == "" {
			d.Text, d.Score = text.Squash(d.Title), bareTitle
		}
		if at := cmp.Or(it.PublishedParsed, it.UpdatedParsed); at != nil {
			d.Published = at.UTC()
		}
		d.URL = itemURL(at, base, it, d)
		d.Meta = meta("feed", f.Title, "author", authors(it), "topics", strings.Join(it.Categories, ", "))
		if d, ok := finish(d, retrieved); ok {
			out = append(out, d)
		}
	}
	return out
}

// withoutQuery is the address of a feed as documents show it: the query of a
// private feed often holds a key.
func withoutQuery(at *url.URL) *url.URL {
	public := *at
	public.RawQuery, public.ForceQuery = "", false
	return &public
}

// itemURL is where an item is read: its link, else its id where that is an
// address, else a fragment of the feed's address.
func itemURL(at, base *url.URL, it *gofeed.Item, d evidence.Document) string {
	if link := webURL(base, strings.TrimSpace(it.Link)); link != "" {
		return link
	}
	guid := strings.TrimSpace(it.GUID)
	if strings.HasPrefix(guid, "http://") || strings.HasPrefix(guid, "https://") {
		if link := webURL(base, guid); link != "" {
			return link
		}
	}
	item := *at
	item.Fragment = cmp.Or(guid, strings.TrimPrefix(evidence.DocumentID("feeds", "", d.Title+"\n"+d.Text), "d_"))
	return item.String()
}

func authors(it *gofeed.Item) string {
	var names []string
	for _, a := range it.Authors {
		if a != nil && a.Name != "" {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}

// newsWords ask for new items rather than for items with these words.
var newsWords = text.QueryTerms("new news newest latest recent recently today yesterday current currently headline week month year update")

// rankItems returns the items that hold a word of the query, best first and, among
// equals, newest first; for a query of nothing but newsWords the newest.
func rankItems(docs []evidence.Document, q evidence.Query) []evidence.Document {
	docs = distinct(docs)
	query := slices.DeleteFunc(text.QueryTerms(q.Text), func(t string) bool { return slices.Contains(newsWords, t) })
	terms := make([][]string, len(docs))
	for i, d := range docs {
		title := text.Terms(d.Title)
		terms[i] = slices.Concat(title, title, text.Terms(d.Text)) // a word of the title counts three times
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
