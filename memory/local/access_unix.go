//go:build unix

package local

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// accessOf says how the database at path can be opened, in the words of openDB: for
// writing, for reading beside a process that writes, or for reading where nobody
// writes: without the right to create its files, SQLite opens no database that has a
// write-ahead log. What such a log holds is not read; see refuseUnreadLog.
func accessOf(path string) string {
	file, dir := unix.Access(path, unix.W_OK), unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK)
	if file == nil && dir == nil || unix.Access(path, unix.R_OK) != nil {
		return accessWrite
	}
	if _, err := os.Stat(path + "-shm"); err == nil || dir == nil {
		return accessReadOnly
	}
	return accessImmutable
}

// freeBytes is the space for ordinary users on the disk with dir, if it is known.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:gosec,unconvert // the types differ by platform
}

// sameDisk reports whether two folders are in one file system, as far as that is known.
func sameDisk(a, b string) bool {
	var of [2]unix.Stat_t
	return unix.Stat(a, &of[0]) == nil && unix.Stat(b, &of[1]) == nil && of[0].Dev == of[1].Dev
}
