package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// The reserve is a file beside the memory that is removed when the disk is full and
// something is to be forgotten: removing documents needs room for the write-ahead log.
const (
	reserveEnd   = "-reserve"
	reserveBytes = 2 << 20
	// reserveShare is the share of the free space that the reserve may take.
	reserveShare = 4
	leastReserve = 256 << 10 // a smaller one is of no use
	// lowSpace is the free space below which what is forgotten is returned to the disk at once.
	lowSpace = 8 << 20
)

// keepReserve makes the reserve if it is missing and the disk has room. Its failure is
// none of the memory.
func (l *Local) keepReserve() {
	path := l.path + reserveEnd
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return
	}
	free, known := freeBytes(filepath.Dir(l.path))
	size := min(int64(reserveBytes), free/reserveShare) &^ 4095
	if !known || size < leastReserve {
		return
	}
	if err := reserve(path, size); err != nil {
		l.log.Debug("there is no reserve for a full disk", "path", path, "err", err)
		_ = os.Remove(path) // half a file would be taken for the reserve
	}
}

// indexBytes is more than SQLite needs on the disk to open a database: the index of its
// write-ahead log.
const indexBytes = 64 << 10

// roomToOpen takes from the reserve what is needed to open the memory on a full disk,
// also if it is only to be read.
func roomToOpen(path string) {
	if _, err := os.Stat(path + "-shm"); err == nil {
		return
	}
	info, err := os.Stat(path + reserveEnd)
	if free, known := freeBytes(filepath.Dir(path)); err != nil || !known || free >= indexBytes || info.Size() < 2*indexBytes {
		return
	}
	_ = os.Truncate(path+reserveEnd, info.Size()-2*indexBytes) // opening will tell
}

// releaseReserve removes the reserve, and reports whether there was one.
func (l *Local) releaseReserve() bool { return os.Remove(l.path+reserveEnd) == nil }

// returnSpace gives the pages that became free to the disk, if that is nearly full.
// If even that has no room, it will be done by a later removal.
func (l *Local) returnSpace(ctx context.Context) {
	if free, known := freeBytes(filepath.Dir(l.path)); !known || free >= lowSpace {
		return
	}
	_, err := l.wdb.ExecContext(ctx, "PRAGMA incremental_vacuum")
	if isFull(err) && l.releaseReserve() {
		_, err = l.wdb.ExecContext(ctx, "PRAGMA incremental_vacuum")
	}
	if err = errors.Join(err, l.truncateWAL(ctx)); err != nil {
		l.log.Debug("the space of forgotten documents was not returned to the disk", "err", err)
	}
}

// isFullDisk reports whether a disk was full, also one with other files than the
// memory's, such as those of a backup.
func isFullDisk(err error) bool {
	var se *sqlite.Error
	return errors.Is(err, contract.ErrFull) || isFull(err) || errors.Is(err, syscall.ENOSPC) ||
		errors.As(err, &se) && se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE // where the log's index is made
}

func isFull(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_FULL
}
