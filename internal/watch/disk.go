package watch

import (
	"context"
	"errors"
	"fmt"
)

// LeastFree is the free space, in bytes, below which a server wants no new work.
const LeastFree = 16 << 20

var errDiskFull = errors.New("the disk is nearly full")

// DiskRoom checks that there is room on the disk with dir, where that can be told.
func DiskRoom(dir string) Check {
	return Check{Name: "disk", Run: func(context.Context) error { return enough(freeBytes(dir)) }}
}

func enough(free int64, known bool) error {
	if known && free < LeastFree {
		return fmt.Errorf("%w: %d MiB are free, and %d are wanted", errDiskFull, free>>20, LeastFree>>20)
	}
	return nil
}
