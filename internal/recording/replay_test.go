package recording

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// The answer is the same every time, without a request, and also when the servers
// are closed.
func TestReplayGivesTheSameAnswerAndMakesNoConnections(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault map[string]string
		depth string
		times int
	}{
		{"all answer", nil, "", 4},
		{"deep", nil, "deep", 8}, // where most requests are equal, and most answers come at once
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
				t.Errorf("a replay differs when the servers are closed:\n%s", diff)
			}
		})
	}
}

// What was not waited for when it was recorded is not waited for in a replay,
// though the soft budget is far off.
func TestReplayDoesNotWaitForASourceThatHung(t *testing.T) {
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

// A replay on a machine that needs longer for each step than the question has
// time gives the recorded answer: what was late when it was recorded is late, and
// nothing else is.
func TestReplayOnASlowMachine(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]string{"all answer": nil, "one hangs": {"wikipedia": world.FaultHang}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ollama := apptest.StartWorld(t, world.Options{Fault: fault}), ollamakit.Start(t)
			cfg := apptest.Settings(t, w.URLs(), map[string]string{"ollama.enabled": "true", "ollama.host": ollama.Host(), "research.soft_budget": "300ms"})
			file, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0]})
			r, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			r.metadata.Settings["research.soft_budget"], r.metadata.Budget = "10ms", time.Second
			slow := func(e research.Event) {
				if e.Kind != research.EventText {
					time.Sleep(250 * time.Millisecond) // the engine waits for it
				}
			}
			again, err := r.Replay(t.Context(), app.Options{}, research.Request{}, nil, slow)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
				t.Errorf("(-recorded +replayed):\n%s", diff)
			}
		})
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
