package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/isolate"
)

// fallibleRunner runs the task extract here, after so many calls that end like a child
// that failed.
type fallibleRunner struct {
	failure error
	left    atomic.Int32 // failures
	asked   atomic.Int32
}

func (r *fallibleRunner) Run(ctx context.Context, task string, in, out any) error {
	r.asked.Add(1)
	if r.left.Add(-1) >= 0 {
		return fmt.Errorf("task %s: %w", task, r.failure)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if raw, err = extract.Task(ctx, raw); err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

// A file whose child crashed or ran out of time is not one without text: it is read
// again by the next search, up to maxTries, and the reason is said once.
func TestFilesReadsAgainWhatWasInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		failure  error
		failures int32
		why      string
		found    []int // documents of each search
		asked    int32
	}{
		{"crashed once", isolate.ErrCrashed, 1, "reading the page failed", []int{0, 1, 1}, 2},
		{"too slow once", isolate.ErrTimeout, 1, "takes too long", []int{0, 1, 1}, 2},
		{"crashed twice", isolate.ErrCrashed, 2, "reading the page failed", []int{0, 0, 1, 1}, 3},
		{"always", isolate.ErrTimeout, 100, "takes too long", []int{0, 0, 0, 0, 0}, maxTries},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "notes.txt", "A gannet.")
			write(t, dir, "heron.html", "<p>The heron of the harbour stands on one leg.</p>")
			r := &fallibleRunner{failure: c.failure}
			r.left.Store(c.failures)
			s := openWith(t, dir, Settings{Pages: extract.Isolated{Runner: r}.All(), DataDir: t.TempDir()})
			var found []int
			var said []string
			for range c.found {
				docs, warnings, err := s.SearchWarned(t.Context(), evidence.Query{Text: "heron", Limit: 5})
				if err != nil {
					t.Fatal(err)
				}
				found, said = append(found, len(docs)), append(said, warnings...)
			}
			if !slices.Equal(found, c.found) || r.asked.Load() != c.asked {
				t.Errorf("documents of each search: %d after %d tries, want %d after %d", found, r.asked.Load(), c.found, c.asked)
			}
			if len(said) != 1 || !strings.Contains(said[0], "heron.html") || !strings.Contains(said[0], c.why) {
				t.Errorf("said: %q, want once that heron.html: %s", said, c.why)
			}
		})
	}
}
