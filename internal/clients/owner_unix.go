//go:build unix

package clients

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner of another one, as root can, who writes for a user under sudo.
func own(f *os.File, other fs.FileInfo) error {
	stat, ok := other.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}
