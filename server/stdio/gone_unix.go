//go:build unix

package stdio

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// readerGone reports whether the other end of a pipe or a socket is closed. It is false
// for any other writer.
func readerGone(w io.Writer) bool {
	file, ok := w.(syscall.Conn)
	if !ok {
		return false
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	_ = conn.Control(func(fd uintptr) { // its error says that the file is closed: a write will say it, too
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n > 0 && poll[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
	})
	return gone
}
