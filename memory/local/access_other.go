//go:build !unix

package local

import "path/filepath"

// accessOf has no way to find out on this platform: opening will tell.
func accessOf(string) string { return accessWrite }

// freeBytes is not known on this platform.
func freeBytes(string) (int64, bool) { return 0, false }

// sameDisk reports whether two folders are on one volume.
func sameDisk(a, b string) bool { return filepath.VolumeName(a) == filepath.VolumeName(b) }
