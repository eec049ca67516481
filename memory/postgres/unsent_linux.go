package postgres

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// boundUnsent lets the kernel end a connection on which what was sent is not acknowledged for
// unsentWithin; by itself it tries for a quarter of an hour.
func boundUnsent(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unsentWithin.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
