package sourcetest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// hidden is in the bodies of failures and must not appear in an error.
const hidden = "hidden-words"

// short is a source's timeout where the test waits for it.
const short = 60 * time.Millisecond

// failure is one way in which a service may fail.
type failure struct {
	name    string
	handler http.HandlerFunc
	timeout time.Duration
	status  string
	after   time.Duration
}

func answer(code int, kind, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body) // an error means that the client has disconnected
	}
}

// cutInTheMiddle is the failure of an answer of which the end is missing.
const cutInTheMiddle = "cut in the middle"

func common(c *contract) []failure {
	const js = "application/json"
	return []failure{
		{name: "429", handler: answer(429, "text/html", "<p>"+hidden, "Retry-After", "9"), status: evidence.StatusThrottled, after: 9 * time.Second},
		{name: "429 until a date", handler: answer(429, js, "{}", "Retry-After", Clock.Add(40*time.Second).Format(http.TimeFormat)), status: evidence.StatusThrottled, after: 40 * time.Second},
		{name: "400", handler: answer(400, js, `{"error": "`+hidden+`"}`), status: evidence.StatusError},
		{name: "401", handler: answer(401, js, `{"error": "`+hidden+`"}`), status: evidence.StatusError},
		{name: "403 without identity", handler: answer(403, "text/plain", "Please set a user-agent. "+hidden), status: evidence.StatusError},
		{name: "500", handler: answer(500, "text/html", hidden), status: evidence.StatusError},
		{name: "503", handler: answer(503, "text/html", hidden), status: evidence.StatusError},
		{name: "garbage", handler: answer(200, js, "{\"query\": {\"pages\": [{\""+hidden), status: evidence.StatusError},
		{name: "bytes", handler: answer(200, js, "\x00\xff\xfe"+hidden), status: evidence.StatusError},
		{name: cutInTheMiddle, handler: answer(200, js, string(c.Hits[0].body[:len(c.Hits[0].body)*2/3])), status: evidence.StatusError},
		{name: "deep nesting", handler: answer(200, js, strings.Repeat("[", deep)+hidden), status: evidence.StatusError},
		{name: "no body", handler: answer(200, js, ""), status: evidence.StatusError},
		{name: "HTML with 200", handler: answer(200, "text/html", "<html>"+hidden), status: evidence.StatusError},
		{name: "an object of another shape", handler: answer(200, js, `{"ok": true, "note": "`+hidden+`"}`), status: evidence.StatusError},
		{name: "a list", handler: answer(200, js, `["`+hidden+`"]`), status: evidence.StatusError},
		{name: "null", handler: answer(200, js, `null`), status: evidence.StatusError},
		{name: "fields of other types", handler: answer(200, js, `{"batchcomplete": true, "query": {"pages": [1, "`+hidden+`"], "search": [[]]}, "hits": [1, "x"]}`), status: evidence.StatusError},
		{name: "huge body", handler: huge, status: evidence.StatusError},
		{name: "connection lost", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, status: evidence.StatusError},
		{name: "hang", handler: hang, timeout: short, status: evidence.StatusTimeout},
		{name: "slow drip", handler: drip, timeout: short, status: evidence.StatusTimeout},
		{name: "redirect elsewhere", handler: answer(302, "text/html", "", "Location", "http://127.0.0.9:1/"+hidden), status: evidence.StatusError},
	}
}

func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	block := strings.Repeat(" ", 64<<10)
	for range 64 {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// drip sends the beginning of an answer and then nothing, holding the connection.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, "{")
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func testFailures(t *testing.T, spec sources.Spec, c *contract) {
	all := common(c)
	if c.ReadsCut {
		all = slices.DeleteFunc(all, func(f failure) bool { return f.name == cutInTheMiddle })
	}
	if c.Format == "xml" {
		all = append(all, xmlFailures(c)...)
	}
	for _, f := range c.Failures {
		all = append(all, failure{name: f.Name, handler: play(f.Replies), status: f.Status})
	}
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			docs, err := build(t, spec, c, f.timeout, f.handler).Search(t.Context(), query)
			if took := time.Since(begun); took < f.timeout {
				t.Errorf("it gave up after %s, want its whole timeout of %s", took, f.timeout)
			}
			if err == nil || docs != nil {
				t.Fatalf("Search = %d documents, %v, want an error: an outage is not an empty result", len(docs), err)
			}
			var s interface{ SourceStatus() string }
			if !errors.As(err, &s) || s.SourceStatus() != f.status {
				t.Errorf("err = %v, want one with the status %q", err, f.status)
			}
			var e *fetch.Error
			if f.after > 0 && (!errors.As(err, &e) || e.RetryAfter != f.after) {
				t.Errorf("err = %v, want one with RetryAfter %s", err, f.after)
			}
			if msg := err.Error(); strings.Contains(msg, hidden) || len(msg) > 200 || strings.Contains(msg, "\n") {
				t.Errorf("text %q is long or quotes the body", msg)
			}
			mustNotHold(t, "error", err.Error(), c.secrets(spec))
		})
	}
}
