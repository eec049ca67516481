package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/newfile"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// ExportFile writes the whole memory to a new file of mode 0600. The file appears
// under its name only when it is complete.
func (l *Library) ExportFile(ctx context.Context, path string, vectors bool) (contract.Moved, error) {
	return WriteExport(ctx, path, nil, func(w io.Writer) (contract.Moved, error) { return l.Export(ctx, w, vectors) })
}

// WriteExport writes what export does to a new file of mode 0600, which appears
// under its name only when it is complete. With seal it is encrypted, and verified
// before it appears.
func WriteExport(ctx context.Context, path string, seal contract.Seal, export func(io.Writer) (contract.Moved, error)) (moved contract.Moved, err error) {
	if _, err := os.Lstat(path); err == nil {
		return moved, exists(path)
	}
	removeStaleExports(filepath.Dir(path), time.Now())
	f, err := os.CreateTemp(filepath.Dir(path), exportPrefix+"*") // 0600
	if err != nil {
		return moved, evidence.BadInput(fmt.Sprintf("%s cannot be written: %v", path, err), "name a file in an existing folder that you may write to")
	}
	defer func() {
		if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	if seal == nil {
		moved, err = export(f)
	} else {
		moved, err = exportSealed(f, seal, export)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = newfile.Publish(f.Name(), path)
	}
	return moved, exportFailed(ctx, path, err)
}

// exportSealed encrypts an export into f, and verifies it.
func exportSealed(f *os.File, seal contract.Seal, export func(io.Writer) (contract.Moved, error)) (contract.Moved, error) {
	w, err := seal(f)
	if err != nil {
		return contract.Moved{}, err
	}
	moved, err := export(w)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = w.Verify(f)
	}
	return moved, err
}

func exists(path string) error {
	return evidence.BadInput(path+" exists already", "name a file that does not exist yet")
}

// exportFailed turns the error of a disk into a Problem.
func exportFailed(ctx context.Context, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrExist):
		return exists(path)
	}
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return &evidence.Problem{What: fmt.Sprintf("%s was not written: %v; nothing of it is left", path, onDisk.Err),
			Try: "free some space, or name a file on another disk", Cause: err}
	}
	return err
}

const (
	exportPrefix = ".research-mcp-export-" // of unfinished exports, in whichever folder
	// staleExport is the age at which a half-written file of a killed process is
	// removed.
	staleExport = time.Hour
)

func removeStaleExports(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir) // not by a pattern: the folder's own name may contain one
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), exportPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > staleExport {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next export tries again
		}
	}
}
