package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// still are options with a clock that stands and ids that count.
func still() app.Options {
	var n atomic.Int64
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return app.Options{Now: func() time.Time { return at }, NewID: func(prefix string) string { return fmt.Sprintf("%s%d", prefix, n.Add(1)) }}
}

// normal is an answer without times and ids: timing, latency_ms, run_id and
// session. Everything else of a replay is as it was, retrieved_at included.
func normal(a evidence.Answer) evidence.Answer {
	a.Timing, a.RunID, a.Session = evidence.Timing{}, "", ""
	a.Sources = slices.Clone(a.Sources)
	for i := range a.Sources {
		a.Sources[i].LatencyMS = 0
	}
	return a
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func recordOf(t *testing.T, cfg *config.Config, req research.Request) (string, evidence.Answer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.har")
	got, err := Record(t.Context(), cfg, app.Options{}, file, req, nil)
	if err != nil || got.Requests < 0 {
		t.Fatalf("Record = %d requests, %v", got.Requests, err)
	}
	return file, got.Answer
}

func replayOf(t *testing.T, file string, o app.Options, req research.Request) evidence.Answer {
	t.Helper()
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.Replay(t.Context(), o, req, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// The answer is the same, up to twenty times over, and nobody is asked; nor does
// it need anybody to be there.
func TestReplayGivesTheSameAnswerAndDialsNobody(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault map[string]string
		depth string
		times int
	}{
		{"all answer", nil, "", 4},
		{"deep", nil, "deep", 20}, // where most requests are equal, and most answers come at once
		{"one fails", map[string]string{"wikipedia": world.FaultFail}, "", 2},
		{"one hangs", map[string]string{"wikipedia": world.FaultHang}, "", 2},
		{"one hangs, deep", map[string]string{"hackernews": world.FaultHang}, "deep", 4},
		{"one sends garbage", map[string]string{"hackernews": world.FaultGarbage}, "", 2},
		{"all fail", map[string]string{"wikipedia": world.FaultFail, "wikipedia-summary": world.FaultFail, "hackernews": world.FaultGarbage}, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := world.Start(world.Options{Fault: c.fault, Latency: map[string]time.Duration{"hackernews": 0, "wikipedia": 0, "wikipedia-summary": 0}})
			if err != nil {
				t.Fatal(err)
			}
			urls := w.URLs()
			file, first := recordOf(t, apptest.Settings(t, urls, map[string]string{"research.soft_budget": "400ms"}), research.Request{Question: demo.Questions()[0], Depth: c.depth})
			asked := w.Requests()
			if c.name != "all fail" && (first.Status != evidence.Answered || len(first.Citations) == 0) {
				t.Fatalf("recorded %s with %d citations", first.Status, len(first.Citations))
			}
			fixed := asJSON(t, replayOf(t, file, still(), research.Request{}))
			if diff := cmp.Diff(fixed, asJSON(t, replayOf(t, file, still(), research.Request{}))); diff != "" {
				t.Fatalf("two replays with the same clock and ids differ:\n%s", diff)
			}
			for i := range c.times {
				again := replayOf(t, file, app.Options{}, research.Request{})
				if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
					t.Fatalf("replay %d is not what was recorded (-recorded +replayed):\n%s", i, diff)
				}
			}
			if n := w.Requests(); n != asked || n == 0 {
				t.Errorf("%d requests were made by replays", n-asked)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fixed, asJSON(t, replayOf(t, file, still(), research.Request{}))); diff != "" {
				t.Errorf("a replay differs when the servers are gone:\n%s", diff)
			}
		})
	}
}

// What was not waited for when it was recorded is not waited for in a replay,
// though the soft budget is far off.
func TestReplayDoesNotWaitForWhoHung(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{Fault: map[string]string{"wikipedia": world.FaultHang}})
	cfg := apptest.Settings(t, w.URLs(), map[string]string{"research.soft_budget": "200ms"})
	file, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0]})
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	r.metadata.Settings["research.soft_budget"] = "10m" // an answer within the test's time did not wait for it
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again, err := r.Replay(ctx, app.Options{}, research.Request{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(again.Sources, func(s evidence.SourceReport) bool { return s.Name == "wikipedia" })
	if i < 0 || again.Sources[i].Status != evidence.StatusTimeout || !strings.Contains(again.Sources[i].Err, "not waited for") {
		t.Errorf("reports = %+v", again.Sources)
	}
	if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
		t.Errorf("(-recorded +replayed):\n%s", diff)
	}
}

// What HAR 1.2 requires is there, of the right kind, in every entry.
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

// An echo of keys: whoever is asked says what was asked.
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

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"garbage.har":   {"not JSON at all", "it is not HAR"},
		"empty.har":     {"", "it is not HAR"},
		"other.json":    {`{"a":1}`, "it is not HAR"},
		"foreign.har":   {`{"log":{"version":"1.2","creator":{"name":"Firefox","version":"1"},"entries":[]}}`, "of another program"},
		"newer.har":     {`{"log":{"version":"1.2","entries":[],"_note":{"format":99}}}`, "newer research-mcp"},
		"strange.har":   {`{"log":{"version":"1.2","entries":[],"_note":{"format":"x"}}}`, "does not say what was asked"},
		"not-there.har": {"", "does not exist"},
	} {
		file := filepath.Join(dir, name)
		if name != "not-there.har" {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(file)
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, file) || !strings.Contains(p.What, c.want) || !strings.Contains(p.Try, "--record") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
}

func TestReplayOfAnotherQuestionSaysSo(t *testing.T) {
	t.Parallel()
	w := apptest.StartWorld(t, world.Options{})
	file, _ := recordOf(t, apptest.Settings(t, w.URLs(), nil), research.Request{Question: demo.Questions()[0], Sources: []string{"wikipedia"}})
	for name, c := range map[string]struct {
		req  research.Request
		want []string
	}{
		"question": {research.Request{Question: "How do goroutines work?"}, []string{"wikipedia"}},
		"sources":  {research.Request{Sources: []string{"hackernews"}}, []string{"hackernews"}},
	} {
		answer := replayOf(t, file, app.Options{}, c.req)
		if answer.Status != evidence.Insufficient || len(answer.Sources) != len(c.want) {
			t.Errorf("%s: %s, %d sources", name, answer.Status, len(answer.Sources))
		}
		for _, s := range answer.Sources {
			if s.Status != evidence.StatusError || !strings.Contains(s.Err, "not in the recording") {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if !slices.ContainsFunc(answer.Warnings, func(w string) bool { return strings.Contains(w, demo.Questions()[0]) && strings.Contains(w, file) }) {
			t.Errorf("%s: warnings %q", name, answer.Warnings)
		}
	}
	same := replayOf(t, file, app.Options{}, research.Request{Question: demo.Questions()[0], Sources: []string{"wikipedia"}, Depth: "standard", Language: "en"})
	if same.Status != evidence.Answered || len(same.Warnings) > 0 {
		t.Errorf("the same in other words: %s, %q", same.Status, same.Warnings)
	}
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Replay(t.Context(), app.Options{}, research.Request{Session: "s_1"}, nil, nil); err == nil || !strings.Contains(err.Error(), "empty temporary memory") {
		t.Errorf("a session: %v", err)
	}
	if _, err := r.Replay(t.Context(), app.Options{}, research.Request{}, map[string]string{"no.such": "1"}, nil); err == nil || !strings.Contains(err.Error(), "no.such") {
		t.Errorf("an unknown setting: %v", err)
	}
}

// An interrupted question leaves what was heard until then, which replays as
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

// With Ollama: the stand-in and, when OLLAMA_TEST_HOST names one, the real one.
func TestReplayWithOllama(t *testing.T) {
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		w := apptest.StartWorld(t, world.Options{})
		more := map[string]string{"ollama.enabled": "true", "ollama.host": target.Host}
		cfg := apptest.Settings(t, w.URLs(), more)
		file, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0]})
		if !strings.HasPrefix(first.Embedder, "ollama/") {
			t.Errorf("embedded by %s", first.Embedder)
		}
		// Which documents a slow embedder had done when its time was over is not in
		// a recording: then a replay is an answer, and not always the same one.
		hurried := slices.ContainsFunc(first.Warnings, func(w string) bool { return strings.Contains(w, "in time") })
		if hurried && !target.Real {
			t.Fatalf("the stand-in ran out of time: %q", first.Warnings)
		}
		for range 5 {
			again := replayOf(t, file, app.Options{}, research.Request{})
			if hurried {
				t.Logf("the model ran out of time when this was recorded, so that the answers are not compared: %q and %q", first.Warnings, again.Warnings)
				if len(again.Sources) != len(first.Sources) || again.Status == "" {
					t.Fatalf("the replay is no answer: %+v", again)
				}
				break
			}
			if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
				t.Fatalf("(-recorded +replayed):\n%s", diff)
			}
		}
		// Other settings than the recorded ones are told, and work.
		r, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"ollama.enabled": "false", "ollama.chat_model": "absent"} {
			again, err := r.Replay(t.Context(), app.Options{}, research.Request{}, map[string]string{key: value}, nil)
			if err != nil || again.Synthesizer != "extractive" || again.Status != evidence.Answered || !slices.ContainsFunc(again.Warnings, func(w string) bool { return strings.Contains(w, key) }) {
				t.Errorf("with %s=%s: %s by %s, %q, %v", key, value, again.Status, again.Synthesizer, again.Warnings, err)
			}
		}
		// Another question is not in it: the built-in parts stand in, and say so.
		other := replayOf(t, file, app.Options{}, research.Request{Question: "Who introduced attention in transformers?"})
		if len(other.Warnings) == 0 {
			t.Error("no warnings")
		}
	})
}

// What was wrong with Ollama is wrong in the replay, in the same words.
func TestReplayOfAnOllamaInTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*ollamakit.Server)
		more    map[string]string
	}{
		"gone":     {func(s *ollamakit.Server) { s.Stop() }, nil},
		"lacks it": {func(*ollamakit.Server) {}, map[string]string{"ollama.chat_model": "absent"}},
		"fails": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Status: 500, Error: "out of memory"} })
		}, nil},
		"breaks off": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention "}, BreakOff: true}
			})
		}, nil},
		"no vectors": {func(s *ollamakit.Server) {
			s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Status: 500, Error: "no"} })
		}, nil},
		"falls quiet": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention ", "is"}, HangAfter: 1}
			})
		}, map[string]string{"ollama.silence": "200ms"}},
		"is too slow": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention ", "is"}, HangAfter: 1}
			})
		}, map[string]string{"ollama.silence": "60s", "research.budget": "4s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := apptest.StartWorld(t, world.Options{}), ollamakit.Start(t)
			c.prepare(s)
			more := map[string]string{"ollama.enabled": "true", "ollama.host": s.Host()}
			maps.Copy(more, c.more)
			file, first := recordOf(t, apptest.Settings(t, w.URLs(), more), research.Request{Question: demo.Questions()[0]})
			if len(first.Warnings) == 0 {
				t.Error("the recorded answer has no warning")
			}
			calls := func() (n int) {
				for _, path := range []string{"version", "tags", "show", "embed", "chat"} {
					n += len(s.Calls("/api/" + path))
				}
				return n
			}
			asked := calls()
			for i := range 3 {
				if i == 2 {
					s.Stop()
				}
				again := replayOf(t, file, app.Options{}, research.Request{})
				if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
					t.Fatalf("(-recorded +replayed):\n%s", diff)
				}
			}
			if n := calls(); n != asked {
				t.Errorf("%d calls of Ollama were made by replays", n-asked)
			}
		})
	}
}

// A model's keywords come while the first one is asked, or after: a replay asks
// those that were asked.
func TestReplayAsksTheModelsKeywords(t *testing.T) {
	t.Parallel()
	w, s := apptest.StartWorld(t, world.Options{Latency: map[string]time.Duration{"hackernews": 0, "wikipedia": 300 * time.Millisecond, "wikipedia-summary": 0}}), ollamakit.Start(t)
	s.OnChat(func(c ollamakit.Call) ollamakit.Reply {
		if len(c.Format) > 0 {
			return ollamakit.Reply{Tokens: []string{`{"queries": ["BERT language model"]}`}}
		}
		return ollamakit.Reply{Tokens: []string{"A transformer processes all tokens of a sequence ", "side by side [1]."}}
	})
	file, first := recordOf(t, apptest.Settings(t, w.URLs(), map[string]string{"ollama.enabled": "true", "ollama.host": s.Host()}), research.Request{Question: demo.Questions()[0]})
	if !slices.Contains(first.Topics, "BERT language model") {
		t.Fatalf("topics = %q", first.Topics)
	}
	for range 5 {
		again := replayOf(t, file, app.Options{}, research.Request{})
		if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
			t.Fatalf("(-recorded +replayed):\n%s", diff)
		}
	}
}

// Another program may create the file after the check and before the write.
func TestWritingARecordingNeverReplacesAFile(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(temp, file string) error{"link": publish, "copy": copyNew} {
		dir := t.TempDir()
		temp, file := filepath.Join(dir, "temp"), filepath.Join(dir, "run.har")
		if err := os.WriteFile(temp, []byte("recording"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := put(temp, file); err != nil {
			t.Errorf("%s to a free name: %v", name, err)
		}
		if err := os.WriteFile(file, []byte("another program's"), 0o600); err != nil {
			t.Fatal(err)
		}
		var refused *evidence.Problem
		if err := put(temp, file); !errors.As(err, &refused) {
			t.Errorf("%s to a file that exists: %v, want a Problem", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "another program's" {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
	}
}
