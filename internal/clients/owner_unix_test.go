//go:build unix

package clients

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Root, who writes for a user, leaves the file and its backup to that user.
func TestInstallKeepsTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const uid, gid = 12345, 23456
	for _, content := range []string{"", `{"mcpServers": {}}`} {
		s, c := home(t), client(t, "cursor")
		folder := filepath.Dir(c.File(s))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(c.File(s), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(c.File(s), uid, gid); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
		if _, err := Install(c, s, server, false, moment); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			if stat := info.Sys().(*syscall.Stat_t); stat.Uid != uid || stat.Gid != gid {
				t.Errorf("%s belongs to %d:%d, want %d:%d", f.Name(), stat.Uid, stat.Gid, uid, gid)
			}
		}
	}
}
