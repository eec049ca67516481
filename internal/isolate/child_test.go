package isolate_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

func TestChildMainLeavesOthersAlone(t *testing.T) {
	// Not parallel: it sets the environment.
	for _, c := range []struct {
		name, marker string
		args         []string
	}{
		{"a plain start", "1", []string{"research-mcp", "ask", "why"}},
		{"no marker", "", []string{"research-mcp", isolate.Command}},
		{"not the last argument", "1", []string{"research-mcp", isolate.Command, "echo"}},
		{"no program", "1", []string{isolate.Command}},
		{"nothing", "1", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("RESEARCH_MCP_ISOLATED", c.marker)
			var out strings.Builder
			stdout := os.Stdout
			exit, isChild := isolate.ChildMain(c.args, tasks(), strings.NewReader("{}\n"), &out, &out)
			if exit != 0 || isChild || out.Len() > 0 || os.Stdout != stdout {
				t.Errorf("ChildMain(%q) = %d, %v, wrote %q", c.args, exit, isChild, out.String())
			}
		})
	}
}

// BenchmarkStart is the price of a process: start, one small task, death.
func BenchmarkStart(b *testing.B) {
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		start := time.Now()
		p, err := isolate.NewPool(isolate.Options{NoSandbox: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Run(b.Context(), "echo", note{Text: "a"}, &note{}); err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
