package minilm

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// release takes the weights' pages out of this process. They belong to the program's
// file and are never written, so that the next use maps them again.
func release() {
	page := os.Getpagesize()
	whole := unsafe.Slice(unsafe.StringData(weights), len(weights))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(whole))) % uintptr(page)
	skip := (page - int(at)) % page //nolint:gosec // below the size of a page
	if n := (len(whole) - skip) / page * page; n > 0 {
		_ = unix.Madvise(whole[skip:skip+n], unix.MADV_DONTNEED) // advice: nothing depends on it
	}
}
