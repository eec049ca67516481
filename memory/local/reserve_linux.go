package local

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve makes a new file that takes size bytes of the disk.
func reserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	return errors.Join(err, f.Close())
}
