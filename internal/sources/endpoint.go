package sources

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// endpoint is the part that every source with one base URL has: its name, the
// URL, a client for that URL's host, and how long one search may take. A source
// embeds it and has Name and Timeout from it.
type endpoint struct {
	name    string
	base    *url.URL
	client  *fetch.Client
	timeout time.Duration
}

func newEndpoint(name string, s Settings, network *fetch.Network) (endpoint, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return endpoint{}, err
	}
	at, err := s.clientFor(network, s.URL)
	return endpoint{name: name, base: base, client: at, timeout: s.Timeout}, err
}

func (e endpoint) Name() string { return e.name }

// Timeout is the longest that one Search spends on the wire.
func (e endpoint) Timeout() time.Duration { return e.timeout }

// budget is the time on the wire of one search, for all of its requests.
func (e endpoint) budget() *fetch.Budget { return fetch.NewBudget(e.timeout) }

// request asks for a path below the base URL.
func (e endpoint) request(path string, params url.Values, budget *fetch.Budget) fetch.Request {
	return fetch.Request{URL: e.base.String() + path + "?" + params.Encode(), Budget: budget}
}

// getJSON makes the only request of a search and decodes the answer into v.
func (e endpoint) getJSON(ctx context.Context, path string, params url.Values, v any) (fetch.Response, error) {
	return e.client.GetJSON(ctx, e.request(path, params, e.budget()), v)
}

// malformed is the error for an answer of another shape than the service's.
func (e endpoint) malformed() error { return malformed(e.base) }

func malformed(base *url.URL) error { return &fetch.Error{Kind: fetch.Malformed, Host: base.Host} }

// rephrased is err with other words or another kind, when it is a *fetch.Error;
// change gets a copy of that.
func rephrased(err error, change func(*fetch.Error)) error {
	var e *fetch.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	change(&out)
	return &out
}

// semaphore limits the requests of one source that are under way at once, below
// the limit of its host.
type semaphore chan struct{}

// acquire waits for a place; the error is ctx's. release gives it back.
func (s semaphore) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another search: %w", ctx.Err())
	}
}

func (s semaphore) release() { <-s }

// Bounds of a query: where every word has to match, more of them find less, and
// a longer word or query only makes a URL that is refused.
const (
	maxSearchWords = 8
	maxSearchWord  = 40  // bytes
	maxSearchText  = 300 // bytes, where not every word has to match
)

// maxLimit is the most documents that a search returns, whatever its query says.
const maxLimit = 50

// clamp is n within low and high.
func clamp(n, low, high int) int { return min(max(n, low), high) }

// searchWords are the words to search for, at most n: no operators, quotes or
// wildcards, which mean something else to each service, and no function words
// unless there are no others.
func searchWords(s string, n int) []string {
	var words, all []string
	for _, t := range text.Tokenize(s) {
		word, _ := text.Cut(t.Word, maxSearchWord)
		all = append(all, word)
		if !t.Stop {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		words = all
	}
	return words[:min(len(words), n)]
}

// cutWords is the beginning of s in whole words: at most n bytes, and a part of
// the first word where that is longer.
func cutWords(s string, n int) string {
	short, cut := text.Cut(s, n)
	if i := strings.LastIndexByte(short, ' '); cut && i > 0 {
		short = short[:i]
	}
	return strings.TrimSpace(short)
}
