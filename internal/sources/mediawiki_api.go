package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// wiki is the part that the sources of a MediaWiki share. Its endpoint is that of
// the configured base URL; in returns the one for a language.
type wiki struct {
	endpoint
	settings Settings
	network  *fetch.Network
	script   string // path of api.php, without a slash at its end
}

// defaultScriptPath is that of Wikipedia and most other wikis.
const defaultScriptPath = "/w"

// wikimediaRate is below the 200 requests a minute that Wikimedia allows clients
// that identify themselves.
var wikimediaRate = fetch.Rate{PerSecond: 3, Burst: burst}

// Wikipedia has a host for each language; any other wiki has one host.
var (
	wikipediaHost = text.Pattern(`^[a-z]{2,3}(-[a-z]+)*\.wikipedia\.org$`)
	languageCode  = text.Pattern(`^[a-z]{2,3}$`)
)

// wikipediaLicense is that of the text of all Wikipedias; other wikis differ.
const wikipediaLicense = "CC BY-SA 4.0"

func newWiki(name string, s Settings, network *fetch.Network) (*wiki, error) {
	e, err := newEndpoint(name, s, network)
	return &wiki{endpoint: e, settings: s, network: network, script: defaultScriptPath}, err
}

// in is the wiki in a language; the settings' where it is empty. A language that
// the wiki has no host for means the configured base.
func (w *wiki) in(language string) (*wiki, error) {
	language = cmp.Or(language, w.settings.Language)
	if !slices.Contains(wikipediaLanguages(), language) || !wikipediaHost().MatchString(w.base.Host) {
		return w, nil
	}
	base := *w.base
	base.Host = language + ".wikipedia.org"
	other := *w
	other.base = &base
	var err error
	other.client, err = w.settings.clientFor(w.network, base.String())
	return &other, err
}

// languageOf is the language that a base URL names, or empty.
func languageOf(base *url.URL) string {
	if !wikipediaHost().MatchString(base.Host) {
		return ""
	}
	lang, _, _ := strings.Cut(base.Host, ".")
	return lang
}

// api calls the Action API, with action=query unless params name another action.
// An error may come in an answer of status 200, which is then not cached: see
// apiError.
func (w *wiki) api(ctx context.Context, budget *fetch.Budget, params url.Values, v apiAnswer) (fetch.Response, error) {
	if !params.Has("action") {
		params.Set("action", "query")
	}
	for key, value := range map[string]string{
		"format": "json", "formatversion": "2", "errorformat": "plaintext",
		"maxlag": "5", // seconds: fail rather than add to the load of lagging servers
	} {
		params.Set(key, value)
	}
	req := w.request(w.script+"/api.php", params, budget)
	resp, err := w.client.GetJSON(ctx, req, v)
	if err != nil {
		return resp, err
	}
	if v.problem() != "" || !v.complete() {
		w.client.Invalidate(req)
	}
	if code := v.problem(); code != "" {
		return resp, apiError(w.base.Host, code, resp.RetryAfter)
	}
	return resp, nil
}

// apiAnswer is an answer of the Action API.
type apiAnswer interface {
	problem() string
	complete() bool // it has the result that was asked for, or says that there is none
}

// apiHead is the part of an answer of the Action API besides its result.
// Warnings, whose shape differs between error formats, are not read.
type apiHead struct {
	Error *struct {
		Code loose `json:"code"`
	} `json:"error"`
	Errors capped[struct {
		Code loose `json:"code"`
	}] `json:"errors"`
	Complete json.RawMessage `json:"batchcomplete"`
	Continue json.RawMessage `json:"continue"`
}

// answered reports whether the Action API sent this: an answer without a result
// still says that it is complete or how to continue.
func (h *apiHead) answered() bool { return h.Complete != nil || h.Continue != nil }

// problem is the code of the first error, or empty.
func (h *apiHead) problem() string {
	switch {
	case h.Error != nil:
		return orUnknown(h.Error.Code)
	case len(h.Errors) > 0:
		return orUnknown(h.Errors[0].Code)
	}
	return ""
}

func orUnknown(code loose) string {
	if code == "" {
		return "unknown"
	}
	return string(code)
}

// apiError is an error in an answer with status 200. Of its text only the code is
// shown, and only if it looks like one.
func apiError(host, code string, after time.Duration) error {
	e := &fetch.Error{Kind: fetch.API, Host: host, RetryAfter: after, Detail: "its API reported an error"}
	if codePattern().MatchString(code) {
		e.Detail = "its API reported " + code
	}
	switch code {
	case "maxlag", "ratelimited", "readonly":
		e.Kind = fetch.Throttled
	}
	return e
}

var codePattern = text.Pattern(`^[a-zA-Z0-9_-]{1,40}$`)

// pageURL is the URL of the page with a title.
func pageURL(base *url.URL, title string) string {
	u := *base
	u.Path += "/wiki/" + strings.ReplaceAll(title, " ", "_")
	return strings.NewReplacer("%28", "(", "%29", ")").Replace(u.String()) // as MediaWiki writes them
}

// license is Wikipedia's for a Wikipedia, else empty.
func license(base *url.URL) string {
	if wikipediaHost().MatchString(base.Host) {
		return wikipediaLicense
	}
	return ""
}

// document is a page of this wiki without its own fields.
func (w *wiki) document() evidence.Document {
	return evidence.Document{Language: languageOf(w.base), License: license(w.base)}
}
