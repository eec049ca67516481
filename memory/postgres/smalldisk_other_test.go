//go:build !linux

package postgres

import "testing"

func smallDisk(t *testing.T) string {
	t.Helper()
	t.Skip("not run: a small disk is mounted on Linux alone")
	return ""
}
