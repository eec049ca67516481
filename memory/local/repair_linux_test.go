package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// A repair locks the damaged file itself, also a cut one, until the new one is in its
// place. (A lock of an open file description stands for that of another process.)
func TestRepairLocksTheFile(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]int64{"whole": 0, "cut": 4096} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := killed(t)
			path := filepath.Join(dir, fileName)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			probe, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer probe.Close()
			if err := probe.Truncate(info.Size() - cut); err != nil {
				t.Fatal(err)
			}
			lock := unix.Flock_t{Type: unix.F_RDLCK, Start: sqliteShared, Len: sqliteSharedLen}
			if err := unix.FcntlFlock(probe.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			d, err := openDamaged(t.Context(), path, 0)
			if err != nil || d.alone {
				t.Fatalf("openDamaged = %+v, %v, want that it is in use", d, err)
			}
			if err := d.close(); err != nil {
				t.Fatal(err)
			}
			var p *evidence.Problem
			if _, err := Repair(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) {
				t.Errorf("Repair of a file in use = %v", err)
			}
			if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("a file in use was changed")
			}
			lock.Type = unix.F_UNLCK
			if err := unix.FcntlFlock(probe.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
				t.Fatal(err)
			}
			asked, unlocked := 0, 0
			now := func() time.Time { // asked for last when the file is replaced
				asked++
				if !locked(t, probe) {
					unlocked++
				}
				return time.Now()
			}
			if r, err := Repair(t.Context(), contract.Config{Dir: dir, Now: now}); err != nil || asked == 0 || unlocked > 0 {
				t.Errorf("Repair = %+v, %v; unlocked %d times of %d", r, err, unlocked, asked)
			}
		})
	}
}
