//go:build unix && !linux

package isolate

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent does nothing here: the child reacts to the end of stdin.
func dieWithParent(*exec.Cmd) {}

func ownImage() (string, error) { return os.Executable() }

// wait returns when the child is dead and reaped, with the result of cmd.Wait.
// The rest of the group is killed right after that. There is no portable way to
// detect a child's death before reaping it, so this relies on its number not
// being reused within microseconds.
func (c *child) wait() error {
	err := c.cmd.Wait()
	c.kill()
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	return err
}

// openFiles is where the system lists the descriptors of a process.
const openFiles = "/dev/fd"

// ownNamespaces does nothing here: there are none.
func ownNamespaces(*exec.Cmd) {}

func canNamespace() bool { return false }

// limitKernel forbids core dumps. Memory is limited by the Go runtime alone: these
// kernels do not count the kind of memory that a Go heap consists of.
func limitKernel(int64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &now); err != nil {
		return err
	}
	now.Cur = 0
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &now)
}
