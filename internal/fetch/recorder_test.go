package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// recordedClient is a client of the host at base, with a recorder or a replayer.
func recordedClient(t *testing.T, cassette Cassette, base string) *Client {
	t.Helper()
	n := New(Config{Contact: "ops@example.org", Cassette: cassette, Now: newTicker().now})
	t.Cleanup(func() { n.Close() })
	client, err := n.ForHost(base, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// stepping is a clock that moves by itself, so that entries have an order.
func stepping() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(5 * time.Millisecond)
		return at
	}
}

func recordedServer(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	calls := &atomic.Int64{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/page?token=SECRET1", http.StatusFound)
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("ETag", `"7"`)
			io.WriteString(w, "<p>Größe & Maß")
		case "/binary":
			w.Header().Set("Content-Type", "application/pdf")
			w.Write([]byte("%PDF\xff\xfe\x00"))
		case "/counts":
			fmt.Fprint(w, n)
		case "/404":
			w.WriteHeader(404)
		case "/429":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		case "/lost":
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(srv.Close)
	return srv, calls
}

var recordedPaths = []string{"/moved", "/page?q=a%20b&api_key=SECRET2&email=SECRET3", "/binary", "/counts", "/counts", "/404", "/lost", "/429", "/empty"}

// ask all paths; each outcome as a line.
func outcomes(t *testing.T, client *Client, base string) ([]Response, []string) {
	t.Helper()
	var rs []Response
	var errs []string
	for _, p := range recordedPaths {
		r, err := client.Get(t.Context(), Request{URL: base + p})
		if len(r.Body) == 0 {
			r.Body = nil
		}
		if r.URL == base+"/page?token=SECRET1" {
			r.URL = base + "/page?token=" + redact.Removed // all that a replay can know
		}
		rs, errs = append(rs, r), append(errs, fmt.Sprint(err))
	}
	return rs, errs
}

func TestReplayGivesWhatWasRecorded(t *testing.T) {
	t.Parallel()
	srv, calls := recordedServer(t)
	rec := NewRecorder("research-mcp", "1.2.3", stepping())
	want, wantErrs := outcomes(t, recordedClient(t, rec, srv.URL), srv.URL)
	har, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	again, err := rec.HAR()
	if err != nil || !bytes.Equal(har, again) {
		t.Errorf("a second HAR differs, %v", err)
	}
	for _, secret := range []string{"SECRET1", "SECRET2", "SECRET3", "ops@example.org"} {
		if bytes.Contains(har, []byte(secret)) {
			t.Errorf("the recording holds %s", secret)
		}
	}
	before := calls.Load()
	for range 2 { // a replay is as good the second time
		replay, err := NewReplayer(har)
		if err != nil {
			t.Fatal(err)
		}
		got, gotErrs := outcomes(t, recordedClient(t, replay, srv.URL), srv.URL)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replay (-recorded +replayed):\n%s", diff)
		}
		if diff := cmp.Diff(wantErrs, gotErrs); diff != "" {
			t.Errorf("errors (-recorded +replayed):\n%s", diff)
		}
	}
	if calls.Load() != before {
		t.Error("the replay dialled")
	}
}

func TestHARHasTheShapeThatBrowsersRead(t *testing.T) {
	t.Parallel()
	srv, _ := recordedServer(t)
	rec := NewRecorder("research-mcp", "1.2.3", stepping())
	outcomes(t, recordedClient(t, rec, srv.URL), srv.URL)
	data, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Version string
			Creator map[string]string
			Entries []map[string]any
		}
	}
	if err := json.Unmarshal(data, &har); err != nil {
		t.Fatal(err)
	}
	if har.Log.Version != "1.2" || har.Log.Creator["name"] != "research-mcp" || len(har.Log.Entries) != len(recordedPaths) {
		t.Fatalf("log = %+v", har.Log)
	}
	last := time.Time{}
	for i, e := range har.Log.Entries {
		for _, field := range []string{"startedDateTime", "time", "request", "response", "cache", "timings"} {
			if _, ok := e[field]; !ok {
				t.Errorf("entry %d has no %s", i, field)
			}
		}
		at, err := time.Parse(time.RFC3339Nano, e["startedDateTime"].(string))
		timings := e["timings"].(map[string]any)
		if err != nil || at.Before(last) || e["time"].(float64) <= 0 || timings["wait"] != e["time"] || timings["send"] != 0.0 || timings["receive"] != 0.0 {
			t.Errorf("entry %d: times %v, %v, %v", i, e["startedDateTime"], e["time"], timings)
		}
		last = at
		request, response := e["request"].(map[string]any), e["response"].(map[string]any)
		for _, field := range []string{"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} {
			if request[field] == nil {
				t.Errorf("entry %d: request has no %s", i, field)
			}
		}
		for _, field := range []string{"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize", "bodySize"} {
			if response[field] == nil {
				t.Errorf("entry %d: response has no %s", i, field)
			}
		}
		failed := strings.Contains("/404/lost/429", strings.TrimPrefix(request["url"].(string), srv.URL))
		if (response["status"] == 0.0) != failed || (e["_error"] != nil) != failed {
			t.Errorf("entry %d of %v: status %v, error %v", i, request["url"], response["status"], e["_error"])
		}
	}
}

func TestReplayOfEqualRequestsRepeatsTheLast(t *testing.T) {
	t.Parallel()
	srv, _ := recordedServer(t)
	rec := NewRecorder("x", "1", stepping())
	client := recordedClient(t, rec, srv.URL)
	for range 3 {
		if _, err := client.Get(t.Context(), Request{URL: srv.URL + "/counts"}); err != nil {
			t.Fatal(err)
		}
	}
	har, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	replay, err := NewReplayer(har)
	if err != nil {
		t.Fatal(err)
	}
	play := recordedClient(t, replay, srv.URL)
	got := ""
	for range 5 {
		r, err := play.Get(t.Context(), Request{URL: srv.URL + "/counts"})
		if err != nil {
			t.Fatal(err)
		}
		got += string(r.Body)
	}
	if got != "12333" {
		t.Errorf("replayed %q, want 12333", got)
	}
	_, err = play.Get(t.Context(), Request{URL: srv.URL + "/never"})
	if !IsKind(err, NotRecorded) || !strings.HasSuffix(err.Error(), ": this request is not in the recording") {
		t.Errorf("unknown URL: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := play.Get(ctx, Request{URL: srv.URL + "/counts"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRequestsInProgressAreRecordedAsUnfinished(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	rec := NewRecorder("x", "1", stepping())
	s.c.cfg.Cassette = rec
	ctx, cancel := context.WithCancel(t.Context())
	out := s.ask(ctx, time.Hour)
	<-s.came
	during, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-out
	after, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		har  []byte
		want error
	}{"during": {during, context.DeadlineExceeded}, "after": {after, context.Canceled}} {
		replay, err := NewReplayer(c.har)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := recordedClient(t, replay, s.base).Get(t.Context(), Request{URL: s.base + "/"}); !errors.Is(err, c.want) {
			t.Errorf("%s: err = %v, want %v", name, err, c.want)
		}
	}
}

func TestTransportIsRecordedAndReplayed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Set-Cookie", "SECRET=1")
		if string(body) == "bad" {
			w.WriteHeader(400)
		}
		for i := range 3 { // streamed
			fmt.Fprintf(w, "%s %d\n", body, i)
			w.(http.Flusher).Flush()
		}
	}))
	defer srv.Close()
	ask := func(rt http.RoundTripper, body string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/chat", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer SECRET")
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, resp.Header.Get("Content-Type"), string(got)), err
	}
	rec := NewRecorder("x", "1", stepping())
	var want []string
	for _, body := range []string{"one", "two", "bad", ""} {
		got, err := ask(rec.Transport(nil), body)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, got)
	}
	har, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(har, []byte("SECRET")) {
		t.Errorf("the recording holds a secret:\n%s", har)
	}
	srv.Close()
	if _, err := ask(rec.Transport(nil), "down"); err == nil {
		t.Fatal("the server is still there")
	}
	if har, err = rec.HAR(); err != nil {
		t.Fatal(err)
	}
	replay, err := NewReplayer(har)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, body := range []string{"one", "two", "bad", ""} {
		s, err := ask(replay.Transport(), body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replay (-recorded +replayed):\n%s", diff)
	}
	if _, err := ask(replay.Transport(), "other"); !IsKind(err, NotRecorded) {
		t.Errorf("another body: %v, want not recorded", err)
	}
	if _, err := ask(replay.Transport(), "down"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a failure: %v, want it as it was", err)
	}
}

func TestGarbageIsNoRecording(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                          "it is not HAR",
		"not json":                  "it is not HAR",
		"[]":                        "it is not HAR",
		"{}":                        "no version 1.x",
		`{"log":{"version":"2.0"}}`: "no version 1.x",
		`{"log":{"version":"1.2","entries":[{"response":{"content":{"text":"!","encoding":"base64"}}}]}}`: "entry 1 has a body that is not base64",
		`{"log":{"version":"1.2","entries":[{"response":{"content":{"encoding":"rot13"}}}]}}`:             "entry 1 has a body with the encoding",
		`{"log":{"version":"1.2","entries":[{"response":{"status":-5}}]}}`:                                "entry 1 has the status -5",
	} {
		if _, err := NewReplayer([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewReplay(%.40q) = %v, want %q", in, err, want)
		}
	}
	foreign := `{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-11-22T12:00:00.000Z","request":{"method":"GET","url":"https://api.example.org/?key=K"},
		"response":{"status":200,"headers":[{"name":"content-type","value":"text/plain; charset=x"}],"content":{"text":"hi"}}}]}}`
	replay, err := NewReplayer([]byte(foreign))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recordedClient(t, replay, "https://api.example.org").Get(t.Context(), Request{URL: "https://api.example.org/?key=other"})
	if err != nil || string(r.Body) != "hi" || r.ContentType != "text/plain" || r.Retrieved.IsZero() {
		t.Errorf("another program's recording: %+v, %v", r, err)
	}
}

func TestRecordedFailureWithoutAKind(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]string{
		"nothing":     `{}`,
		"a code":      `{"code":500}`,
		"a wait only": `{"retryAfterNS":5}`,
	} {
		replay, err := NewReplayer([]byte(`{"log":{"version":"1.2","entries":[{"_error":` + failure + `,"request":{"method":"GET","url":"https://api.example.org/"},"response":{"status":0}}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = recordedClient(t, replay, "https://api.example.org").Get(t.Context(), Request{URL: "https://api.example.org/"})
		if !IsKind(err, Unreachable) || !strings.HasSuffix(err.Error(), "cannot be reached") {
			t.Errorf("%s: %v, want that the host cannot be reached", name, err)
		}
	}
}

func FuzzHAR(f *testing.F) {
	f.Add([]byte(`{"log":{"version":"1.2","entries":[{"request":{"method":"GET","url":"http://h/"},"response":{"status":200,"content":{"text":"eA==","encoding":"base64"}}}]}}`))
	f.Add([]byte(`{"log":{"version":"1.2","entries":[{"_level":"transport","_error":{"kind":"timeout"},"request":{"method":"GET","url":"http://h/"},"response":{"status":0}}]}}`))
	f.Add([]byte(`{"log":{"version":"1.2","entries":[{"_error":{},"request":{"method":"GET","url":"http://h/"},"response":{"status":0}}]}}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		replay, err := NewReplayer(data)
		if err != nil {
			return
		}
		u := &url.URL{Scheme: "http", Host: "h", Path: "/"}
		r, err := replay.get(context.Background(), checkedRequest{url: u, host: "h"}, nil)
		if err != nil && err.Error() == "" || err == nil && r.URL == "" {
			t.Errorf("replay = %+v, %v", r, err)
		}
		req := httptest.NewRequest(http.MethodGet, "http://h/", nil)
		if resp, err := replay.Transport().RoundTrip(req); err == nil {
			io.Copy(io.Discard, resp.Body)
		}
	})
}
