package watch

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/server"
)

var _ server.Watcher = Calls{}

// Calls sees the calls of tools; it implements server.Watcher. Metrics and Traces may be
// nil.
type Calls struct {
	Metrics *Metrics
	Traces  *Traces
	Tenant  func(ctx context.Context) string // of a call, for the metrics; nil: it is no label
}

// Begin implements server.Watcher.
func (c Calls) Begin(ctx context.Context, tool string, carrier map[string]string) (context.Context, func(string, error)) {
	tenant := ""
	if c.Tenant != nil {
		tenant = c.Tenant(ctx)
	}
	begun := time.Now()
	end := c.Metrics.begin(tool)
	ctx, s := c.Traces.Call(ctx, tool, carrier)
	return ctx, func(outcome string, err error) {
		s.Set("outcome", outcome)
		s.End(err)
		end(outcome, tenant, time.Since(begun))
	}
}
