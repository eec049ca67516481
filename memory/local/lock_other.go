//go:build !unix && !windows

package local

import "os"

const (
	locksArePerProcess     = false
	openFilesCanBeReplaced = false
)

// lockBytes has no way to lock a file on this platform.
func lockBytes(*os.File) (bool, error) { return true, nil }
