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
	backupDir  = "backups"  // folder of the automatic backups, beside memory.db
	cacheName  = "cache.db" // written by package fetch into the same folder
	foldersDir = "folders"  // of the indexes that package sources writes into it
	magic      = "SQLite format 3\x00"
	headerLen  = 100
)

// prepareDir creates the folder if necessary and returns the path of the
// database file and the open file, which the caller releases. The file exists
// when it returns; existing files are not changed.
func prepareDir(dir string) (string, *raw, error) {
	if dir == "" {
		return "", nil, evidence.BadInput("no data folder is given", "set --data-dir or RESEARCH_MCP_DATA_DIR")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, fmt.Errorf("resolving the data folder: %w", err)
	}
	if err := makeFolder(dir); err != nil {
		return "", nil, err
	}
	if name, bad := onNetwork(dir); bad {
		return "", nil, evidence.BadInput(fmt.Sprintf("the data folder %s is on a network file system (%s), where several processes cannot share a memory safely", dir, name),
			"choose a folder on a local disk with --data-dir")
	}
	path := filepath.Join(dir, fileName)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "", nil, evidence.BadInput(fmt.Sprintf("%s is a folder", path), "choose another data folder with --data-dir")
	}
	if err := refuseOrphanedLog(path); err != nil {
		return "", nil, err
	}
	if err := refuseUnreadLog(path, accessOf(path)); err != nil {
		return "", nil, err
	}
	// Created here, with mode 0600: SQLite would let others read it, and the
	// write-ahead log takes over the mode of the file.
	file, err := openRaw(path)
	if err != nil {
		return "", nil, unusable(dir, err)
	}
	if err := inspect(path, file); err != nil {
		return "", nil, errors.Join(err, file.release())
	}
	return path, file, nil
}

// walHeader is the size of a write-ahead log without frames.
const walHeader = 32

// refuseOrphanedLog refuses an empty or absent database beside a write-ahead log
// with data: SQLite would begin a new database and delete the log, which may be all
// that is left. A file that another process is creating has its first page before
// there is a log.
func refuseOrphanedLog(path string) error {
	wal, err := os.Stat(path + "-wal")
	if err != nil || wal.Size() <= walHeader {
		return nil //nolint:nilerr // there is none
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return &evidence.Problem{
		What: fmt.Sprintf("%s is empty, but the write-ahead log beside it has %d bytes: the database was lost or cut, and was not replaced", path, wal.Size()),
		Try: fmt.Sprintf("move %s away, and put the newest backup from %s in the place of %s", filepath.Base(path)+"-wal",
			filepath.Join(filepath.Dir(path), backupDir), filepath.Base(path)),
	}
}

// refuseUnreadLog refuses a database beside a write-ahead log with data where SQLite
// can only open the file without it: what was committed last would be missing. access
// is that of accessOf.
func refuseUnreadLog(path, access string) error {
	wal, err := os.Stat(path + "-wal")
	if access != accessImmutable || err != nil || wal.Size() <= walHeader {
		return nil //nolint:nilerr // there is none
	}
	return &evidence.Problem{
		What: fmt.Sprintf("the folder of %s is not writable, and its write-ahead log has %d bytes that cannot be read without writing beside it", path, wal.Size()),
		Try: fmt.Sprintf("copy %s and %s into a writable folder, and name that with --data-dir; or make the folder writable once",
			filepath.Base(path), filepath.Base(path)+"-wal"),
	}
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

// restrictAccess removes the permissions of other users from the files of the
// memory, and from the folder if it contains nothing else: a folder with other
// files may be shared on purpose.
func restrictAccess(dir, path string, log *slog.Logger) {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 && onlyOurs(dir) {
		if err := os.Chmod(dir, 0o700); err != nil {
			log.Warn("the data folder is readable by other users", "dir", dir, "err", err)
		}
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(p); err == nil && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(p, 0o600); err != nil {
				log.Warn("a file of the memory is readable by other users", "path", p, "err", err)
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
		if n := e.Name(); n != backupDir && n != foldersDir && !strings.HasPrefix(n, fileName) && !strings.HasPrefix(n, cacheName) {
			return false
		}
	}
	return true
}

// inspect refuses a file that is not a SQLite database, or is shorter than its
// header says, before SQLite opens it. A checkpoint of another process may be
// writing the file, so a file that looks damaged is read again.
func inspect(path string, f io.ReaderAt) error {
	const tries = 3
	var err error
	for range tries {
		if err = inspectOnce(path, f); err == nil {
			return nil
		}
	}
	return damaged(path, err)
}

func inspectOnce(path string, f io.ReaderAt) error {
	head := make([]byte, headerLen)
	n, err := f.ReadAt(head, 0)
	switch {
	case n == 0 && errors.Is(err, io.EOF): // another process is creating it
		return nil
	case n < headerLen:
		return fmt.Errorf("reading the header: %w", err)
	case string(head[:len(magic)]) != magic:
		return errors.New("it does not start with the header of a SQLite database")
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil // the missing pages may be in the log
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if want := headerSize(head); want > info.Size() {
		return fmt.Errorf("it has %d bytes of %d", info.Size(), want)
	}
	return nil
}

// headerSize is how long a database is by its header.
func headerSize(head []byte) int64 {
	size := int64(binary.BigEndian.Uint16(head[16:18]))
	if size == 1 {
		size = 65536
	}
	return int64(binary.BigEndian.Uint32(head[28:32])) * size
}
