package sources

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

const advanced = "/2.3/search/advanced"

func TestStackExchangeReadsTheBestAnswers(t *testing.T) {
	t.Parallel()
	s, srv := serve(t, "stackexchange", map[string]string{"site": "stackoverflow", "key": "k1"}, map[string][]canned{
		advanced:                    page(t, "stackexchange", "search.json"),
		"/2.3/questions/71/answers": page(t, "stackexchange", "answers.json"),
	})
	docs := found(t, s, evidence.Query{Text: "goroutine & channel", Limit: 5})
	const title, site, license = `How do I "wait" for a goroutine & its channel?`, "https://stackoverflow.com", "CC BY-SA 4.0"
	want := []brief{
		{title, "Use a `sync.WaitGroup`:\n\n```\nwg.Add(1)\ngo func() {\n\tdefer wg.Done()\n\tch <- 1\n}()\n```\n\nIt counts goroutines.", site + "/a/72", "en", license, ""},
		{title, "Close the channel when the goroutine is done.", site + "/a/73", "en", license, ""},
		{title, "My program ends before the goroutine has sent on its channel.", site + "/questions/71/how", "en", license, ""},
		{"What does a nil channel do?", "A goroutine of mine blocks for ever.", site + "/questions/80/nil-channel", "en", license, ""},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"author": "ann", "score": "12", "accepted": "yes", "site": "stackoverflow"}, docs[0].Meta); diff != "" {
		t.Errorf("Meta of an answer (-want +got):\n%s", diff)
	}
	if docs[2].Meta["author"] != "O'Neil" || !docs[2].Published.Equal(time.Unix(1760000000, 0)) {
		t.Errorf("question: %+v", docs[2])
	}
	for i, want := range []url.Values{
		{"q": {"goroutine & channel"}, "site": {"stackoverflow"}, "filter": {"withbody"}, "sort": {"relevance"}, "order": {"desc"}, "pagesize": {"5"}, "key": {"k1"}},
		{"site": {"stackoverflow"}, "filter": {"withbody"}, "sort": {"votes"}, "order": {"desc"}, "pagesize": {"30"}, "key": {"k1"}},
	} {
		u := mustURL(t, srv.asked[i])
		if diff := cmp.Diff(want, u.Query()); diff != "" {
			t.Errorf("request %d, %s (-want +got):\n%s", i, u.Path, diff)
		}
	}
}

func TestStackExchangeWithoutItsAnswersGivesTheQuestions(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]canned{
		"404":          {code: 404},
		"garbage":      {body: "{"},
		"throttled":    {code: 400, body: `{"error_id":502,"error_name":"throttle_violation"}`},
		"other shape":  {body: `{"items":"none"}`},
		"no shape":     {body: `{}`},
		"no answers":   {body: `{"items":[]}`},
		"of elsewhere": {body: `{"items":[{"answer_id":1,"question_id":2,"body":"x"}]}`},
	} {
		s, srv := serve(t, "stackexchange", nil, map[string][]canned{advanced: page(t, "stackexchange", "search.json"), "/2.3/questions/71/answers": {a}})
		docs := found(t, s, evidence.Query{Text: "x", Limit: 5})
		if len(docs) != 2 || docs[0].Retrieved.IsZero() || len(srv.asked) != 2 {
			t.Errorf("%s: %+v after %q, want the two questions", name, briefs(docs), srv.asked)
		}
	}
}

func TestStackExchangeAsksForNoAnswersWhereThereAreNone(t *testing.T) {
	t.Parallel()
	s, srv := serve(t, "stackexchange", nil, map[string][]canned{advanced: {{body: `{"items":[
		{"question_id":1,"answer_count":0,"link":"https://x.org/1","body":"one"},
		{"question_id":"1/../../me","answer_count":2,"link":"https://x.org/2","body":"two"},
		{"question_id":3,"answer_count":2,"link":"javascript:x","body":"three"}]}`}}, "/2.3/questions/3/answers": {{body: `{"items":[{"answer_id":4,"question_id":3,"body":"four"}]}`}}})
	docs := found(t, s, evidence.Query{Text: "x", Limit: 5})
	if len(docs) != 2 || len(srv.asked) != 2 || !strings.HasPrefix(srv.asked[1], "/2.3/questions/3/answers?") {
		t.Errorf("%+v after %q, want the two with an address, and only question 3's answers asked for", briefs(docs), srv.asked)
	}
}

func TestStackExchangeErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options map[string]string
		answer  canned
		kind    fetch.Kind
		after   time.Duration
		says    string
	}{
		{"day used up", nil, canned{code: 400, body: "{}"}, fetch.Throttled, 0, "sources.stackexchange.key"},
		{"shut out", nil, canned{code: 400, body: `{"error_id":502,"error_name":"throttle_violation","error_message":"too many requests from this IP, more requests available in 17001 seconds"}`}, fetch.Throttled, 17001 * time.Second, "sources.stackexchange.key"},
		{"shut out with a key", map[string]string{"key": "k"}, canned{code: 400, body: `{"error_name":"throttle_violation","error_message":"more requests available in 9 seconds"}`}, fetch.Throttled, 9 * time.Second, "asked too often (400), retry"},
		{"bad parameter", nil, canned{code: 400, body: `{"error_id":400,"error_name":"bad_parameter","error_message":"No site found"}`}, fetch.BadStatus, 0, "bad_parameter; check sources.stackexchange.site"},
		{"too fast", map[string]string{"key": "k"}, canned{code: 502, body: "{}"}, fetch.Throttled, 0, "asked too often"},
		{"bad site", map[string]string{"site": "nope"}, canned{code: 400, body: "{}"}, fetch.BadStatus, 0, "sources.stackexchange.site"},
		{"in a good answer", nil, canned{body: string(fixture(t, "stackexchange", "throttle.json"))}, fetch.Throttled, 43 * time.Second, "asked too often"},
		{"other error", nil, canned{body: string(fixture(t, "stackexchange", "error.json"))}, fetch.API, 0, "bad_parameter"},
		{"down", nil, canned{code: 500}, fetch.Server, 0, "server error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := serve(t, "stackexchange", c.options, map[string][]canned{advanced: {c.answer}})
			_, err := s.Search(t.Context(), evidence.Query{Text: "x", Limit: 5})
			e, ok := err.(*fetch.Error) //nolint:errorlint // it is not to be wrapped
			if !ok || e.Kind != c.kind || e.RetryAfter != c.after || !strings.Contains(e.Error(), c.says) {
				t.Errorf("err = %#v, want %s after %s with %q", err, c.kind, c.after, c.says)
			}
		})
	}
}

func TestStackExchangePauses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	for body, want := range map[string]time.Duration{
		`{}`:                                   0,
		`{"backoff":10,"quota_remaining":12}`:  10 * time.Second,
		`{"backoff":"7"}`:                      7 * time.Second,
		`{"backoff":-4}`:                       0,
		`{"backoff":99999999999}`:              0,
		`{"backoff":10,"quota_remaining":0}`:   30 * time.Minute,
		`{"backoff":3600,"quota_remaining":0}`: time.Hour,
		`{"error_message":"more requests available in 43 seconds"}`: 43 * time.Second,
	} {
		var a stackExchangeAnswer
		decodeJSON(t, []byte(body), &a)
		if got := a.pause(now); got != want {
			t.Errorf("pause of %s = %s, want %s", body, got, want)
		}
	}
	for _, c := range []struct {
		name            string
		search, answers canned
		want            []time.Duration
	}{
		{"nothing asked for", canned{body: `{"items":[]}`}, canned{}, nil},
		{"by the search", canned{body: `{"items":[],"backoff":10}`}, canned{}, []time.Duration{10 * time.Second}},
		{"by the answers", canned{body: `{"items":[{"question_id":1,"answer_count":1}]}`}, canned{body: `{"items":[],"backoff":20}`}, []time.Duration{20 * time.Second}},
		{"both", canned{body: `{"items":[{"question_id":1,"answer_count":1}],"backoff":30}`}, canned{body: `{"items":[],"backoff":5}`}, []time.Duration{30 * time.Second}},
		{"by a violation", canned{body: string(fixture(t, "stackexchange", "throttle.json"))}, canned{}, []time.Duration{43 * time.Second}},
		{"by a refusal that names it", canned{code: 400, body: `{"error_name":"throttle_violation","error_message":"too many requests from this IP, more requests available in 17001 seconds"}`}, canned{}, []time.Duration{17001 * time.Second}},
		{"by the answers' refusal", canned{body: `{"items":[{"question_id":1,"answer_count":1}]}`}, canned{code: 502, body: `{"error_name":"throttle_violation","error_message":"more requests available in 80 seconds"}`}, []time.Duration{80 * time.Second}},
		{"not by another refusal", canned{code: 400, body: `{"error_name":"bad_parameter"}`}, canned{}, nil},
		{"by a status", canned{code: 400, body: "{}"}, canned{}, []time.Duration{time.Minute}},
		{"by a fault", canned{code: 500, body: "{}"}, canned{}, nil},
	} {
		s, _ := serve(t, "stackexchange", nil, map[string][]canned{advanced: {c.search}, "/2.3/questions/1/answers": {c.answers}})
		var got []time.Duration
		s.(*stackExchange).backoff = func(d time.Duration) { got = append(got, d) }
		_, _ = s.Search(t.Context(), evidence.Query{Text: "x", Limit: 5}) // what it returns is tested elsewhere
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: pauses (-want +got):\n%s", c.name, diff)
		}
	}
	a, b := stackExchangeAnswer{Backoff: "5", Remaining: "9"}, stackExchangeAnswer{Backoff: "8", Remaining: "0"}
	if a.mergeLoad(&b); a.Backoff != "8" || a.Remaining != "0" {
		t.Errorf("mergeLoad = %+v, want the longer rest and the later count", a)
	}
}

func TestStackExchangeRates(t *testing.T) {
	t.Parallel()
	r := specOf(t, "stackexchange").Rate
	if day := r.PerSecond*24*60*60 + float64(r.Burst); day > 300 {
		t.Errorf("%+v allows %.0f requests a day, the service 300", r, day)
	}
	github := specOf(t, "github").Rate
	if minute := github.PerSecond*60 + float64(github.Burst); minute > 10 {
		t.Errorf("%+v allows %.0f requests a minute, the service 10", github, minute)
	}
}

func TestBestAnswers(t *testing.T) {
	t.Parallel()
	post := func(id, score string, accepted bool) stackExchangePost {
		return stackExchangePost{QuestionID: "1", AnswerID: loose(id), Score: loose(score), Accepted: accepted}
	}
	all := []stackExchangePost{post("a", "3", false), post("b", "-9", true), post("c", "7", false), post("d", "-1", false), {QuestionID: "2", AnswerID: "e", Score: "99"}}
	var got []string
	for _, a := range (stackExchangePost{QuestionID: "1"}).bestOf(all) {
		got = append(got, string(a.AnswerID))
	}
	if !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("bestOf = %q, want the accepted one and the one with most votes", got)
	}
	if got := siteLanguage("es.stackoverflow") + siteLanguage("stackoverflow") + siteLanguage("unix.stackexchange"); got != "esenen" {
		t.Errorf("languages = %q", got)
	}
}

func FuzzStackExchange(f *testing.F) {
	f.Add(fixture(f, "stackexchange", "search.json"), fixture(f, "stackexchange", "answers.json"))
	f.Add(fixture(f, "stackexchange", "nulls.json"), fixture(f, "stackexchange", "answers-nulls.json"))
	f.Fuzz(func(t *testing.T, search, answers []byte) {
		var a, b stackExchangeAnswer
		if json.Unmarshal(search, &a) != nil || json.Unmarshal(answers, &b) != nil {
			return
		}
		questions, _ := decodeEach[stackExchangePost](a.Items)
		more, _ := decodeEach[stackExchangePost](b.Items)
		x := &stackExchange{endpoint: endpoint{base: mustURL(t, "https://api.stackexchange.com")}, site: "stackoverflow"}
		checkParsed(t, x.read(questions, more, retrieved, 30))
	})
}

func TestStackExchangePausesOncePerAnswer(t *testing.T) {
	t.Parallel()
	s, srv := serveCached(t, "stackexchange", nil, map[string][]canned{
		advanced:                   {{body: `{"items":[{"question_id":1,"answer_count":1,"link":"https://x.org/1","body":"one"}],"backoff":30}`}},
		"/2.3/questions/1/answers": {{body: `{"items":[],"backoff":40,"quota_remaining":50}`}},
	})
	var got []time.Duration
	s.(*stackExchange).backoff = func(d time.Duration) { got = append(got, d) }
	for range 3 {
		found(t, s, evidence.Query{Text: "x", Limit: 5})
	}
	if diff := cmp.Diff([]time.Duration{40 * time.Second}, got); diff != "" || len(srv.asked) != 2 {
		t.Errorf("%d requests, pauses (-want +got):\n%s", len(srv.asked), diff)
	}
}

func TestStackExchangeDoesNotCacheErrors(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"throttled": `{"error_id":502,"error_name":"throttle_violation"}`, "error": `{"error_id":500,"error_name":"internal_error"}`,
		"no shape": `{}`, "other items": `{"items":[1,2]}`,
	} {
		s, srv := serveCached(t, "stackexchange", nil, map[string][]canned{
			advanced:                   {{body: `{"items":[{"question_id":1,"answer_count":1,"link":"https://x.org/1","body":"one"}]}`}},
			"/2.3/questions/1/answers": {{body: bad}, {body: `{"items":[{"answer_id":4,"question_id":1,"body":"four"}]}`}},
		})
		for _, want := range []int{1, 2, 2} {
			if docs := found(t, s, evidence.Query{Text: "x", Limit: 5}); len(docs) != want {
				t.Errorf("%s: %d documents, want %d", name, len(docs), want)
			}
		}
		if len(srv.asked) != 3 {
			t.Errorf("%s: asked %q, want the search once and the answers twice", name, srv.asked)
		}
	}
}
