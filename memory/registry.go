package memory

import (
	"context"

	"github.com/research-mcp/research-mcp/memory/local"
)

type backend struct {
	name string
	open func(ctx context.Context, cfg Config) (Memory, error)
}

// backends lists every backend, sorted by name, one entry a line.
func backends() []backend {
	return []backend{
		{"local", openLocal},
	}
}

func openLocal(ctx context.Context, cfg Config) (Memory, error) {
	l, err := local.Open(ctx, cfg)
	if err != nil {
		return nil, err // not l: a nil *Local in an interface is not nil
	}
	return l, nil
}
