// Package sources searches services on the net, and folders, for documents. Each
// source is one file and one line in the registry; package sourcetest tests every
// entry there against the contract of Source. docs/adding-a-source.md shows how to
// add one.
package sources

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// Source is one service or folder to search. Its methods are safe for concurrent
// use.
type Source interface {
	// Name is that of the source's Spec.
	Name() string

	// Timeout is the longest that one Search spends on the wire, as set by
	// sources.NAME.timeout. Waiting for the host's rate limit is not part of it.
	Timeout() time.Duration

	// Search returns at most q.Limit documents, best first: never nil on success,
	// and empty when the service has none. It ends as soon as ctx does, with
	// ctx's error. The source's own timeout, and every failure of the service, is
	// an error with a SourceStatus method. A failure is never an empty result.
	Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error)
}

// Warner is a Source whose results may lack something that its user should know of.
type Warner interface {
	Source
	// SearchWarned is Search with one sentence for each such thing, also beside an error.
	SearchWarned(ctx context.Context, q evidence.Query) (docs []evidence.Document, warnings []string, err error)
}

// Settings are an operator's settings of one source.
type Settings struct {
	Enabled  bool
	URL      string        // base URL; empty: that of Spec.URLFrom, or the spec's
	Timeout  time.Duration // see Source; 0: the spec's
	Language string        // when a query names none, such as "en"
	Rate     fetch.Rate    // of the host; zero: the spec's, or none for a host on loopback or in a private net

	Lifetime time.Duration // how long an answer may be used again without asking; 0: the spec's

	Options map[string]string // settings of this source alone, by Option.Name; Build fills in the defaults

	// DataDir is the folder in which a source may keep an index of what is on this
	// machine; "": it keeps one in memory. An index of another Version is made anew.
	DataDir, Version string

	// Idle returns when no question is being answered, or ctx's error: long work of a
	// source waits for it between two steps. nil: it does not wait.
	Idle func(ctx context.Context) error

	Pages PageReader // nil: parses in this process, and reads no PDF

	Logger *slog.Logger // nil: none
}

// PageReader extracts the text of a page from its bytes; see extract.Isolated.
type PageReader interface {
	Page(ctx context.Context, raw []byte, contentType, pageURL string) (extract.Page, error)
}

func (s Settings) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

func (s Settings) reader() PageReader {
	if s.Pages == nil {
		return inProcess{}
	}
	return s.Pages
}

// inProcess parses HTML in this process. A panic of the parser is an error.
type inProcess struct{}

func (inProcess) Page(ctx context.Context, raw []byte, contentType, pageURL string) (page extract.Page, err error) {
	defer func() {
		if p := recover(); p != nil {
			page, err = extract.Page{}, fmt.Errorf("reading a page panicked: %v", p)
		}
	}()
	return extract.HTML(ctx, raw, contentType, pageURL)
}

// clientFor is a client for the host of a base URL, with the settings' rate. It
// caches answers for the settings' lifetime.
func (s Settings) clientFor(network *fetch.Network, base string) (*fetch.Client, error) {
	client, err := network.ForHost(base, s.Rate)
	if err != nil {
		return nil, err
	}
	return client.WithFixedCache(s.Lifetime), nil
}

// Kinds of questions that a source answers. A source of KindGeneral is asked
// about everything, one of KindOther about questions of no particular kind.
const (
	KindGeneral  = "general"
	KindCode     = "code"
	KindScience  = "science"
	KindMedicine = "medicine"
	KindNews     = "news"
	KindOther    = "other"
)

// Option is a setting of one source alone: sources.SOURCE.NAME.
type Option struct {
	Name   string // lower case, such as "key"
	Value  string // its default
	About  string // one line for people
	Secret bool   // its value is never shown

	// Private says that its value is addresses, in which all that does not name a place may be
	// a secret.
	Private bool
}

// Spec describes a source and makes it.
type Spec struct {
	Name           string
	About          string // one line for people
	DefaultURL     string
	URLFrom        string // name of the spec whose base URL is used when this one's is not set
	DefaultTimeout time.Duration
	Rate           fetch.Rate    // of requests, as the public service allows
	Lifetime       time.Duration // how long answers are cached; 0: defaultLifetime
	Enabled        bool          // by default
	Kinds          []string      // of questions that it answers; empty: it is asked only by name
	Options        []Option
	Needs          []string // "url" or options without which it stays off although it is enabled
	OwnFiles       bool     // it reads files of the user's own, in every format

	New func(Settings, *fetch.Network) (Source, error)
}

// defaultLifetime is for answers that change from day to day rather than from
// minute to minute.
const defaultLifetime = time.Hour

// defaultTimeout is enough for a public service on a slow day.
const defaultTimeout = 8 * time.Second

// burst is the number of requests that one question may send at once.
const burst = 10
