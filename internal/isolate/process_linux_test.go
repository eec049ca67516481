package isolate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// The hog wants 1 GiB; the collector cannot help, so only the kernel can say no.
func TestMemoryHogIsStopped(t *testing.T) {
	t.Parallel()
	var blocks int
	err := newRunner(t, isolate.Options{MaxMemory: 64 << 20}).Run(bound(t), "hog", note{}, &blocks)
	if !errors.Is(err, isolate.ErrCrashed) || !strings.Contains(err.Error(), "exit status") {
		t.Errorf("Run(hog) = %d blocks, %v, want a crash for lack of memory", blocks, err)
	}
}
