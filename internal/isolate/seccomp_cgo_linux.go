//go:build cgo

package isolate

import "golang.org/x/sys/unix"

// cLibrary: threads are the C library's.
const cLibrary = true

// cloneExtra are the flags with which the C library may start a thread, besides those
// of Go. A program that is built with cgo, as for the race detector, has it start all
// threads.
const cloneExtra = unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID

// cLibraryCalls are system calls of the C library and the race detector.
func cLibraryCalls() []string {
	return []string{"brk", "mremap", "set_robust_list", "rseq", "clock_nanosleep", "membarrier"}
}
