package extract

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

func newPool(t testing.TB, o isolate.Options) *isolate.Pool {
	t.Helper()
	p, err := isolate.NewPool(isolate.PoolOptions{Options: o})
	if err != nil {
		t.Fatalf("NewPool = %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return p
}
