package stdio

import "os"

// GuardStdout reserves standard output for the protocol: it returns the program's
// standard output and redirects every other writer of os.Stdout to standard
// error. Call it once, before anything is written, and only to serve on stdio.
func GuardStdout() *os.File {
	real := detachStdout()
	os.Stdout = os.Stderr
	return real
}
