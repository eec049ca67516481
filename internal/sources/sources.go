// Package sources asks places on the net for documents. Each source is one file
// and one line in the registry; what a source promises is tested by package
// sourcetest for every entry there.
package sources

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// Source is one place to ask. Search is safe for concurrent use. It returns at
// most q.Limit documents, best first, never nil on success, and an empty slice
// when the place has nothing. It ends as soon as ctx does, with ctx's error; its
// own deadline, and every failure of the place, is an error with a
// SourceStatus. A failure is never an empty result.
type Source interface {
	Name() string
	Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error)
}

// Settings are what an operator says about a source.
type Settings struct {
	Enabled  bool
	URL      string        // base URL; empty: inherited or the spec's
	Timeout  time.Duration // on the wire for one Search; 0: the spec's
	Language string        // when a query names none, such as "en"
	Rate     fetch.Rate    // of the host; zero: the spec's, or none for a host on loopback or in a private net

	Lifetime time.Duration // how long an answer may be used again without asking; 0: the spec's

	Options map[string]string // what only this source knows, by Option.Name; Build fills in the defaults

	Pages PageReader // nil: in this process, and no PDF

	Logger *slog.Logger // nil: none
}

// PageReader makes text of the bytes of a page; see extract.Isolated.
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

// inProcess reads what a parser may be trusted with. One that trips over a page
// costs that page.
type inProcess struct{}

func (inProcess) Page(ctx context.Context, raw []byte, contentType, pageURL string) (page extract.Page, err error) {
	defer func() {
		if p := recover(); p != nil {
			page, err = extract.Page{}, fmt.Errorf("reading a page panicked: %v", p)
		}
	}()
	return extract.HTML(ctx, raw, contentType, pageURL)
}

// door opens the way to the source's base URL, where answers are kept for the
// source's lifetime.
func (s Settings) door(client *fetch.Network) (*fetch.Client, error) {
	return s.doorTo(client, s.URL)
}

// doorTo is door for another base URL of the source's.
func (s Settings) doorTo(client *fetch.Network, base string) (*fetch.Client, error) {
	door, err := client.ForHost(base, s.Rate)
	if err != nil {
		return nil, err
	}
	return door.WithFixedCache(s.Lifetime), nil
}

// Kinds of questions that a source is good for. A source of KindGeneral is
// asked about everything, one of KindOther about what is of no particular kind.
const (
	KindGeneral  = "general"
	KindCode     = "code"
	KindScience  = "science"
	KindMedicine = "medicine"
	KindNews     = "news"
	KindOther    = "other"
)

// Option is a setting that only one source knows: sources.SOURCE.NAME.
type Option struct {
	Name   string // lower case, such as "key"
	Value  string // its default
	About  string // one line for people
	Secret bool   // its value is never shown
}

// Spec describes a source before it is made.
type Spec struct {
	Name           string
	About          string // one line for people
	DefaultURL     string
	URLFrom        string // name of the spec whose base URL is inherited when this one has none of its own
	DefaultTimeout time.Duration
	Rate           fetch.Rate    // what the public service puts up with
	Lifetime       time.Duration // how long its answers stay good; 0: defaultLifetime
	Enabled        bool          // unless settings say otherwise
	Kinds          []string      // of questions that it answers; empty: it is asked only by name
	Options        []Option
	Needs          []string // "url" or options without which it stays off although it is enabled

	New func(Settings, *fetch.Network) (Source, error)
}

// defaultLifetime suits what changes from day to day rather than from minute
// to minute.
const defaultLifetime = time.Hour

// defaultTimeout is long enough for a slow day of a public service.
const defaultTimeout = 8 * time.Second

// Names are the names of all sources, sorted.
func Names() []string {
	var out []string
	for _, s := range Registry() {
		out = append(out, s.Name)
	}
	return out
}

// Build makes the enabled sources, in the registry's order. A source that is
// not in settings has its spec's defaults. The error is an *evidence.Problem
// that names the setting.
func Build(settings map[string]Settings, client *fetch.Network) ([]Source, error) {
	return build(Registry(), settings, client)
}

func build(specs []Spec, settings map[string]Settings, client *fetch.Network) ([]Source, error) {
	if err := checkNames(specs, settings); err != nil {
		return nil, err
	}
	out := []Source{}
	for _, spec := range specs {
		s, err := resolve(spec, specs, settings)
		if err != nil {
			return nil, err
		}
		if !s.Enabled || len(Missing(spec, s)) > 0 {
			continue
		}
		made, err := spec.New(s, client)
		if err != nil {
			return nil, fmt.Errorf("making source %s: %w", spec.Name, err)
		}
		out = append(out, made)
	}
	return out, nil
}

func checkNames(specs []Spec, settings map[string]Settings) error {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	var unknown []string
	for name := range settings {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return evidence.BadInput(fmt.Sprintf("unknown source %q", unknown[0]), "use one of "+strings.Join(names, ", "))
}

// resolve fills in what the settings of a source leave open.
func resolve(spec Spec, specs []Spec, settings map[string]Settings) (Settings, error) {
	s, given := settings[spec.Name]
	if !given {
		s.Enabled = spec.Enabled
	}
	var err error
	if s.Options, err = options(spec, s.Options); err != nil {
		return s, err
	}
	s.URL = baseURL(spec, specs, func(name string) string { return settings[name].URL })
	base := &url.URL{}
	if s.URL != "" {
		if base, err = parseBase(spec, s.URL); err != nil {
			return s, err
		}
	}
	s.URL = base.String()
	switch {
	case s.Timeout < 0:
		return s, evidence.BadInput(fmt.Sprintf("sources.%s.timeout is %s", spec.Name, s.Timeout), "set a duration above zero, such as 8s")
	case s.Timeout == 0:
		s.Timeout = spec.DefaultTimeout
	}
	s.Lifetime = cmp.Or(s.Lifetime, spec.Lifetime, defaultLifetime)
	if s.Rate == (fetch.Rate{}) && !isLocal(base) { // a public service, or the unnamed one
		s.Rate = spec.Rate
	}
	return s, nil
}

// options are the spec's defaults with what was given over them. An option that
// the source does not know is refused.
func options(spec Spec, given map[string]string) (map[string]string, error) {
	var out map[string]string
	for _, o := range spec.Options {
		if out == nil {
			out = map[string]string{}
		}
		out[o.Name] = o.Value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := out[name]; !known {
			return nil, evidence.BadInput(fmt.Sprintf("there is no setting sources.%s.%s", spec.Name, name), "`research-mcp config` lists all settings")
		}
		if v := strings.TrimSpace(given[name]); v != "" {
			out[name] = v
		}
	}
	return out, nil
}

// Missing are the settings that the source needs and does not have, as
// sources.NAME.KEY. s is as an operator gave it.
func Missing(spec Spec, s Settings) []string {
	var out []string
	for _, need := range spec.Needs {
		if need == "url" && s.URL == "" || need != "url" && strings.TrimSpace(s.Options[need]) == "" {
			out = append(out, "sources."+spec.Name+"."+need)
		}
	}
	return out
}

// BaseURL is a source's own URL, as urlOf gives it by name, else that of the
// spec it inherits from, else the default.
func BaseURL(spec Spec, urlOf func(name string) string) string {
	return baseURL(spec, Registry(), urlOf)
}

func baseURL(spec Spec, specs []Spec, urlOf func(name string) string) string {
	if own := strings.TrimSpace(urlOf(spec.Name)); own != "" {
		return own
	}
	for _, from := range specs {
		if from.Name == spec.URLFrom && from.Name != spec.Name {
			return baseURL(from, specs, urlOf)
		}
	}
	return spec.DefaultURL
}

// parseBase checks a base URL and takes off its trailing slash.
func parseBase(spec Spec, value string) (*url.URL, error) {
	bad := func(why string) error {
		return evidence.BadInput(fmt.Sprintf("sources.%s.url %q %s", spec.Name, withoutUser(value), why), "set it to a base URL such as "+cmp.Or(spec.DefaultURL, "http://localhost:8080"))
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return nil, bad("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, bad("has no http:// or https:// in front")
	case u.Hostname() == "":
		return nil, bad("has no host")
	case u.User != nil:
		return nil, bad("holds a user name or password, which are not supported")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, bad("has a query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// withoutUser keeps a password in a mistyped URL out of messages and logs.
func withoutUser(value string) string {
	at := strings.LastIndex(value, "@")
	if at < 0 {
		return value
	}
	if i := strings.Index(value, "://"); i >= 0 && i < at {
		return value[:i+3] + "…" + value[at:]
	}
	return "…" + value[at:]
}

// isLocal reports whether the host is on loopback or in a private net by its
// very spelling: the operator's own server sets its own limits.
func isLocal(u *url.URL) bool {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.Unmap().IsLoopback() || a.Unmap().IsPrivate())
}
