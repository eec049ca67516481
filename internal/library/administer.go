package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Stats returns what the memory holds. For an empty memory, Embedder is the one
// that would be used.
func (l *Library) Stats(ctx context.Context) (contract.Stats, error) {
	s, err := l.stats(ctx)
	if err == nil && s.Embedder == "" {
		s.Embedder = contract.ModelText(l.deps.Models.Choose(ctx).Embedder.Model())
	}
	if err == nil {
		s.Queue, err = l.queue(ctx)
	}
	return s, err
}

func (l *Library) stats(ctx context.Context) (contract.Stats, error) {
	return l.deps.Memory.Stats(ctx)
}

// Check compares the memory with itself.
func (l *Library) Check(ctx context.Context) (contract.CheckReport, error) {
	k, err := contract.Require[contract.Checker](l.deps.Memory)
	if err != nil {
		return contract.CheckReport{}, err
	}
	return k.Check(ctx)
}

// ProveErased searches the whole memory for a document, session or run that was
// forgotten.
func (l *Library) ProveErased(ctx context.Context, id string) (contract.ErasureReport, error) {
	if id = strings.TrimSpace(id); id == "" {
		return contract.ErasureReport{}, evidence.BadInput("the id to look for is empty", "take one from the receipt of `forget`")
	}
	k, err := contract.Require[contract.ErasureProver](l.deps.Memory)
	if err != nil {
		return contract.ErasureReport{}, err
	}
	return k.ProveErased(ctx, id)
}

// Backup writes a complete copy to a new file while others use the memory.
func (l *Library) Backup(ctx context.Context, path string) (contract.BackupReport, error) {
	k, err := contract.Require[contract.Backuper](l.deps.Memory)
	if err != nil {
		return contract.BackupReport{}, err
	}
	var r contract.BackupReport
	err = l.withRoom(ctx, func() error { r, err = k.Backup(ctx, path); return err })
	return r, err
}

// BackupSealed is Backup to an encrypted file.
func (l *Library) BackupSealed(ctx context.Context, path string, seal contract.Seal) (contract.BackupReport, error) {
	k, ok := l.deps.Memory.(contract.SealedBackuper)
	if !ok {
		return contract.BackupReport{}, contract.Unsupported(fmt.Sprintf("the memory backend %q does not make encrypted backups", l.deps.Memory.Backend()), "make a backup without --encrypt, and encrypt the file")
	}
	var r contract.BackupReport
	err := l.withRoom(ctx, func() (err error) { r, err = k.BackupSealed(ctx, path, seal); return err })
	return r, err
}

// Export writes the whole memory to w as JSON lines.
func (l *Library) Export(ctx context.Context, w io.Writer, vectors bool) (contract.Moved, error) {
	m, err := contract.Require[contract.Exporter](l.deps.Memory)
	if err != nil {
		return contract.Moved{}, err
	}
	return m.Export(ctx, w, contract.ExportOptions{Vectors: vectors})
}

// Import adds what an export holds. Documents that came without vectors are
// given the built-in n-grams'; those of trained models follow in the background. A
// failure of that is a warning. An import that was interrupted there
// continues when it is repeated.
func (l *Library) Import(ctx context.Context, r io.Reader, opts contract.ImportOptions, progress func(contract.Progress)) (contract.Moved, error) {
	m, err := contract.Require[contract.Exporter](l.deps.Memory)
	if err != nil {
		return contract.Moved{}, err
	}
	if l.deps.Cache != nil {
		opts.MakeRoom = l.deps.Cache.GiveUp
	}
	moved, short := m.Import(ctx, r, opts)
	if short != nil && !errors.Is(short, contract.ErrCutShort) {
		return moved, short
	}
	stats, err := l.stats(ctx)
	if err != nil || !lacksVectors(stats) {
		return moved, cmp.Or(short, err)
	}
	if _, err := l.reindex(ctx, l.deps.Models.BuiltIn().Embedder, progress); err != nil {
		if ctx.Err() != nil {
			return moved, ctx.Err()
		}
		moved.Warnings = append(moved.Warnings, fmt.Sprintf("documents without vectors are found by their words alone until `research-mcp memory reindex`: %v", err))
	}
	return moved, short
}

// OpenExport opens the file of an export. The caller closes it.
func OpenExport(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, noFile(path, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // nothing was written
		return nil, evidence.BadInput(path+" is a folder", "name a file that `memory export` wrote")
	}
	return f, nil
}

// Reindex gives every document vectors of the present embedder, and of the built-in
// encoder unless another process is at it. progress may be nil; it and the result are
// of one model after the other.
func (l *Library) Reindex(ctx context.Context, progress func(contract.Progress)) (contract.Progress, error) {
	p, err := l.reindex(ctx, l.deps.Models.Choose(ctx).Embedder, progress)
	by, filler := l.encoder()
	if err != nil || by == nil {
		return p, err
	}
	err = l.withRoom(ctx, func() error { p, err = filler.FillVectors(ctx, by.Model(), embedFunc(by), progress); return err })
	if errors.Is(err, contract.ErrFilling) {
		err = nil
	}
	return p, err
}

func embedFunc(by models.Embedder) contract.EmbedFunc {
	return func(ctx context.Context, texts []string) ([][]float32, error) { return vectorsOf(ctx, by, texts) }
}

func (l *Library) reindex(ctx context.Context, by models.Embedder, progress func(contract.Progress)) (contract.Progress, error) {
	m, err := contract.Require[contract.Reindexer](l.deps.Memory)
	if err != nil {
		return contract.Progress{}, err
	}
	// Some models report their dimension only with the first vector.
	if _, err := vectorsOf(ctx, by, []string{"dimension"}); err != nil {
		return contract.Progress{}, err
	}
	var p contract.Progress
	err = l.withRoom(ctx, func() error { p, err = m.Reindex(ctx, by.Model(), embedFunc(by), progress); return err })
	return p, err
}
