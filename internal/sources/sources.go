// Package sources asks places on the net for documents. Each source is one file
// and one line in the registry; what a source promises is tested by package
// sourcetest for every entry there.
package sources

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
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
}

// Spec describes a source before it is made.
type Spec struct {
	Name           string
	About          string // one line for people
	DefaultURL     string
	URLFrom        string // name of the spec whose base URL is inherited when this one has none of its own
	DefaultTimeout time.Duration
	Rate           fetch.Rate // what the public service puts up with
	Enabled        bool       // unless settings say otherwise

	New func(Settings, *fetch.Client) (Source, error)
}

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
func Build(settings map[string]Settings, client *fetch.Client) ([]Source, error) {
	return build(Registry(), settings, client)
}

func build(specs []Spec, settings map[string]Settings, client *fetch.Client) ([]Source, error) {
	if err := checkNames(specs, settings); err != nil {
		return nil, err
	}
	out := []Source{}
	for _, spec := range specs {
		s, err := resolve(spec, specs, settings)
		if err != nil {
			return nil, err
		}
		if !s.Enabled {
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
	s.URL = baseURL(spec, specs, settings)
	base, err := parseBase(spec, s.URL)
	if err != nil {
		return s, err
	}
	s.URL = base.String()
	switch {
	case s.Timeout < 0:
		return s, evidence.BadInput(fmt.Sprintf("sources.%s.timeout is %s", spec.Name, s.Timeout), "set a duration above zero, such as 8s")
	case s.Timeout == 0:
		s.Timeout = spec.DefaultTimeout
	}
	if s.Rate == (fetch.Rate{}) && !isLocal(base) {
		s.Rate = spec.Rate
	}
	return s, nil
}

// baseURL is a source's own URL, else that of the spec it inherits from, else
// the default.
func baseURL(spec Spec, specs []Spec, settings map[string]Settings) string {
	if own := strings.TrimSpace(settings[spec.Name].URL); own != "" {
		return own
	}
	for _, from := range specs {
		if from.Name == spec.URLFrom && from.Name != spec.Name {
			return baseURL(from, specs, settings)
		}
	}
	return spec.DefaultURL
}

// parseBase checks a base URL and takes off its trailing slash.
func parseBase(spec Spec, value string) (*url.URL, error) {
	bad := func(why string) error {
		return evidence.BadInput(fmt.Sprintf("sources.%s.url %q %s", spec.Name, withoutUser(value), why), "set it to a base URL such as "+spec.DefaultURL)
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
