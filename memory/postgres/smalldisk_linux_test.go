package postgres

import (
	"os"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of a few megabytes that the test server can write to.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres-small-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m,mode=0777"); err != nil {
		_ = os.Remove(dir)
		t.Skipf("not run: a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
		_ = os.Remove(dir)
	})
	inner := dir + "/data"
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534 // the server of postgres.sh
	if err := os.Chown(inner, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return inner
}
