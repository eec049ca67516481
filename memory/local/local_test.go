package local

import (
	"context"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, func(ctx context.Context, dir string) (contract.Memory, error) {
		return Open(ctx, contract.Config{Dir: dir})
	})
}
