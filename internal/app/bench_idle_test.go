package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkServeIdle is the resident memory of a server that does nothing: after the
// answer to initialize, and 30 s after a question about a folder, which the built-in
// encoder ranked.
func BenchmarkServeIdle(b *testing.B) {
	exe, folder := binary(b), b.TempDir()
	for i := range 40 {
		text := fmt.Sprintf("# Machine %d\n\nMachine %d was built in 19%02d by the institute. It has %d tubes and stores words of 40 bits.\n\n## Use\n\nIt made tables of logarithms.\n", i, i, 30+i, 17*i)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("m%d.md", i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.Setenv("RESEARCH_MCP_SOURCES_FILES_DIR", folder)
	started, asked := 0.0, 0.0
	for b.Loop() {
		s := serveLarge(b, exe, b.TempDir())
		started = max(started, s.settle(b))
		got := s.say(b, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"research","arguments":{"question":"When was machine 12 built?","sources":["files"]}}}`+"\n")
		if !strings.Contains(got, "1942") {
			b.Fatalf("the answer is %.300s", got)
		}
		time.Sleep(30 * time.Second)
		asked = max(asked, s.settle(b))
		s.close(b)
	}
	b.ReportMetric(started, "MB-after-initialize")
	b.ReportMetric(asked, "MB-after-question")
}
