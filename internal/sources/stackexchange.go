package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Without a key an address may send 300 requests a day: the burst (90) and what is
// added in a day (199) are below that. With a key it is 10,000.
var (
	stackExchangeKeyless = fetch.Rate{PerSecond: 0.0023, Burst: 90}
	stackExchangeKeyed   = fetch.Rate{PerSecond: 2, Burst: 30}
)

// Which answers are read: the best of each of the best questions.
const (
	answeredQuestions  = 3
	answersPerQuestion = 2
	answersPage        = 30 // of all these questions together, best votes first
)

// defaultPause is how many seconds to pause when the service says that it was
// asked too often, and not for how long to stop.
const defaultPause = "60"

// Scores of the parts of a thread: people look for answers, not for questions.
const (
	bestAnswerScore  = 1.0 // accepted, or with most votes
	otherAnswerScore = 0.9
	questionScore    = 0.6
)

// stackExchangeLicense is that of all posts; its version differs.
const stackExchangeLicense = "CC BY-SA"

func stackexchangeSpec() Spec {
	return Spec{
		Name: "stackexchange", About: "questions and their best answers on Stack Overflow or another site of Stack Exchange",
		DefaultURL: "https://api.stackexchange.com", DefaultTimeout: defaultTimeout, Rate: stackExchangeKeyless,
		Lifetime: 24 * time.Hour, // requests are scarce
		Enabled:  true, Kinds: []string{KindCode}, New: newStackExchange,
		Options: []Option{
			{Name: "site", Value: "stackoverflow", About: "site of Stack Exchange to search, such as superuser or unix"},
			{Name: "key", About: "key of Stack Exchange's API, which allows 10,000 requests a day instead of 300", Secret: true},
		},
	}
}

// stackExchange searches the questions of a site and reads the best answers to
// the best of them: two requests.
type stackExchange struct {
	endpoint
	site, key string
	backoff   func(time.Duration) // sends no request to the host for that long
}

func newStackExchange(s Settings, network *fetch.Network) (Source, error) {
	out := &stackExchange{site: cmp.Or(s.Options["site"], "stackoverflow"), key: s.Options["key"]}
	if out.key != "" && s.Rate == stackExchangeKeyless {
		s.Rate = stackExchangeKeyed
	}
	var err error
	out.endpoint, err = newEndpoint("stackexchange", s, network)
	if err != nil {
		return nil, err
	}
	out.backoff = out.client.Backoff
	return out, nil
}

func (x *stackExchange) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit := clamp(q.Limit, 1, 30) // their bodies are long
	budget := x.budget()
	var a stackExchangeAnswer
	posts, resp, err := x.get(ctx, budget, "/2.3/search/advanced", url.Values{
		"q": {cutWords(q.Text, maxSearchText)}, "sort": {"relevance"}, "pagesize": {strconv.Itoa(limit)},
	}, &a)
	defer func() { x.pause(&a, resp.Retrieved) }() // after the answers are read, which a pause would prevent
	if err != nil {
		return nil, err
	}
	best := answered(posts)
	if len(best) == 0 {
		return x.read(posts, nil, resp.Retrieved, limit), nil
	}
	var more stackExchangeAnswer
	answers, _, err := x.get(ctx, budget, "/2.3/questions/"+strings.Join(best, ";")+"/answers", url.Values{
		"sort": {"votes"}, "pagesize": {strconv.Itoa(answersPage)},
	}, &more)
	a.mergeLoad(&more)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("reading answers: %w", ctx.Err())
	}
	if err != nil { // the questions alone are useful, too
		return x.read(posts, nil, resp.Retrieved, limit), nil
	}
	return x.read(posts, answers, resp.Retrieved, limit), nil
}

// get calls one method of the API. What a cached answer says of the service's
// load no longer holds.
func (x *stackExchange) get(ctx context.Context, budget *fetch.Budget, path string, params url.Values, a *stackExchangeAnswer) ([]stackExchangePost, fetch.Response, error) {
	params.Set("site", x.site)
	params.Set("filter", "withbody")
	params.Set("order", "desc")
	if x.key != "" {
		params.Set("key", x.key)
	}
	req := x.request(path, params, budget)
	resp, err := x.client.GetJSON(ctx, req, a)
	if err != nil {
		refusal := err
		err = rephrased(err, func(e *fetch.Error) { x.explain(e); x.readRefusal(refusal, e, a) })
		var e *fetch.Error
		if errors.As(err, &e) && e.Kind == fetch.Throttled && e.Code != 0 && e.RetryAfter == 0 {
			a.Backoff = defaultPause // a client that goes on is blocked for longer
		}
		return nil, resp, err
	}
	posts, ok := decodeHits[stackExchangePost](a.Items)
	if err = a.problem(x.base.Host); err == nil && !ok {
		err = x.malformed()
	}
	if err != nil {
		x.client.Invalidate(req)
	}
	if resp.Cached {
		a.Backoff, a.Remaining, a.ErrorText = "", "", ""
	}
	return posts, resp, err
}

// explain recognizes throttling: the API answers 400 when the day's
// quota is used up, and 502 when requests come too fast.
func (x *stackExchange) explain(e *fetch.Error) {
	switch {
	case e.Code == 502 || e.Code == 400 && x.site == "stackoverflow" && x.key == "":
		e.Kind, e.Detail = fetch.Throttled, fmt.Sprintf("asked too often (%d); a free key allows more: set sources.stackexchange.key", e.Code)
	case e.Code == 400:
		e.Detail = "answered 400: asked too often, or sources.stackexchange.site or .key is not one of theirs"
	}
}

// readRefusal takes over what a refusal says in its body: whether it is for asking
// too often, and for how long.
func (x *stackExchange) readRefusal(refusal error, e *fetch.Error, a *stackExchangeAnswer) {
	var from *fetch.Error
	var said stackExchangeAnswer
	if !errors.As(refusal, &from) || json.Unmarshal(from.Answer, &said) != nil || said.ErrorName == "" {
		return
	}
	a.mergeLoad(&said)
	var named *fetch.Error
	if errors.As(said.problem(x.base.Host), &named) && named.Kind == fetch.Throttled {
		e.Kind, e.RetryAfter = fetch.Throttled, max(e.RetryAfter, named.RetryAfter)
		e.Detail = fmt.Sprintf("asked too often (%d)", e.Code)
		if x.key == "" {
			e.Detail += "; a free key allows more: set sources.stackexchange.key"
		}
	} else if e.Code == http.StatusBadRequest && named != nil {
		e.Kind, e.Detail = fetch.BadStatus, "answered 400; "+named.Detail+"; check sources.stackexchange.site and .key"
		a.Backoff = ""
	}
}

// pause stops requests to the service for as long as it asked for.
func (x *stackExchange) pause(a *stackExchangeAnswer, now time.Time) {
	if pause := a.pause(now); pause > 0 {
		x.backoff(pause)
	}
}

// read makes documents of questions and answers, best first.
func (x *stackExchange) read(questions, answers []stackExchangePost, retrieved time.Time, limit int) []evidence.Document {
	found := newCollector(x.name, retrieved)
	for rank, q := range questions {
		link := webURL(x.base, string(q.Link))
		d := q.document(x.site, string(q.Title))
		d.URL, d.Score = link, rankScore(rank)*questionScore
		found.add(d)
		for i, a := range q.bestOf(answers) {
			d := a.document(x.site, string(q.Title))
			if at, err := url.Parse(link); err == nil && link != "" {
				d.URL = webURL(at, "/a/"+url.PathEscape(string(a.AnswerID)))
			}
			d.Score = rankScore(rank) * otherAnswerScore
			if a.Accepted || i == 0 {
				d.Score = rankScore(rank) * bestAnswerScore
			}
			found.add(d)
		}
	}
	return found.best(limit)
}

// stackExchangeAnswer is every answer of the API.
type stackExchangeAnswer struct {
	Items     capped[json.RawMessage] `json:"items"`
	Backoff   loose                   `json:"backoff"` // seconds
	Remaining loose                   `json:"quota_remaining"`
	ErrorName loose                   `json:"error_name"`
	ErrorText loose                   `json:"error_message"`
}

// mergeLoad takes over what another answer says of the service's load: the
// longer pause and the later count.
func (a *stackExchangeAnswer) mergeLoad(b *stackExchangeAnswer) {
	if b.pauseAsked() > a.pauseAsked() {
		a.Backoff = b.Backoff
	}
	a.Remaining = cmp.Or(b.Remaining, a.Remaining)
	if b.ErrorName != "" {
		a.ErrorName, a.ErrorText = b.ErrorName, b.ErrorText
	}
}

func (a *stackExchangeAnswer) pauseAsked() time.Duration {
	n, err := strconv.ParseUint(string(a.Backoff), 10, 20)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// pause is how long to send no request: as long as the answer says, or until the
// next day begins when the day's quota is used up.
func (a *stackExchangeAnswer) pause(now time.Time) time.Duration {
	if a.Remaining == "0" {
		day := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		return max(day.Sub(now), a.pauseAsked())
	}
	return max(a.pauseAsked(), throttledFor(string(a.ErrorText)))
}

var moreRequestsIn = text.Pattern(`available in (\d{1,6}) seconds`)

// throttledFor is the time that the text of a throttle_violation names.
func throttledFor(message string) time.Duration {
	m := moreRequestsIn().FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits alone
	return time.Duration(n) * time.Second
}

// problem is the error that an answer holds instead of a result.
func (a *stackExchangeAnswer) problem(host string) error {
	if a.ErrorName == "" {
		return nil
	}
	if a.ErrorName == "throttle_violation" {
		return &fetch.Error{Kind: fetch.Throttled, Host: host, Detail: "asked too often", RetryAfter: throttledFor(string(a.ErrorText))}
	}
	return apiError(host, string(a.ErrorName), 0)
}

// stackExchangePost is a question or an answer. Any field may be null or absent.
type stackExchangePost struct {
	QuestionID loose          `json:"question_id"`
	AnswerID   loose          `json:"answer_id"`
	Title      loose          `json:"title"` // HTML; of questions alone
	Body       loose          `json:"body"`  // HTML
	Link       loose          `json:"link"`
	Score      loose          `json:"score"`
	Answers    loose          `json:"answer_count"`
	Accepted   bool           `json:"is_accepted"`
	Created    loose          `json:"creation_date"` // seconds since 1970
	License    loose          `json:"content_license"`
	Tags       capped[string] `json:"tags"`
	Owner      struct {
		Name loose `json:"display_name"` // HTML
	} `json:"owner"`
}

func (p stackExchangePost) score() int {
	n, _ := strconv.Atoi(string(p.Score)) // 0 where there is none
	return n
}

// document is a post before it is finished; it has no URL yet.
func (p stackExchangePost) document(site, title string) evidence.Document {
	d := evidence.Document{
		Title: html.UnescapeString(title), Text: extract.Fragment(string(p.Body)),
		License: cmp.Or(string(p.License), stackExchangeLicense), Language: siteLanguage(site),
	}
	if at, err := strconv.ParseInt(string(p.Created), 10, 40); err == nil && at > 0 {
		d.Published = time.Unix(at, 0).UTC()
	}
	accepted := ""
	if p.Accepted {
		accepted = "yes"
	}
	d.Meta = meta("author", html.UnescapeString(string(p.Owner.Name)), "score", string(p.Score), "accepted", accepted,
		"answers", string(p.Answers), "tags", strings.Join(p.Tags, ", "), "site", site)
	return d
}

// siteLanguage is English, except for sites such as es.stackoverflow.
func siteLanguage(site string) string {
	if lang, _, ok := strings.Cut(site, "."); ok && len(lang) == 2 && languageCode().MatchString(lang) {
		return lang
	}
	return "en"
}

var numeric = text.Pattern(`^[0-9]{1,18}$`)

// answered are the ids of the best questions that have answers.
func answered(posts []stackExchangePost) []string {
	var out []string
	for _, p := range posts {
		if id := string(p.QuestionID); numeric().MatchString(id) && p.Answers != "" && p.Answers != "0" && len(out) < answeredQuestions {
			out = append(out, id)
		}
	}
	return out
}

// bestOf are the best answers to the question: the accepted one, then by votes, none
// with a negative score.
func (p stackExchangePost) bestOf(answers []stackExchangePost) []stackExchangePost {
	var out []stackExchangePost
	for _, a := range answers {
		if a.QuestionID == p.QuestionID && a.AnswerID != "" && (a.Accepted || a.score() >= 0) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b stackExchangePost) int {
		if a.Accepted != b.Accepted {
			if a.Accepted {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.score(), a.score())
	})
	return out[:min(len(out), answersPerQuestion)]
}
