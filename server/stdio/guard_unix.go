//go:build unix

package stdio

import (
	"os"

	"golang.org/x/sys/unix"
)

// detachStdout moves standard output to another descriptor and puts standard
// error in its place, so that neither a child process nor C code can write to
// the stream. It also turns a client that has disconnected into an error of
// Write: on descriptor 1 it would be SIGPIPE, which ends a Go program.
func detachStdout() *os.File {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return os.Stdout
	}
	if err := unix.Dup2(2, 1); err != nil {
		unix.Close(fd)
		return os.Stdout
	}
	return os.NewFile(uintptr(fd), "stdout")
}
