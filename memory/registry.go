package memory

import (
	"context"

	"github.com/research-mcp/research-mcp/memory/local"
)

type backend struct {
	name string
	open func(ctx context.Context, cfg Config) (Memory, error)
}

// backends lists every backend, sorted by name, one a line.
func backends() []backend {
	return []backend{
		{"local", opens(local.Open)},
	}
}

// opens adapts a backend's Open, which returns its own type: a nil pointer in an
// interface would not be nil.
func opens[M Memory](open func(context.Context, Config) (M, error)) func(context.Context, Config) (Memory, error) {
	return func(ctx context.Context, cfg Config) (Memory, error) {
		m, err := open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}
