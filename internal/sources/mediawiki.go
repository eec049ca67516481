package sources

import (
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

// wiki is what the sources that read a MediaWiki share.
type wiki struct {
	name     string
	base     *url.URL
	client   *fetch.Network
	settings Settings
	timeout  time.Duration
	language string
	script   string // path of api.php, without its slash at the end
}

// defaultScriptPath is where Wikipedia and most others have it.
const defaultScriptPath = "/w"

// Wikipedia has a host for each language; any other wiki has just its own.
var (
	wikipediaHost = text.Pattern(`^[a-z]{2,3}(-[a-z]+)*\.wikipedia\.org$`)
	languageCode  = text.Pattern(`^[a-z]{2,3}$`)
)

// license of the text of all Wikipedias. Another wiki's is not known.
const wikipediaLicense = "CC BY-SA 4.0"

func newWiki(name string, s Settings, client *fetch.Network) (*wiki, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	w := &wiki{name: name, base: base, client: client, settings: s, timeout: s.Timeout, language: s.Language, script: defaultScriptPath}
	_, err = s.door(client) // a base URL that cannot be served is found at start
	return w, err
}

// in is the base URL and the door for a language. A language that the wiki has
// no host for means the configured base.
func (w *wiki) in(language string) (*url.URL, *fetch.Client, error) {
	if language == "" {
		language = w.language
	}
	base := w.base
	if slices.Contains(wikipediaLanguages(), language) && wikipediaHost().MatchString(base.Host) {
		other := *base
		other.Host = language + ".wikipedia.org"
		base = &other
	}
	door, err := w.settings.doorTo(w.client, base.String())
	return base, door, err
}

// languageOf is the language that a base URL tells of, or empty.
func languageOf(base *url.URL) string {
	if !wikipediaHost().MatchString(base.Host) {
		return ""
	}
	lang, _, _ := strings.Cut(base.Host, ".")
	return lang
}

// api asks the Action API, to query unless params name another action. The
// error may stand in a good answer, which is not kept then: see apiError.
func (w *wiki) api(ctx context.Context, base *url.URL, door *fetch.Client, budget *fetch.Budget, params url.Values, v apiAnswer) (fetch.Response, error) {
	if !params.Has("action") {
		params.Set("action", "query")
	}
	for key, value := range map[string]string{
		"format": "json", "formatversion": "2", "errorformat": "plaintext",
		"maxlag": "5", // be turned away rather than add to a lag
	} {
		params.Set(key, value)
	}
	req := fetch.Request{URL: base.String() + w.script + "/api.php?" + params.Encode(), Budget: budget}
	resp, err := door.GetJSON(ctx, req, v)
	if err != nil {
		return resp, err
	}
	if v.problem() != "" || !v.whole() {
		door.Invalidate(req)
	}
	if code := v.problem(); code != "" {
		return resp, apiError(base.Host, code, resp.RetryAfter)
	}
	return resp, nil
}

// apiAnswer is an answer of the Action API.
type apiAnswer interface {
	problem() string
	whole() bool // it has the result that was asked for, or says that there is none
}

// apiHead is what every answer of the Action API may carry beside its result.
// Warnings, whose shape differs between error formats, are not read.
type apiHead struct {
	Error *struct {
		Code loose `json:"code"`
	} `json:"error"`
	Errors few[struct {
		Code loose `json:"code"`
	}] `json:"errors"`
	Complete json.RawMessage `json:"batchcomplete"`
	Continue json.RawMessage `json:"continue"`
}

// answered reports whether this is the Action API's at all: an answer without a
// result still says that it is complete or how to go on.
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

// apiError is an error that came with status 200. Only its code is shown, and
// only if it looks like one.
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

// pageURL is where people read a title.
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

// Limits of a query as the services understand them.
func clamp(n, low, high int) int { return min(max(n, low), high) }

// document starts one of this wiki.
func (w *wiki) document(base *url.URL) evidence.Document {
	return evidence.Document{Source: w.name, Language: languageOf(base), License: license(base)}
}
