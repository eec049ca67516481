package toy

import (
	"context"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, memorytest.Backend{
		Open: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) { return Open(ctx, cfg) },
	})
}
