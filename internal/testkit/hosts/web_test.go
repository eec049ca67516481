package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestWebCounts: what a server sends passes unchanged, and what is wrong with its progress is
// named.
func TestWebCounts(t *testing.T) {
	t.Parallel()
	progress := func(n int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":%d}}`, n)
	}
	const result = `{"jsonrpc":"2.0","id":7,"result":{}}`
	const going = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2,"message":"still running after 8 s"}}`
	for _, tt := range []struct {
		name, request string
		messages      []string
		calls         int
		wrong         string
	}{
		{"exact", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), progress(2), result}, 1, ""},
		{"a busy machine's", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), going, progress(3), result}, 1, ""},
		{"one too many", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), progress(2), progress(3), result}, 1, "request 7: reports [1 2 3]"},
		{"a gap", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), progress(3), result}, 1, "request 7: reports [1 3]"},
		{"too few", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), result}, 1, "request 7: reports [1]"},
		{"late", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), progress(2), result, progress(3)}, 1, "1 late"},
		{"no answer", `{"id":7,"params":{"_meta":{"progressToken":7}}}`, []string{progress(1), progress(2)}, 1, "answered: false"},
		{"nothing asked for", `{"id":7,"params":{}}`, []string{result}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stream strings.Builder
			for _, m := range tt.messages {
				stream.WriteString("event: message\ndata: " + m + "\n\n")
			}
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != tt.request || r.URL.Path != "/mcp" {
					t.Errorf("%s has %q, %v, want %q", r.URL, body, err, tt.request)
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, stream.String())
			}))
			t.Cleanup(upstream.Close)
			to, err := url.Parse(upstream.URL)
			if err != nil {
				t.Fatal(err)
			}
			w := &web{}
			w.proxy = httptest.NewServer(w.handler(to))
			t.Cleanup(w.proxy.Close)
			res, err := http.Post(w.url(), "application/json", strings.NewReader(tt.request))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if got, err := io.ReadAll(res.Body); err != nil || string(got) != stream.String() {
				t.Errorf("the client got %q, %v, want %q", got, err, stream.String())
			}
			var first, second sent
			for _, s := range []*sent{&first, &second} {
				if err := json.Unmarshal([]byte(get(t, w.proxy.URL+"/sent")), s); err != nil {
					t.Fatal(err)
				}
			}
			wrong := strings.Join(first.Problems, "; ")
			if first.Calls != tt.calls || tt.calls > 0 && first.Reports != strings.Count(stream.String(), "notifications/progress") || !strings.Contains(wrong, tt.wrong) || (wrong == "") != (tt.wrong == "") {
				t.Errorf("sent = %+v, want %d calls and %q", first, tt.calls, tt.wrong)
			}
			if second.Calls != 0 || len(second.Problems) != 0 {
				t.Errorf("asked again, sent = %+v", second)
			}
		})
	}
}
