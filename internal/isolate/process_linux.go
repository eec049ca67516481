package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// ownImage is the running image, because parent and child must be of one version:
// an upgrade may have replaced or deleted the file on disk.
func ownImage() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// wait returns when the child is dead and reaped, with the result of cmd.Wait.
// The rest of its group is killed in between, while the dead child still reserves
// the group's number.
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

// dieWithParent makes the kernel kill the child when the thread that started it
// ends. The Go runtime keeps its threads for the life of the process, except for
// threads that a goroutine was locked to when it ended: then a child dies early,
// and the pool replaces it.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = unix.SIGKILL }

// Memory besides the heap: stacks, the runtime's tables, and the address space
// that the runtime reserves in blocks of 64 MiB.
const (
	dataSlack    = 64 << 20
	addressSlack = 192 << 20
)

// openFiles is where the system lists the descriptors of a process.
const openFiles = "/proc/self/fd"

// limitKernel makes allocations well above limit fail, which ends a Go process.
// RLIMIT_DATA counts writable private memory, such as the heap. RLIMIT_AS counts
// all address space, of which the runtime reserves over a gigabyte before main,
// so it is set relative to that.
func limitKernel(limit int64) error {
	now, err := readStatm()
	if err != nil {
		now.size = unix.RLIM_INFINITY / 2 // without /proc, addresses are not limited
	}
	heap := uint64(limit)
	for _, l := range []struct {
		name     string
		resource int
		max      uint64
	}{
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
		{"RLIMIT_DATA", unix.RLIMIT_DATA, shadow * (heap + dataSlack)},
		{"RLIMIT_AS", unix.RLIMIT_AS, now.size + shadow*(heap+addressSlack)},
	} {
		if err := lower(l.resource, l.max); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// lower sets a limit unless the present one is lower.
func lower(resource int, limit uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	limit = min(limit, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: min(limit, now.Cur), Max: limit})
}

// statm are sizes of this process's memory in bytes.
type statm struct{ size, resident, shared uint64 }

func readStatm() (statm, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return statm{}, err
	}
	var m statm
	if _, err := fmt.Sscan(string(raw), &m.size, &m.resident, &m.shared); err != nil {
		return statm{}, fmt.Errorf("reading /proc/self/statm: %w", err)
	}
	page := uint64(os.Getpagesize()) //nolint:gosec // positive
	return statm{m.size * page, m.resident * page, m.shared * page}, nil
}
