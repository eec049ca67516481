package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
)

// CheckMemory compares the memory with itself. One that cannot even be opened
// is a report that says so, not an error.
func CheckMemory(ctx context.Context, cfg *config.Config, log *slog.Logger) (memory.CheckReport, error) {
	var report memory.CheckReport
	a, err := app.New(ctx, cfg, app.Options{Log: log})
	if err == nil {
		report, err = a.Library().Check(ctx)
		err = errors.Join(err, a.Close())
	}
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	if errors.Is(err, memory.ErrUnsupported) { // nothing was checked
		return report, err
	}
	if err != nil {
		p := evidence.AsProblem(err)
		report.OK, report.Problems = false, append(report.Problems, p.What)
		report.Try = cmp.Or(report.Try, p.Try)
	}
	if report.Problems == nil {
		report.Problems = []string{}
	}
	return report, nil
}
