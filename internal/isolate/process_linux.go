package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// ownImage is the running image itself, which an upgrade may have replaced or
// deleted on disk: parent and child must be of one version.
func ownImage() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// wait returns when the child is dead and reaped, with the result of cmd.Wait.
// What the child left running in its group is killed in between, while the dead
// child still holds the group's number.
func (c *child) wait() error {
	for {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.kill()
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	return c.cmd.Wait()
}

// dieWithParent has the kernel kill the child when the thread that started it
// ends. The runtime keeps its threads as long as the process lives, but for those
// of goroutines that end while locked to them: then a child dies early, which a
// pool takes as any other death.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = unix.SIGKILL }

// Room above the heap for stacks, the runtime's own tables and the address
// space that the runtime reserves in blocks of 64 MiB.
const (
	dataSlack    = 64 << 20
	addressSlack = 192 << 20
)

// limitKernel makes allocations well beyond limit fail, which ends a Go process.
// RLIMIT_DATA counts writable private memory, which is what the heap is made
// of; RLIMIT_AS counts all address space, of which the runtime reserves over a
// gigabyte before main, so that it can only be set relative to that.
func limitKernel(limit int64) error {
	size, err := addressSpace()
	if err != nil {
		size = unix.RLIM_INFINITY / 2 // no /proc: no bound on addresses
	}
	heap := uint64(limit)
	for _, l := range []struct {
		name     string
		resource int
		max      uint64
	}{
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
		{"RLIMIT_DATA", unix.RLIMIT_DATA, shadow * (heap + dataSlack)},
		{"RLIMIT_AS", unix.RLIMIT_AS, size + shadow*(heap+addressSlack)},
	} {
		if err := lower(l.resource, l.max); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// lower sets a limit unless a lower one is in force.
func lower(resource int, limit uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	limit = min(limit, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: min(limit, now.Cur), Max: limit})
}

func addressSpace() (uint64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(raw), &pages); err != nil {
		return 0, fmt.Errorf("reading /proc/self/statm: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
