package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/memory"
)

// memoryConfig is what opens the memory of cfg.
func memoryConfig(cfg *config.Config, log *slog.Logger) memory.Config {
	return memory.Config{Backend: cfg.Memory.Backend, URL: cfg.Memory.URL, Dir: cfg.DataDir, Logger: log}
}

// RepairMemory replaces a damaged memory by what can be read of it. On a full disk, the
// cache of sources' answers is removed to make room.
func RepairMemory(ctx context.Context, cfg *config.Config, log *slog.Logger) (memory.RepairReport, error) {
	opened := memoryConfig(cfg, log)
	opened.MakeRoom = func(context.Context) bool {
		cache := filepath.Join(cfg.DataDir, app.CacheFile)
		if _, err := os.Lstat(cache); err != nil {
			return false
		}
		fetch.RemoveCache(cache) // no server has it open: it would have the memory open, too
		log.Warn("the disk is full: the cache of sources' answers was removed to make room for the repair", "path", cache)
		return true
	}
	return memory.Repair(ctx, opened)
}

// RescueMemory exports what can be read of a memory that cannot be opened.
func RescueMemory(ctx context.Context, cfg *config.Config, log *slog.Logger, w io.Writer, vectors bool) (memory.Moved, error) {
	return memory.Rescue(ctx, memoryConfig(cfg, log), w, memory.ExportOptions{Vectors: vectors})
}

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
