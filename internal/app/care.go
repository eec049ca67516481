package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory"
)

// What the commands that care for the memory need.
type (
	MemoryStats    = memory.Stats
	MemoryCheck    = memory.CheckReport
	MemoryGone     = memory.ErasureReport
	MemoryBackup   = memory.BackupReport
	MemoryMoved    = memory.Moved
	MemoryProgress = memory.Progress
)

// MemoryStats is what the memory holds. An empty memory tells the embedder that
// it would use.
func (a *App) MemoryStats(ctx context.Context) (MemoryStats, error) {
	s, err := a.memory.Stats(ctx)
	s.Embedder = cmp.Or(s.Embedder, modelName(a.kits.Choose(ctx).Embedder.Model()))
	return s, err
}

func modelName(m evidence.Model) string {
	if m.Revision == "" {
		return m.Name
	}
	return m.Name + "@" + m.Revision
}

// CheckMemory compares the memory with itself. One that cannot even be opened
// is a report that says so, not an error.
func CheckMemory(ctx context.Context, cfg *config.Config, log *slog.Logger) (MemoryCheck, error) {
	var report MemoryCheck
	a, err := New(ctx, cfg, Options{Log: log})
	if err == nil {
		report, err = a.checkMemory(ctx)
		err = errors.Join(err, a.Close())
	}
	if ctx.Err() != nil {
		return report, ctx.Err()
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

func (a *App) checkMemory(ctx context.Context) (MemoryCheck, error) {
	m, err := memory.Require[memory.Checker](a.memory)
	if err != nil {
		return MemoryCheck{}, err
	}
	return m.Check(ctx)
}

// MemoryGone looks everywhere for a document, session or run that was forgotten.
func (a *App) MemoryGone(ctx context.Context, id string) (MemoryGone, error) {
	if id == "" {
		return MemoryGone{}, evidence.BadInput("the id to look for is empty", "take one from the receipt of `forget`")
	}
	m, err := memory.Require[memory.ErasureProver](a.memory)
	if err != nil {
		return MemoryGone{}, err
	}
	return m.ProveErased(ctx, id)
}

// MemoryExport writes all of the memory to w as JSON lines.
func (a *App) MemoryExport(ctx context.Context, w io.Writer, vectors bool) (MemoryMoved, error) {
	m, err := memory.Require[memory.Exporter](a.memory)
	if err != nil {
		return MemoryMoved{}, err
	}
	return m.Export(ctx, w, memory.ExportOptions{Vectors: vectors})
}

// MemoryExportFile writes all of the memory to a file that is not there yet,
// for nobody else to read. A file by that name is a whole export.
func (a *App) MemoryExportFile(ctx context.Context, path string, vectors bool) (moved MemoryMoved, err error) {
	if _, err := os.Lstat(path); err == nil {
		return moved, evidence.BadInput(path+" is already there", "name a file that is not there yet")
	}
	sweepExports(filepath.Dir(path), time.Now())
	f, err := os.CreateTemp(filepath.Dir(path), tempExport+"*") // 0600
	if err != nil {
		return moved, evidence.BadInput(fmt.Sprintf("%s cannot be written: %v", path, err), "name a file in a folder that is there and yours")
	}
	defer func() {
		if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	moved, err = a.MemoryExport(ctx, f, vectors)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = placeExport(f.Name(), path)
	}
	return moved, exportFailed(ctx, path, err)
}

// exportFailed says in words what the disk says.
func exportFailed(ctx context.Context, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrExist):
		return evidence.BadInput(path+" is already there", "name a file that is not there yet")
	}
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return &evidence.Problem{What: fmt.Sprintf("%s was not written: %v; nothing of it is left", path, onDisk.Err),
			Try: "free some space, or name a file on another disk", Cause: err}
	}
	return err
}

// placeExport gives a finished export its name, and never takes the place of a
// file that is there: another process may have made it meanwhile.
func placeExport(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	// A file system without links: the name is taken first, then filled.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Rename(temp, path))
}

const (
	tempExport = ".research-mcp-export-" // such a file is ours, wherever the export goes
	// staleExport is when what a killed process left half-written is removed.
	staleExport = time.Hour
)

func sweepExports(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir) // not by a pattern: the folder's own name may be one
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempExport) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > staleExport {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one tries again
		}
	}
}

// MemoryImport adds what an export holds. Documents that came without vectors
// are given the present embedder's, so that recall finds them as it did where
// they came from; what keeps it from that is a warning. An import that was broken
// off at that goes on when it is made again.
func (a *App) MemoryImport(ctx context.Context, r io.Reader, progress func(MemoryProgress)) (MemoryMoved, error) {
	m, err := memory.Require[memory.Exporter](a.memory)
	if err != nil {
		return MemoryMoved{}, err
	}
	moved, err := m.Import(ctx, r)
	if err != nil {
		return moved, err
	}
	stats, err := a.memory.Stats(ctx)
	if err != nil || !lacking(stats) {
		return moved, err
	}
	if _, err := a.MemoryReindex(ctx, progress); err != nil {
		if ctx.Err() != nil {
			return moved, ctx.Err()
		}
		moved.Warnings = append(moved.Warnings, fmt.Sprintf("documents without vectors are found by their words alone until `research-mcp memory reindex`: %v", err))
	}
	return moved, nil
}

// lacking reports whether there are documents without vectors of the model in use.
func lacking(s memory.Stats) bool {
	for _, have := range s.Models {
		if have.Active {
			return have.Documents < s.Documents
		}
	}
	return s.Documents > 0
}

// MemoryImportFile adds what the export in a file holds.
func (a *App) MemoryImportFile(ctx context.Context, path string, progress func(MemoryProgress)) (MemoryMoved, error) {
	f, err := os.Open(path)
	if err != nil {
		return MemoryMoved{}, noFile(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return MemoryMoved{}, evidence.BadInput(path+" is a folder", "name a file that `memory export` wrote")
	}
	return a.MemoryImport(ctx, f, progress)
}

// MemoryBackup writes a whole copy while others work with the memory.
func (a *App) MemoryBackup(ctx context.Context, path string) (MemoryBackup, error) {
	m, err := memory.Require[memory.Backuper](a.memory)
	if err != nil {
		return MemoryBackup{}, err
	}
	return m.Backup(ctx, path)
}

// MemoryReindex gives every document vectors of the embedder that is there now.
func (a *App) MemoryReindex(ctx context.Context, progress func(MemoryProgress)) (MemoryProgress, error) {
	m, err := memory.Require[memory.Reindexer](a.memory)
	if err != nil {
		return MemoryProgress{}, err
	}
	by := a.kits.Choose(ctx).Embedder
	// Some models tell their dimension with the first vector only.
	if _, err := vectorsOf(ctx, by, []string{"dimension"}); err != nil {
		return MemoryProgress{}, err
	}
	return m.Reindex(ctx, by.Model(), embedWith(by), progress)
}

func embedWith(by models.Embedder) memory.EmbedFunc {
	return func(ctx context.Context, texts []string) ([][]float32, error) { return vectorsOf(ctx, by, texts) }
}
