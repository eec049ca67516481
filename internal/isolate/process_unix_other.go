//go:build unix && !linux

package isolate

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent has nothing to do here: the end of stdin tells the child.
func dieWithParent(*exec.Cmd) {}

func ownImage() (string, error) { return os.Executable() }

// wait returns when the child is dead and reaped, with the result of cmd.Wait.
// Stragglers of the group are killed at once after that: without a portable way
// to look at a dead child before reaping it, this trusts that its number is not
// given away within microseconds.
func (c *child) wait() error {
	err := c.cmd.Wait()
	c.kill()
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	return err
}

// limitKernel forbids core dumps. The memory limit of the Go runtime is the only
// one here: these kernels do not count what a Go heap is made of.
func limitKernel(int64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &now); err != nil {
		return err
	}
	now.Cur = 0
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &now)
}
