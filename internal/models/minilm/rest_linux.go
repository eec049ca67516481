package minilm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// release takes the weights' pages out of this process, if they belong to the program's
// file, so that the next use maps them again.
func release() {
	if !backed() {
		return
	}
	page := os.Getpagesize()
	whole := unsafe.Slice(unsafe.StringData(weights), len(weights))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(whole))) % uintptr(page)
	skip := (page - int(at)) % page //nolint:gosec // below the size of a page
	if n := (len(whole) - skip) / page * page; n > 0 {
		_ = unix.Madvise(whole[skip:skip+n], unix.MADV_DONTNEED) // advice: nothing depends on it
	}
}

// backed reports whether all of the weights are in one mapping of a file that cannot be
// written. A packed program unpacks them into memory of its own, where giving up the
// pages would lose them.
var backed = sync.OnceValue(func() bool {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer maps.Close() // it was only read from
	from := uintptr(unsafe.Pointer(unsafe.StringData(weights)))
	return inFile(maps, from, from+uintptr(len(weights)))
})

// inFile reports whether maps, as of /proc/PID/maps, has a mapping of a file without
// write permission that holds the addresses from one to another.
func inFile(maps io.Reader, from, to uintptr) bool {
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		var perms, offset, device string
		var inode uint64
		_, err := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %d", &begin, &end, &perms, &offset, &device, &inode)
		if err == nil && begin <= from && to <= end {
			return inode != 0 && len(perms) > 1 && perms[1] == '-'
		}
	}
	return false
}
