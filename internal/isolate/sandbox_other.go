//go:build !linux

package isolate

import "runtime"

// Shortfall says that there is no sandbox.
func Shortfall([]string) string {
	return "on " + runtime.GOOS + " it is only a process with a deadline and a memory limit: it can open files and connections with your rights"
}

// enterSandbox does nothing: on this system a child is a process with a deadline
// and a memory limit.
func enterSandbox() []string { return []string{} }
