package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/sources/sourcetest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// instant is a world without latencies.
func instant() map[string]time.Duration {
	return map[string]time.Duration{"wikipedia": 0, "wikipedia-summary": 0, "hackernews": 0}
}

func start(t *testing.T, o world.Options) *world.World {
	t.Helper()
	w, err := world.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// ask builds the real sources for the world.
func ask(t *testing.T, w *world.World) map[string]sources.Source {
	t.Helper()
	client := fetch.New(fetch.Config{Version: "test", Contact: "test@example.org"})
	t.Cleanup(func() { client.Close() })
	settings := sourcetest.AllOff()
	for name, u := range w.URLs() {
		settings[name] = sources.Settings{Enabled: true, URL: u}
	}
	built, err := sources.Build(settings, client)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]sources.Source{}
	for _, s := range built {
		out[s.Name()] = s
	}
	return out
}

func TestEverySourceFindsWhatTheDemoAsks(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{Latency: instant()})
	found := ask(t, w)
	for _, c := range []struct {
		query string
		want  map[string]string // source to a title, or words, of one of its documents
	}{
		{"transformer attention", map[string]string{"wikipedia": "Attention (machine learning)", "wikipedia-summary": "Transformer (deep learning)", "hackernews": "how attention works in a transformer"}},
		{"transformer", map[string]string{"wikipedia": "Transformer (deep learning)", "wikipedia-summary": "Transformer (deep learning)", "hackernews": "transformer click"}},
		{"BERT GPT trained", map[string]string{"wikipedia": "BERT (language model)", "wikipedia-summary": "BERT (language model)", "hackernews": "fill-in-the-blank"}},
		{"masking words BERT GPT", map[string]string{"wikipedia": "BERT (language model)", "hackernews": "masked training"}},
		{"models introduced 2018", map[string]string{"wikipedia": "introduced in October 2018", "hackernews": "introduced in 2018 that changed"}},
		{"Go concurrency", map[string]string{"wikipedia": "Go (programming language)", "wikipedia-summary": "Go", "hackernews": "runtime parks the goroutine"}},
		{"goroutine leak", map[string]string{"wikipedia": "Goroutine", "wikipedia-summary": "Goroutine", "hackernews": "30,000 goroutines"}},
		{"errgroup", map[string]string{"wikipedia": "Errgroup", "wikipedia-summary": "Errgroup", "hackernews": "Errgroup, the eleven lines"}},
		{"asyncio", map[string]string{"wikipedia": "Asyncio", "wikipedia-summary": "Asyncio", "hackernews": "asyncio"}},
		{"channel", map[string]string{"wikipedia": "Channel (Go)", "wikipedia-summary": "Channel (Go)", "hackernews": "channel"}},
	} {
		for name, want := range c.want {
			docs, err := found[name].Search(t.Context(), evidence.Query{Text: c.query, Limit: 5})
			if err != nil {
				t.Errorf("%s(%q): %v", name, c.query, err)
				continue
			}
			if !slices.ContainsFunc(docs, func(d evidence.Document) bool { return strings.Contains(d.Title+"\n"+d.Text, want) }) {
				var titles []string
				for _, d := range docs {
					titles = append(titles, d.Title)
				}
				t.Errorf("%s(%q) = %q, want %q among them", name, c.query, titles, want)
			}
		}
	}
}

func TestUnknownSubjectsAreNotFound(t *testing.T) {
	t.Parallel()
	found := ask(t, start(t, world.Options{Latency: instant()}))
	for _, query := range []string{"capital of Peru", "train a dog", "photosynthesis", "world cup winner 1998", "how to cook rice", "zzqqxx"} {
		for name, s := range found {
			docs, err := s.Search(t.Context(), evidence.Query{Text: query, Limit: 5})
			if err != nil || len(docs) != 0 {
				t.Errorf("%s(%q) = %d documents, %v, want none", name, query, len(docs), err)
			}
		}
	}
}

func TestLatencyIsTakenOnceASearch(t *testing.T) {
	t.Parallel()
	latency := map[string]time.Duration{"wikipedia": 50 * time.Millisecond, "wikipedia-summary": 70 * time.Millisecond, "hackernews": 30 * time.Millisecond}
	for name, s := range ask(t, start(t, world.Options{Latency: latency})) {
		begin := time.Now()
		// "channel" leads the summary through a disambiguation page first.
		if docs, err := s.Search(t.Context(), evidence.Query{Text: "channel", Limit: 3}); err != nil || len(docs) == 0 {
			t.Fatalf("%s: %d documents, %v", name, len(docs), err)
		}
		if took := time.Since(begin); took < latency[name] {
			t.Errorf("%s took %s, want at least %s", name, took, latency[name])
		}
	}
}

func TestDefaultLatencies(t *testing.T) {
	t.Parallel()
	want := map[string]time.Duration{"wikipedia": 800 * time.Millisecond, "wikipedia-summary": 1200 * time.Millisecond, "hackernews": 500 * time.Millisecond}
	if diff := cmp.Diff(want, world.Latencies()); diff != "" {
		t.Errorf("Latencies (-want +got):\n%s", diff)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for fault, kind := range map[string]fetch.Kind{"fail": fetch.Server, "garbage": fetch.Malformed} {
		for name := range instant() {
			t.Run(fault+" "+name, func(t *testing.T) {
				t.Parallel()
				found := ask(t, start(t, world.Options{Latency: instant(), Fault: map[string]string{name: fault}}))
				for other, s := range found {
					docs, err := s.Search(t.Context(), evidence.Query{Text: "transformer", Limit: 3})
					if other == name && !fetch.IsKind(err, kind) || other != name && (err != nil || len(docs) == 0) {
						t.Errorf("%s = %d documents, %v", other, len(docs), err)
					}
				}
			})
		}
	}
}

func TestHangNoticesADisconnectAndCloseIsPrompt(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{Latency: instant(), Fault: map[string]string{"wikipedia": "hang", "hackernews": "hang"}})
	found := ask(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		w.Await(t.Context(), func(w *world.World) bool { return w.Requests("wikipedia") == 1 })
	}()
	if _, err := found["wikipedia"].Search(ctx, evidence.Query{Text: "transformer", Limit: 3}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	if err := w.Await(t.Context(), func(w *world.World) bool { return w.Closed() == 1 }); err != nil {
		t.Fatal(err)
	}
	if w.Closed("wikipedia") != 1 || w.Closed("hackernews") != 0 || w.Requests() != 1 {
		t.Errorf("closed %d and %d, requests %d, want 1, 0, 1", w.Closed("wikipedia"), w.Closed("hackernews"), w.Requests())
	}
	// Close ends the request that still hangs; it would block the test otherwise.
	ended := make(chan error, 1)
	go func() {
		_, err := found["hackernews"].Search(t.Context(), evidence.Query{Text: "transformer", Limit: 3})
		ended <- err
	}()
	if err := w.Await(t.Context(), func(w *world.World) bool { return w.Requests("hackernews") == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the hanging request succeeded")
	}
	if w.Closed("hackernews") != 0 {
		t.Error("a request that Close ended counts as one whose client left")
	}
}

func TestBadOptionsNameTheValidOnes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		o         world.Options
		what, try string
	}{
		{"source of a latency", world.Options{Latency: map[string]time.Duration{"wiki": 1}}, `unknown source "wiki"`, "hackernews, wikipedia, wikipedia-summary"},
		{"negative latency", world.Options{Latency: map[string]time.Duration{"wikipedia": -1}}, "the latency of wikipedia is -1ns", "such as 1.2s"},
		{"source of a fault", world.Options{Fault: map[string]string{"arxiv": "fail"}}, `unknown source "arxiv"`, "hackernews, wikipedia, wikipedia-summary"},
		{"fault", world.Options{Fault: map[string]string{"wikipedia": "explode"}}, `unknown fault "explode" for wikipedia`, "fail, hang or garbage"},
	} {
		_, err := world.Start(c.o)
		var p *evidence.Problem
		if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, c.what) || !strings.Contains(p.Try, c.try) {
			t.Errorf("%s: err = %v, want %q and %q", c.name, err, c.what, c.try)
		}
	}
}

// get asks the world directly, without our sources.
func get(t *testing.T, agent, u string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestShapesOfTheRealServices(t *testing.T) {
	t.Parallel()
	urls := start(t, world.Options{Latency: instant()}).URLs()
	wiki, hn, rest := urls["wikipedia"], urls["hackernews"], urls["wikipedia-summary"]+"/api/rest_v1/page/summary/"
	for _, c := range []struct {
		name, agent, url string
		code             int
		kind             string
		has              []string
	}{
		{"no user agent", "", wiki + "/w/api.php?action=query", 403, "text/plain", []string{"set a user-agent"}},
		{"library's user agent", "Go-http-client/1.1", rest + "Goroutine", 403, "text/plain", nil},
		{"no hit", "x", wiki + "/w/api.php?action=query&generator=search&gsrsearch=zzqq", 200, "application/json", []string{`{"batchcomplete":true}`}},
		{"missing parameter", "x", wiki + "/w/api.php?action=query&generator=search", 200, "application/json", []string{`"error":{"code":"missingparam"`}},
		{"missing parameter, plain", "x", wiki + "/w/api.php?action=query&list=search&errorformat=plaintext", 200, "application/json", []string{`"errors":[{"code":"missingparam"`}},
		{"titles", "x", wiki + "/w/api.php?action=query&list=search&srsearch=goroutine&srlimit=1", 200, "application/json", []string{`"search":[{`, `"title":"Goroutine"`, `"continue":{`}},
		{"one extract without exintro", "x", wiki + "/w/api.php?action=query&generator=search&gsrsearch=go&prop=extracts", 200, "application/json", []string{"lowered to 1"}},
		{"summary", "x", rest + "Goroutine", 200, "application/json", []string{`"type":"standard"`, wiki + "/wiki/Goroutine", `"revision":"410010"`}},
		{"alias", "x", rest + "Go_scheduler", 302, "", nil},
		{"disambiguation", "x", rest + "Channel", 200, "application/json", []string{`"type":"disambiguation"`}},
		{"no such title", "x", rest + "Zzqq%2Fxx", 404, "application/json", []string{"errors/not_found"}},
		{"article", "", wiki + "/wiki/Goroutine", 403, "text/plain", nil},
		{"article with a name", "x", wiki + "/wiki/Goroutine", 200, "text/html", []string{"<h1>Goroutine</h1>", "Written for the demo"}},
		{"stories", "", hn + "/api/v1/search?query=errgroup&tags=story", 200, "application/json", []string{`"nbHits":1`, `"_highlightResult"`, `"url":"` + hn + "/item?id=", `"title":"Errgroup, the eleven`}},
		{"comments", "", hn + "/api/v1/search?query=asyncio&tags=(comment)&attributesToHighlight=", 200, "application/json", []string{`"title":null`, `"url":null`, `"points":null`, `"story_title":"Ask HN`}},
		{"nothing", "", hn + "/api/v1/search?query=zzqq", 200, "application/json", []string{`"hits":[]`}},
		{"discussion", "", hn + "/item?id=9900000112", 200, "text/html", []string{"tmarsh", "coloured functions"}},
		{"no discussion", "", hn + "/item?id=x", 404, "", nil},
	} {
		resp, body := get(t, c.agent, c.url)
		if resp.StatusCode != c.code || !strings.HasPrefix(resp.Header.Get("Content-Type"), c.kind) {
			t.Errorf("%s: %d %q, want %d %q", c.name, resp.StatusCode, resp.Header.Get("Content-Type"), c.code, c.kind)
		}
		for _, part := range c.has {
			if !strings.Contains(body, part) {
				t.Errorf("%s: no %q in %s", c.name, part, body)
			}
		}
	}
}

func TestPagesComeInTheOrderOfTheirIDs(t *testing.T) {
	t.Parallel()
	u := start(t, world.Options{Latency: instant()}).URLs()["wikipedia"]
	_, body := get(t, "x", u+"/w/api.php?"+url.Values{"action": {"query"}, "generator": {"search"}, "gsrsearch": {"channel select goroutine"}, "exintro": {"1"}, "prop": {"extracts"}}.Encode())
	var got struct {
		Query struct {
			Pages []struct {
				PageID, Index int
				Extract       string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	var ids, ranks []int
	for _, p := range got.Query.Pages {
		ids, ranks = append(ids, p.PageID), append(ranks, p.Index)
		if p.Extract == "" {
			t.Errorf("page %d has no extract", p.PageID)
		}
	}
	if len(ids) < 3 || !slices.IsSorted(ids) || slices.IsSorted(ranks) {
		t.Errorf("ids %v, ranks %v: want ids in order and ranks in another", ids, ranks)
	}
	slices.Sort(ranks)
	for i, r := range ranks {
		if r != i+1 {
			t.Errorf("ranks %v, want 1 to %d", ranks, len(ranks))
			break
		}
	}
}
