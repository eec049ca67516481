package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/research-mcp/research-mcp/internal/config"
)

// TestFiftyQuestionsAtOnce asks one server over a pipe, with budgets that end while most
// questions wait for others: each call has an answer or the id of the run, under which the
// answer is had later, and none is an error.
func TestFiftyQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	in := worldly(t, filepath.Join(t.TempDir(), "data"))
	in.env = append(in.env, config.EnvName("models.builtin")+"=off", "HOME="+t.TempDir())
	p := startPeer(t, os.Args[0], in.env)
	runs := map[string]bool{}
	p.seen = func(line []byte) {
		var m struct {
			Result struct{ Content []struct{ Text string } }
		}
		if err := json.Unmarshal(line, &m); err != nil || len(m.Result.Content) == 0 {
			return
		}
		text := m.Result.Content[0].Text
		if run := pendingRun.FindStringSubmatch(text); run != nil {
			runs[run[1]] = true
		} else if !anyStatus.MatchString(text) {
			t.Errorf("an answer without a status: %.200s", text)
		}
	}
	ask := func(arguments map[string]any) {
		p.send(t, "tools/call", map[string]any{"name": "research", "arguments": arguments})
	}
	for i := range 50 {
		ask(map[string]any{"question": fmt.Sprintf("What is a goroutine, variant %d?", i), "budget_seconds": 1 + i%2*19})
	}
	p.awaitAll(t)
	for later := runs; len(later) > 0; {
		runs = map[string]bool{}
		for run := range later {
			ask(map[string]any{"run_id": run})
		}
		p.awaitAll(t)
		later = runs
	}
	if p.failed > 0 {
		t.Errorf("%d calls were answered by an error", p.failed)
	}
	p.end(t)
}

var (
	pendingRun = regexp.MustCompile(`^Status: pending; run (r_[a-z2-7]+)`)
	anyStatus  = regexp.MustCompile(`^Status: (answered|partial|insufficient)`)
)
