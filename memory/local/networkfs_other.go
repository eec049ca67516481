//go:build !linux && !darwin && !windows

package local

// onNetwork has no way to find out on this platform.
func onNetwork(string) (string, bool) { return "", false }
