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

	"github.com/research-mcp/research-mcp/internal/redact"
)

// A secret with characters that every format encodes in its own way.
const testSecret = `k3y/<&"+ü 12345`

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
	req.URL = srv.URL + "/?q=" + redact.Removed // as a replay asks, which does not know the secret
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
