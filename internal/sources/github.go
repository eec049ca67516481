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
		Name: "github", About: "descriptions and topics of repositories on GitHub",
		DefaultURL: "https://api.github.com", DefaultTimeout: defaultTimeout,
		Rate:    fetch.Rate{PerSecond: 0.1, Burst: 4}, // ten searches a minute without a token
		Enabled: true, Kinds: []string{KindCode}, New: newGitHub,
	}
}

// gitHub searches GitHub's repositories. It reads their descriptions and
// topics, not what is in them.
type gitHub struct{ endpoint }

func newGitHub(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("github", s, network)
	return &gitHub{e}, err
}

func (g *gitHub) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, maxLimit)
	params := url.Values{"q": {cutWords(q.Text, maxGitHubQuery)}, "per_page": {strconv.Itoa(limit)}}
	var a gitHubAnswer
	req := g.request("/search/repositories", params, g.budget())
	req.Accept = "application/vnd.github+json"
	resp, err := g.client.GetJSON(ctx, req, &a)
	if err != nil {
		return nil, rephrased(err, explainGitHub)
	}
	docs, ok := g.read(&a, limit, resp.Retrieved)
	switch {
	case !ok:
		return nil, g.malformed()
	case len(docs) == 0 && a.Incomplete:
		return nil, &fetch.Error{Kind: fetch.API, Host: g.base.Host, Detail: "its search ran out of time"}
	}
	return docs, nil
}

// explainGitHub distinguishes throttling from a refusal: GitHub answers 403 for
// both, with a time to try again for the first.
func explainGitHub(e *fetch.Error) {
	if e.Kind == fetch.Forbidden && e.RetryAfter > 0 {
		e.Kind, e.Detail = fetch.Throttled, "asked too often (403)"
	}
}

type gitHubAnswer struct {
	Incomplete bool                    `json:"incomplete_results"` // the search ran out of time
	Items      capped[json.RawMessage] `json:"items"`
}

// gitHubRepository is a hit. Any field may be null or absent.
type gitHubRepository struct {
	FullName    loose          `json:"full_name"`
	URL         loose          `json:"html_url"`
	Description loose          `json:"description"`
	Language    loose          `json:"language"`
	Stars       loose          `json:"stargazers_count"`
	Topics      capped[string] `json:"topics"`
	Created     loose          `json:"created_at"`
	Pushed      loose          `json:"pushed_at"`
	Archived    bool           `json:"archived"`
	License     struct {
		ID loose `json:"spdx_id"`
	} `json:"license"`
}

// read makes documents of an answer, best first. It reports false when the
// answer is of another shape.
func (g *gitHub) read(a *gitHubAnswer, limit int, retrieved time.Time) ([]evidence.Document, bool) {
	repos, ok := decodeHits[gitHubRepository](a.Items)
	if !ok {
		return nil, false
	}
	return collect(g.name, repos, retrieved, limit, g.document), true
}

// document is a repository before it is finished. Its score is 1, or less for one
// that does not say what it is.
func (g *gitHub) document(r gitHubRepository) evidence.Document {
	name, about := string(r.FullName), text.Squash(string(r.Description))
	d := evidence.Document{Title: name, URL: webURL(g.base, string(r.URL)), Score: 1}
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
	d.Published = timestamp(r.Created)
	d.Meta = meta("stars", string(r.Stars), "language", string(r.Language), "license", license, "topics", strings.Join(r.Topics, ", "),
		"changed", string(r.Pushed))
	return d
}
