package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

const (
	repairPrefix = ".research-mcp-repair-" // of the folder in which the new file is made
	// exclusiveWait is how long Repair waits for other processes to let go of the file.
	exclusiveWait = 3 * time.Second
	// copyLock is a file beside the copy that an export makes. The export holds its lock.
	// A process that can take the lock removes the copy if it is older than copyMade.
	copyLock = "export.lock"
	copyMade = time.Minute
)

// Rescue exports what can be read of a file that Open refuses, without changing
// it; see contract.Exporter.
func Rescue(ctx context.Context, cfg contract.Config, w io.Writer, opts contract.ExportOptions) (moved contract.Moved, err error) {
	cfg = withDefaults(cfg)
	d, err := openDamaged(ctx, filepath.Join(cfg.Dir, fileName), 0)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := removeStaleExports(os.TempDir()); err != nil {
		cfg.Logger.Warn("a copy that a killed export has left cannot be removed", "err", err)
	}
	temp, err := os.MkdirTemp("", repairPrefix)
	if err != nil {
		return moved, fmt.Errorf("making room for a copy: %w", err)
	}
	lock := flock.New(filepath.Join(temp, copyLock), flock.SetPermissions(0o600))
	defer func() { err = errors.Join(err, d.close(), lock.Unlock(), os.RemoveAll(temp)) }()
	if _, err := lock.TryLock(); err != nil {
		return moved, fmt.Errorf("locking %s: %w", lock.Path(), err)
	}
	if err := d.connect(ctx, temp); err != nil {
		return moved, err
	}
	return rescueFrom(ctx, cfg, d.db, d.path, w, opts)
}

func rescueFrom(ctx context.Context, cfg contract.Config, db *sql.DB, path string, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	steps, err := migrations()
	if err != nil {
		return contract.Moved{}, err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return contract.Moved{}, explain(path, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if _, err := layout(ctx, tx, path, len(steps)); err != nil {
		return contract.Moved{}, explain(path, err)
	}
	return exportFrom(ctx, tx, w, opts, cfg.Now().UTC())
}

// Repair makes a new file of everything that can be read of a damaged one, and
// puts it in its place. The old file is kept among the backups. While another
// process has the memory open, it is an *evidence.Problem; so is a file of which
// nothing can be read, and nothing is changed then.
//
// On a full disk, what cfg.MakeRoom gives up goes first, then the reserve of the memory.
func Repair(ctx context.Context, cfg contract.Config) (contract.RepairReport, error) {
	cfg = withDefaults(cfg)
	r, err := repairOnce(ctx, cfg)
	if isFullDisk(err) && cfg.MakeRoom != nil && cfg.MakeRoom(ctx) {
		r, err = repairOnce(ctx, cfg)
	}
	if isFullDisk(err) && os.Remove(filepath.Join(cfg.Dir, fileName)+reserveEnd) == nil {
		r, err = repairOnce(ctx, cfg)
	}
	if isFullDisk(err) {
		err = noRoomToRepair(filepath.Join(cfg.Dir, fileName), err)
	}
	return r, err
}

// noRoomToRepair says how much room the new file needs: about as much as the old one.
func noRoomToRepair(path string, cause error) error {
	need := "about as much space as it has"
	if info, err := os.Stat(path); err == nil {
		need = fmt.Sprintf("about %d MB", info.Size()>>20+1)
	}
	return &evidence.Problem{What: fmt.Sprintf("the disk is full: %s was not repaired, and is as it was", path),
		Try: "free " + need + " on the disk with it, then repair again", Cause: errors.Join(contract.ErrFull, cause)}
}

func repairOnce(ctx context.Context, cfg contract.Config) (r contract.RepairReport, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return r, fmt.Errorf("resolving the data folder: %w", err)
	}
	r.Path = filepath.Join(dir, fileName)
	if info, err := os.Stat(r.Path); err != nil || !info.Mode().IsRegular() {
		return r, evidence.BadInput(fmt.Sprintf("there is no memory in %s", dir), "name the folder of the memory with --data-dir")
	}
	if accessOf(r.Path) != accessWrite {
		return r, notWritable(r.Path, nil)
	}
	d, err := openDamaged(ctx, r.Path, exclusiveWait)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if !d.alone {
		return r, inUse(r.Path, nil)
	}
	if err := removeStaleRepairs(dir, time.Now()); err != nil { // no other repair has the lock
		return r, unusable(dir, err)
	}
	temp, err := os.MkdirTemp(dir, repairPrefix)
	if err != nil {
		return r, unusable(dir, err)
	}
	defer func() { err = errors.Join(err, d.close(), os.RemoveAll(temp)) }()
	if r.Moved, err = refill(ctx, cfg, d, temp); err != nil {
		return r, err
	}
	if r.Moved.Documents+r.Moved.Sessions == 0 && r.Moved.Failed > 0 {
		p := damaged(r.Path, errUnreadable)
		p.What = "nothing can be read of " + r.Path + "; it was not changed"
		return r, p
	}
	if err := finish(ctx, filepath.Join(temp, fileName)); err != nil {
		return r, err
	}
	r.Kept, err = d.swap(ctx, filepath.Join(temp, fileName), cfg.Now())
	return r, err
}

// refill copies what can be read of a damaged file into a new memory in dir.
func refill(ctx context.Context, cfg contract.Config, d *damagedFile, dir string) (moved contract.Moved, err error) {
	if err := d.connect(ctx, dir); err != nil {
		return moved, err
	}
	fresh := cfg
	fresh.Dir, fresh.Keep, fresh.MaxText = dir, contract.Retention{}, transfer.MaxLine // a stored text is kept, however long
	m, err := Open(ctx, fresh)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	opts := contract.ImportOptions{MakeRoom: func(context.Context) bool { return m.releaseReserve() }} // nobody needs that of the new file now
	lines, to := io.Pipe()
	var read, kept contract.Moved
	var g errgroup.Group
	g.Go(func() error {
		var err error
		read, err = rescueFrom(ctx, cfg, d.db, d.path, to, contract.ExportOptions{Vectors: true})
		return errors.Join(err, to.CloseWithError(err))
	})
	g.Go(func() error {
		var err error
		kept, err = transfer.Import(ctx, lines, opts, m.target(true))
		return errors.Join(err, lines.CloseWithError(err))
	})
	if err := g.Wait(); err != nil {
		return moved, err
	}
	kept.Failed += read.Failed
	kept.Warnings = append(read.Warnings, kept.Warnings...)
	// Only now: an answer is not to lose what it cites because a document was
	// forgotten, put again and damaged.
	notes, err := carryErasures(ctx, d.db, m.wdb)
	if kept.Warnings = append(kept.Warnings, notes...); err != nil {
		return moved, err
	}
	return kept, ctx.Err()
}
