//go:build !unix

package watch

// freeBytes is not known on this platform.
func freeBytes(string) (int64, bool) { return 0, false }
