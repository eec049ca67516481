//go:build !linux

package postgres

import "syscall"

// boundUnsent has nothing to set here: the system ends such a connection in its own time.
func boundUnsent(string, string, syscall.RawConn) error { return nil }
