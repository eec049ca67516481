package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// Every entry has the fields that HAR 1.2 requires, of the right type.
func TestRecordingIsHAR(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{Fault: map[string]string{"wikipedia": world.FaultFail}})
	file, _ := recordOf(t, apptest.Settings(t, w.URLs(), nil), research.Request{Question: demo.Questions()[0]})
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, want 0600", info.Mode())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var har map[string]any
	if err := json.Unmarshal(text, &har); err != nil {
		t.Fatal(err)
	}
	n := 0
	check := func(what string, in any, fields string) map[string]any {
		object, ok := in.(map[string]any)
		if !ok {
			t.Fatalf("%s is no object", what)
		}
		for field := range strings.FieldsSeq(fields) {
			name, kind, _ := strings.Cut(field, ":")
			if got := fmt.Sprintf("%T", object[name]); got != map[string]string{"s": "string", "n": "float64", "a": "[]interface {}", "o": "map[string]interface {}"}[kind] {
				t.Errorf("%s.%s is %s, want %s", what, name, got, kind)
			}
		}
		return object
	}
	log := check("log", har["log"], "version:s creator:o entries:a")
	if log["version"] != "1.2" {
		t.Errorf("version = %v", log["version"])
	}
	check("creator", log["creator"], "name:s version:s")
	for _, e := range log["entries"].([]any) {
		n++
		entry := check("entry", e, "startedDateTime:s time:n request:o response:o cache:o timings:o")
		if _, err := time.Parse(time.RFC3339Nano, entry["startedDateTime"].(string)); err != nil {
			t.Error(err)
		}
		check("request", entry["request"], "method:s url:s httpVersion:s cookies:a headers:a queryString:a headersSize:n bodySize:n")
		response := check("response", entry["response"], "status:n statusText:s httpVersion:s cookies:a headers:a content:o redirectURL:s headersSize:n bodySize:n")
		check("content", response["content"], "size:n mimeType:s")
		timings := check("timings", entry["timings"], "send:n wait:n receive:n")
		sum := timings["send"].(float64) + timings["wait"].(float64) + timings["receive"].(float64)
		if d := sum - entry["time"].(float64); d < -0.01 || d > 0.01 {
			t.Errorf("timings add up to %v, time is %v", sum, entry["time"])
		}
	}
	if n < 3 {
		t.Errorf("%d entries", n)
	}
}

// echo starts a server that answers with the URL of the request, keys included.
func echo(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"echo": %q, "agent": %q}`, r.URL.String(), r.UserAgent())
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRecordingHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	const key, mail, password = "k3y-0f-m1ne/+", "me.myself@example.org", "hunter2hunter2"
	w, there := apptest.StartWorld(t, world.Options{}), echo(t)
	more := map[string]string{"contact": mail, "sources.feeds.urls": there + "/rss?token=" + password}
	for _, name := range []string{"openalex", "pubmed", "stackexchange", "crossref"} {
		more["sources."+name+".enabled"], more["sources."+name+".url"] = "true", there
		if name != "crossref" {
			more["sources."+name+".key"] = key
		}
	}
	more["sources.feeds.enabled"] = "true"
	cfg := apptest.Settings(t, w.URLs(), more)
	names := []string{"openalex", "pubmed", "stackexchange", "crossref", "feeds", "wikipedia"}
	file, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0], Sources: names})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("REMOVED")) || !bytes.Contains(text, []byte("/rss")) {
		t.Errorf("the recording is not what this test looks for: nothing was asked with a key")
	}
	for _, secret := range []string{key, "k3y-0f-m1ne", mail, "me.myself", password, cfg.DataDir} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the recording holds %q", secret)
		}
	}
	again := replayOf(t, file, app.Options{}, research.Request{})
	if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
		t.Errorf("(-recorded +replayed):\n%s", diff)
	}
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{})
	cfg := apptest.Settings(t, w.URLs(), nil)
	taken := filepath.Join(t.TempDir(), "run.har")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, want string
		req        research.Request
	}{
		"taken":     {taken, "already exists", research.Request{Question: "q"}},
		"a folder":  {filepath.Dir(taken), "already exists", research.Request{Question: "q"}},
		"no folder": {filepath.Join(taken+"-not", "run.har"), "cannot be written", research.Request{Question: "q"}},
		"unnamed":   {"", "names no file", research.Request{Question: "q"}},
		"session":   {taken + "2", "empty temporary memory", research.Request{Question: "q", Session: "s_1"}},
	} {
		got, err := Record(t.Context(), cfg, app.Options{}, c.file, c.req, nil)
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, c.want) || p.Try == "" || !p.Usage || got.Requests != -1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(taken); string(text) != "mine" || err != nil {
		t.Errorf("the file that was there holds %q now, %v", text, err)
	}
	if left, err := os.ReadDir(filepath.Dir(taken)); len(left) != 1 || err != nil || w.Requests() != 0 {
		t.Errorf("%d files, %d requests, %v", len(left), w.Requests(), err)
	}
}

// An interrupted question leaves the responses until then, which replay as
// far as it goes.
func TestInterruptedQuestionIsWritten(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{Fault: map[string]string{"wikipedia": world.FaultHang}})
	ctx, cancel := context.WithCancel(t.Context())
	file := filepath.Join(t.TempDir(), "run.har")
	got, err := Record(ctx, apptest.Settings(t, w.URLs(), nil), app.Options{}, file, research.Request{Question: demo.Questions()[0]}, func(e research.Event) {
		if e.Kind == research.EventSource {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || got.Requests < 1 {
		t.Fatalf("Record = %d requests, %v", got.Requests, err)
	}
	again := replayOf(t, file, app.Options{}, research.Request{})
	if !slices.ContainsFunc(again.Warnings, func(w string) bool { return strings.Contains(w, "interrupted") }) {
		t.Errorf("warnings %q", again.Warnings)
	}
}

// The memory of the user takes no part, and nothing is left in the temporary
// folder.
func TestRecordingLeavesTheMemoryAlone(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	w := apptest.StartWorld(t, world.Options{})
	cfg := apptest.Settings(t, w.URLs(), map[string]string{"sources.files.dir": t.TempDir()})
	file := filepath.Join(t.TempDir(), "run.har")
	got, err := Record(t.Context(), cfg, app.Options{}, file, research.Request{Question: demo.Questions()[0]}, nil)
	if err != nil || got.Answer.Memory.Hits != 0 {
		t.Fatalf("%d hits, %v", got.Answer.Memory.Hits, err)
	}
	again := replayOf(t, file, app.Options{}, research.Request{})
	if diff := cmp.Diff(normal(got.Answer), normal(again)); diff != "" {
		t.Errorf("(-recorded +replayed):\n%s", diff)
	}
	if !slices.ContainsFunc(again.Warnings, func(w string) bool { return strings.Contains(w, "source files was not asked") }) {
		t.Errorf("warnings %q", again.Warnings)
	}
	for _, dir := range []string{temp, cfg.DataDir} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v, %v", dir, left, err)
		}
	}
	if _, err := Record(t.Context(), cfg, app.Options{}, file+"2", research.Request{Question: "q", Sources: []string{"files"}}, nil); err == nil || !strings.Contains(err.Error(), "not recorded") {
		t.Errorf("files by name: %v", err)
	}
}

// A recording opens a temporary memory also where the settings name a server.
func TestRecordingDoesNotOpenTheUsersBackend(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{})
	cfg := apptest.Settings(t, w.URLs(), nil)
	cfg.Memory.Backend, cfg.Memory.URL = "elsewhere", "elsewhere://memory.example.org" // opening it would fail
	if _, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0]}); first.Status != evidence.Answered {
		t.Errorf("recorded %s", first.Status)
	}
}

// What could not be read again is not written.
func TestARecordingThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	if err := checkSize(fetch.MaxRecording); err != nil {
		t.Errorf("checkSize of the limit: %v", err)
	}
	if err := checkSize(fetch.MaxRecording + 1); !errors.Is(err, fetch.ErrRecordingTooLarge) {
		t.Errorf("checkSize above the limit = %v, want ErrRecordingTooLarge", err)
	}
}
