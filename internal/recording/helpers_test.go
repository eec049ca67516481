package recording

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// still returns options with a fixed clock and ids that count.
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
