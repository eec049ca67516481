//go:build unix

package watch

import "golang.org/x/sys/unix"

// freeBytes is the space for ordinary users on the disk with dir, if it is known.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:gosec,unconvert // the types differ by platform
}
