package sources

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Build makes the enabled sources that have what they need, in the registry's
// order. A source that is not in settings has its spec's defaults. The error is
// an *evidence.Problem that names the setting.
func Build(settings map[string]Settings, network *fetch.Network) ([]Source, error) {
	return build(Registry(), settings, network)
}

func build(specs []Spec, settings map[string]Settings, network *fetch.Network) ([]Source, error) {
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
		made, err := spec.New(s, network)
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

// resolve checks the settings of a source and fills in those that are not set.
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
	if s.Timeout < 0 {
		return s, evidence.BadInput(fmt.Sprintf("sources.%s.timeout is %s", spec.Name, s.Timeout), "set a duration above zero, such as 8s")
	}
	s.Timeout = cmp.Or(s.Timeout, spec.DefaultTimeout)
	s.Language = text.PrimaryLanguage(s.Language)
	s.Lifetime = cmp.Or(s.Lifetime, spec.Lifetime, defaultLifetime)
	if s.Rate == (fetch.Rate{}) && !isLocal(base) { // a public service, or a source without a base URL
		s.Rate = spec.Rate
	}
	return s, nil
}

// options are the given ones over the spec's defaults. An option that the source
// does not have is refused.
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

// Missing returns the settings that the source needs and s lacks, as
// sources.NAME.KEY. s is as the operator set it, without defaults.
func Missing(spec Spec, s Settings) []string {
	var out []string
	for _, need := range spec.Needs {
		if need == "url" && s.URL == "" || need != "url" && strings.TrimSpace(s.Options[need]) == "" {
			out = append(out, "sources."+spec.Name+"."+need)
		}
	}
	return out
}

// BaseURL is the URL that urlOf returns for the spec's name, else the base URL of
// Spec.URLFrom, else the default.
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

// parseBase checks a base URL and removes its trailing slash.
func parseBase(spec Spec, value string) (*url.URL, error) {
	bad := func(why string) error {
		return evidence.BadInput(fmt.Sprintf("sources.%s.url %q %s", spec.Name, redact.Setting(value), why), "set it to a base URL such as "+cmp.Or(spec.DefaultURL, "http://localhost:8080"))
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

// isLocal reports whether the URL's host is spelled as one on loopback or in a
// private net: the operator's own server, which sets its own limits.
func isLocal(u *url.URL) bool {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.Unmap().IsLoopback() || a.Unmap().IsPrivate())
}
