package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// sealedSuffix ends the names of encrypted automatic backups.
const sealedSuffix = ".age"

// plainFolder makes the folder of a copy that is not encrypted yet, and removes those
// that killed processes left.
func plainFolder(parent string) (string, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", fmt.Errorf("creating the backup folder: %w", err)
	}
	removeStaleTemp(parent, time.Now().Add(-staleAfter))
	return os.MkdirTemp(parent, tempPrefix) // mode 0700
}

// sealCopy encrypts the file plain into the new file sealed, verifies that, and returns
// its size.
func sealCopy(ctx context.Context, plain, sealed string, seal contract.Seal) (size int64, err error) {
	in, err := os.Open(plain)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(sealed, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := seal(out)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(w, readerUntil{ctx, in}); err != nil {
		return 0, err
	}
	if err := errors.Join(w.Close(), out.Sync()); err != nil {
		return 0, err
	}
	if size, err = out.Seek(0, io.SeekEnd); err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = w.Verify(readerUntil{ctx, out})
	}
	return size, err
}

// readerUntil is a reader that ends with its context's error.
type readerUntil struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r readerUntil) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// removeSealedBackups removes the encrypted automatic backups: nothing can be removed
// from within them. The next automatic backup has what is left.
func (l *Local) removeSealedBackups() (notes []string, removed bool) {
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return []string{fmt.Sprintf("the encrypted backups may still contain forgotten data: %v; the next `forget` or `serve` tries again", err)}, false
	}
	n := 0
	removed = true
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !strings.HasSuffix(path, sealedSuffix) || dailyTime(path).IsZero() {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			notes = append(notes, fmt.Sprintf("the encrypted backup %s may still contain forgotten data and cannot be deleted: %v", path, err))
			removed = false
			continue
		}
		n++
	}
	if n > 0 {
		notes = append(notes, text.Count(n, "encrypted backup")+" deleted, because nothing can be removed from within one; a new one is made within a day")
	}
	return notes, removed
}
