//go:build !cgo

package isolate

// cloneExtra are flags with which a thread may be started besides those of Go.
const cloneExtra = 0

// cLibraryCalls are none: there is no C library.
func cLibraryCalls() []string { return nil }
