package sources

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// maxGitHubQuery is how many bytes of a query GitHub takes.
const maxGitHubQuery = 256

func githubSpec() Spec {
	return Spec{
		Name: "github", About: "what repositories on GitHub say that they are",
		DefaultURL: "https://api.github.com", DefaultTimeout: defaultTimeout,
		Rate:    fetch.Rate{PerSecond: 0.1, Burst: 4}, // ten searches a minute without a token
		Enabled: true, Kinds: []string{KindCode}, New: newGitHub,
	}
}

// gitHub searches GitHub's repositories. It reads their descriptions and
// topics, not what is in them.
type gitHub struct{ endpoint }

func newGitHub(s Settings, client *fetch.Network) (Source, error) {
	e, err := newEndpoint(s, client)
	return &gitHub{e}, err
}

func (g *gitHub) Name() string { return "github" }

func (g *gitHub) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, 50)
	params := url.Values{"q": {cutWords(q.Text, maxGitHubQuery)}, "per_page": {strconv.Itoa(limit)}}
	var a gitHubAnswer
	resp, err := g.door.GetJSON(ctx, fetch.Request{
		URL: g.base.String() + "/search/repositories?" + params.Encode(), Accept: "application/vnd.github+json", Budget: fetch.NewBudget(g.timeout),
	}, &a)
	if err != nil {
		return nil, rephrased(err, explainGitHub)
	}
	docs, ok := g.read(&a, resp.Retrieved)
	switch {
	case !ok:
		return nil, g.malformed()
	case len(docs) == 0 && a.Incomplete:
		return nil, &fetch.Error{Kind: fetch.API, Host: g.base.Host, Detail: "its search ran out of time"}
	}
	return docs[:min(len(docs), limit)], nil
}

// explainGitHub knows that GitHub also says 403 to whoever asks too often, and
// then when to come back.
func explainGitHub(e *fetch.Error) {
	if e.Kind == fetch.Forbidden && e.RetryAfter > 0 {
		e.Kind, e.Detail = fetch.Throttled, "asked too often (403)"
	}
}

type gitHubAnswer struct {
	Incomplete bool                 `json:"incomplete_results"` // the search ran out of time
	Items      few[json.RawMessage] `json:"items"`
}

// gitHubRepository is one that was found. Any field may be null or absent.
type gitHubRepository struct {
	FullName    loose       `json:"full_name"`
	URL         loose       `json:"html_url"`
	Description loose       `json:"description"`
	Language    loose       `json:"language"`
	Stars       loose       `json:"stargazers_count"`
	Topics      few[string] `json:"topics"`
	Created     loose       `json:"created_at"`
	Pushed      loose       `json:"pushed_at"`
	Archived    bool        `json:"archived"`
	License     struct {
		ID loose `json:"spdx_id"`
	} `json:"license"`
}

// read makes documents of an answer, best first. It reports false when it is of
// another shape.
func (g *gitHub) read(a *gitHubAnswer, retrieved time.Time) ([]evidence.Document, bool) {
	repos, ok := each[gitHubRepository](a.Items)
	if !ok || a.Items == nil { // a search without hits has an empty list
		return nil, false
	}
	docs, seen := []evidence.Document{}, map[string]bool{}
	for place, r := range repos {
		d := r.document(g.base)
		d.Source, d.Score = g.Name(), d.Score*rankScore(place)
		if d, ok := finish(d, retrieved); ok && !seen[d.ID] {
			seen[d.ID] = true
			docs = append(docs, d)
		}
	}
	return byScore(docs), true
}

// document is a repository before it is cleaned. Its score is 1, or less for one
// that does not say what it is.
func (r gitHubRepository) document(base *url.URL) evidence.Document {
	name, about := string(r.FullName), text.Squash(string(r.Description))
	d := evidence.Document{Title: name, URL: webURL(base, string(r.URL)), Score: 1}
	if name == "" {
		return d
	}
	lines := []string{name + " is a repository on GitHub."}
	if about != "" {
		lines[0] = name + ": " + about
		d.Title += ": " + about
	} else {
		d.Score = bareTitle
	}
	if len(r.Topics) > 0 {
		lines = append(lines, "Topics: "+strings.Join(r.Topics, ", ")+".")
	}
	var facts []string
	if r.Language != "" {
		facts = append(facts, "written in "+string(r.Language))
	}
	if r.Stars != "" {
		facts = append(facts, string(r.Stars)+" stars")
	}
	license := string(r.License.ID)
	if license == "NOASSERTION" {
		license = ""
	}
	if license != "" {
		facts = append(facts, "license "+license)
	}
	if r.Archived {
		facts = append(facts, "archived, no longer maintained")
	}
	if len(facts) > 0 {
		lines = append(lines, "Repository: "+strings.Join(facts, "; ")+".")
	}
	d.Text = strings.Join(lines, "\n\n")
	if at, err := time.Parse(time.RFC3339, string(r.Created)); err == nil {
		d.Published = at.UTC()
	}
	d.Meta = meta("stars", string(r.Stars), "language", string(r.Language), "license", license, "topics", strings.Join(r.Topics, ", "),
		"changed", string(r.Pushed))
	return d
}
