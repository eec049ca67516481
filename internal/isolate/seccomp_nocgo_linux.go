//go:build !cgo

package isolate

// cLibrary: threads are those of the Go runtime.
const cLibrary = false

// cloneExtra are flags with which a thread may be started besides those of Go.
const cloneExtra = 0

// cLibraryCalls are none: there is no C library.
func cLibraryCalls() []string { return nil }
