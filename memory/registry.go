package memory

import (
	"context"
	"io"

	"github.com/research-mcp/research-mcp/memory/local"
	"github.com/research-mcp/research-mcp/memory/postgres"
)

type backend struct {
	name string
	open func(ctx context.Context, cfg Config) (Memory, error)
}

// backends lists every backend, sorted by name, one a line.
func backends() []backend {
	return []backend{
		{"local", opens(local.Open)},
		{"postgres", opens(postgres.Open)},
	}
}

// joiner joins the processes that use the backend of its name on different machines.
type joiner struct {
	name string
	open func(ctx context.Context, cfg Config) (Bus, error)
}

// joiners lists those of the backends that have one, sorted by name.
func joiners() []joiner {
	return []joiner{
		{"postgres", openPostgresBus},
	}
}

func openPostgresBus(ctx context.Context, cfg Config) (Bus, error) {
	b, err := postgres.OpenBus(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// rescuer reads and replaces what the backend of its name refuses to open.
type rescuer struct {
	name   string
	rescue func(ctx context.Context, cfg Config, w io.Writer, opts ExportOptions) (Moved, error)
	repair func(ctx context.Context, cfg Config) (RepairReport, error)
}

// rescuers lists those of the backends that have one, sorted by name.
func rescuers() []rescuer {
	return []rescuer{
		{"local", local.Rescue, local.Repair},
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
