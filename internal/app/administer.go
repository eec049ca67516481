package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
)

// What the commands need of the rooms that they may not import.
type (
	MemoryStats    = memory.Stats
	MemoryCheck    = memory.CheckReport
	MemoryGone     = memory.ErasureReport
	MemoryBackup   = memory.BackupReport
	MemoryMoved    = memory.Moved
	MemoryProgress = memory.Progress
)

// Library stores and finds documents.
func (a *App) Library() *library.Library { return a.library }

// MemoryStats returns what the memory holds.
func (a *App) MemoryStats(ctx context.Context) (MemoryStats, error) { return a.library.Stats(ctx) }

// CheckMemory compares the memory with itself. One that cannot even be opened
// is a report that says so, not an error.
func CheckMemory(ctx context.Context, cfg *config.Config, log *slog.Logger) (MemoryCheck, error) {
	var report MemoryCheck
	a, err := New(ctx, cfg, Options{Log: log})
	if err == nil {
		report, err = a.library.Check(ctx)
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

// MemoryGone searches for what was forgotten; see library.Library.
func (a *App) MemoryGone(ctx context.Context, id string) (MemoryGone, error) {
	return a.library.ProveErased(ctx, id)
}

// MemoryExport writes all of the memory to w; see library.Library.
func (a *App) MemoryExport(ctx context.Context, w io.Writer, vectors bool) (MemoryMoved, error) {
	return a.library.Export(ctx, w, vectors)
}

// MemoryExportFile writes all of the memory to a new file; see library.Library.
func (a *App) MemoryExportFile(ctx context.Context, path string, vectors bool) (MemoryMoved, error) {
	return a.library.ExportFile(ctx, path, vectors)
}

// MemoryImport adds what an export holds; see library.Library.
func (a *App) MemoryImport(ctx context.Context, r io.Reader, progress func(MemoryProgress)) (MemoryMoved, error) {
	return a.library.Import(ctx, r, progress)
}

// MemoryImportFile adds what the export in a file holds; see library.Library.
func (a *App) MemoryImportFile(ctx context.Context, path string, progress func(MemoryProgress)) (MemoryMoved, error) {
	return a.library.ImportFile(ctx, path, progress)
}

// MemoryBackup writes a complete copy; see library.Library.
func (a *App) MemoryBackup(ctx context.Context, path string) (MemoryBackup, error) {
	return a.library.Backup(ctx, path)
}

// MemoryReindex gives every document vectors of the present embedder; see
// library.Library.
func (a *App) MemoryReindex(ctx context.Context, progress func(MemoryProgress)) (MemoryProgress, error) {
	return a.library.Reindex(ctx, progress)
}
