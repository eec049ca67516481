package fetch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A secret with characters that every format encodes in its own way.
const testSecret = `k3y/<&"+ü 12345`

func TestRedactionWorksOnDecodedValues(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{testSecret, "123456789", "short"})
	for _, c := range []struct{ name, kind, in, want string }{
		{"JSON string", "application/json", `{"a":"x k3y/<&\"+ü 12345 y"}`, `{"a":"x REMOVED y"}`},
		{"JSON string with escapes", "application/json", `{"a":"k3y\/\u003c\u0026\"\u002B\u00fc\u002012345"}`, `{"a":"REMOVED"}`},
		{"URL in a JSON string", "application/json", `["https://h/?q=1&t=k3y%2F%3c%26%22%2B%C3%BC+12345&x"]`, `["https://h/?q=1&t=REMOVED&x"]`},
		{"JSON number that contains it", "application/json", `{"id":9123456789,"x":0.123456789}`, `{"id":9123456789,"x":0.123456789}`},
		{"JSON number that is it", "application/json", `{"id": 123456789 }`, `{"id": 0 }`},
		{"JSON field name that contains it", "application/json", `{"id_123456789" : "123456789"}`, `{"id_123456789" : "REMOVED"}`},
		{"JSON field name that is it", "application/json", `{"123456789":true}`, `{"REMOVED":true}`},
		{"the rest of JSON", "application/json", `{ "a" : [1.50e3, "\u0041<"], "b":null }`, `{ "a" : [1.50e3, "\u0041<"], "b":null }`},
		{"lines of JSON", "application/x-ndjson", "{\"n\":9123456789}\n{\"s\":\"123456789\"}\n", "{\"n\":9123456789}\n{\"s\":\"REMOVED\"}\n"},
		{"HTML", "text/html", `<a title="k3y/&lt;&amp;&quot;+&#252; 12345">`, `<a title="REMOVED">`},
		{"JavaScript", "text/html", `var k = "k3y\/\u003C&\"+ü 12345";`, `var k = "REMOVED";`},
		{"another charset", "text/html; charset=latin1", "\xfc 123456789 \xe9", "\xfc REMOVED \xe9"},
		{"form", "application/x-www-form-urlencoded", "q=k3y%2f%3C%26%22%2b%c3%bc%2012345&api%5Fkey=x&n=1;2", "q=REMOVED&api%5Fkey=REMOVED&n=1;2"},
		{"too short to search for", "text/plain", "a short word", "a short word"},
	} {
		if got := string(r.body(c.kind, []byte(c.in))); got != c.want {
			t.Errorf("%s: body(%s) = %s, want %s", c.name, c.in, got, c.want)
		}
	}
}

// A host that echoes a secret in every place of its answer.
func TestRecordingHoldsNoSecretValue(t *testing.T) {
	t.Parallel()
	escaped, err := json.Marshal(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf(`{"number":9123456789,"echo":%s,"k3y":"1"}`, escaped)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"123456789"`)
		io.WriteString(w, page)
	}))
	defer srv.Close()
	rec := NewRecorder("research-mcp", "1", stepping(), testSecret, "123456789")
	rec.SetNote(json.RawMessage(`{"question":` + string(escaped) + `}`))
	req := Request{URL: srv.URL + "/?q=k3y%2F%3C%26%22%2B%C3%BC+12345"}
	if _, err := recordedClient(t, rec, srv.URL).Get(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(`{"prompt":`+string(escaped)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rec.Transport(nil).RoundTrip(post)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	har, err := rec.HAR()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(har, []byte("12345\"")) || bytes.Contains(har, []byte(`\"123456789`)) || bytes.Contains(har, []byte("%C3%BC")) {
		t.Errorf("the recording holds a secret:\n%s", har)
	}
	replay, err := NewReplayer(har)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(replay.Note()); !strings.Contains(got, `"REMOVED"`) {
		t.Errorf("note = %s", got)
	}
	req.URL = srv.URL + "/?q=" + Redacted // as a replay asks, which does not know the secret
	got, err := recordedClient(t, replay, srv.URL).Get(t.Context(), req)
	if want := `{"number":9123456789,"echo":"REMOVED","k3y":"1"}`; err != nil || string(got.Body) != want {
		t.Errorf("replayed %s, %v, want %s", got.Body, err, want)
	}
	post.Body = io.NopCloser(strings.NewReader(`{"prompt":"REMOVED"}`))
	if resp, err = replay.Transport().RoundTrip(post); err != nil {
		t.Errorf("replay of a request's body: %v", err)
	} else {
		resp.Body.Close()
	}
}

func FuzzRedaction(f *testing.F) {
	f.Add([]byte(`{"a":["123456789",123456789,-1.5e+3,null,"\ud83d\ude00"]}`))
	f.Add([]byte("a=123456789&token=%31%32"))
	r := newRedactor([]string{"123456789", testSecret})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := r.body("", b)
		if isJSONText(b) && !json.Valid(got) {
			t.Errorf("body(%q) = %q, which is no JSON any more", b, got)
		}
		if !isJSONText(b) && bytes.Contains(r.body("application/x-www-form-urlencoded", b), []byte("123456789")) {
			t.Errorf("body(%q) holds a secret", b)
		}
	})
}
