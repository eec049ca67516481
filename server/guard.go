package server

import "os"

// GuardStdout keeps the protocol's stream clean: it returns the program's
// standard output and lets everything else that writes to os.Stdout end up on
// standard error. Call it first in main, once, and only for a server on stdio.
func GuardStdout() *os.File {
	real := detachStdout()
	os.Stdout = os.Stderr
	return real
}
