package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	backupDir = "backups"  // automatic copies, beside memory.db
	cacheName = "cache.db" // what the fetch room keeps in the same folder: ours to leave alone
	magic     = "SQLite format 3\x00"
	headerLen = 100
)

// prepare makes the folder usable and returns the path of the database, which
// exists when it returns. Nothing that is there is changed.
func prepare(dir string) (string, error) {
	if dir == "" {
		return "", evidence.BadInput("no data folder is given", "set --data-dir or RESEARCH_MCP_DATA_DIR")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the data folder: %w", err)
	}
	if err := makeFolder(dir); err != nil {
		return "", err
	}
	if name, bad := onNetwork(dir); bad {
		return "", evidence.BadInput(fmt.Sprintf("the data folder %s is on a network file system (%s), where several processes cannot share a memory safely", dir, name),
			"choose a folder on a local disk with --data-dir, or reach one memory from many machines through `serve --http`")
	}
	path := filepath.Join(dir, fileName)
	if err := inspect(path); err != nil {
		return "", err
	}
	// Made by us first: SQLite's own files would be readable by others, and the
	// write-ahead log takes its mode from this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", unusable(dir, err)
	}
	return path, f.Close()
}

func makeFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return evidence.BadInput(fmt.Sprintf("the data folder %s is a file", dir), "name a folder with --data-dir")
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return unusable(dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	return nil
}

func unusable(dir string, err error) error {
	p := evidence.BadInput(fmt.Sprintf("the data folder %s cannot be used: %v", dir, err),
		"make it writable for you, or choose another one with --data-dir")
	p.Cause = err
	return p
}

// tighten shuts others out of a folder that holds nothing but a memory. One
// that has other things in it may be open for a reason: there only our file is shut.
func tighten(dir, path string, log *slog.Logger) {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 && onlyOurs(dir) {
		if err := os.Chmod(dir, 0o700); err != nil {
			log.Warn("the data folder stays readable by others", "dir", dir, "err", err)
		}
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(p); err == nil && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(p, 0o600); err != nil {
				log.Warn("a file of the memory stays readable by others", "path", p, "err", err)
			}
		}
	}
}

func onlyOurs(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if n := e.Name(); n != backupDir && !strings.HasPrefix(n, fileName) && !strings.HasPrefix(n, cacheName) {
			return false
		}
	}
	return true
}

// inspect refuses a file that is no SQLite database, or is shorter than it says,
// before SQLite could touch it.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(filepath.Dir(path), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unusable(filepath.Dir(path), err)
	}
	if info.IsDir() {
		return evidence.BadInput(fmt.Sprintf("%s is a folder", path), "choose another data folder with --data-dir")
	}
	if info.Size() == 0 { // another process is making it
		return nil
	}
	head := make([]byte, headerLen)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:len(magic)]) != magic {
		return damaged(path, err)
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil // the log may hold what is missing in the file
	}
	size := int64(binary.BigEndian.Uint16(head[16:18]))
	if size == 1 {
		size = 65536
	}
	if pages := int64(binary.BigEndian.Uint32(head[28:32])); pages*size > info.Size() {
		return damaged(path, fmt.Errorf("%d bytes of %d are there", info.Size(), pages*size))
	}
	return nil
}
