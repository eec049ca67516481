//go:build unix

package isolate

import (
	"os/exec"
	"sync"
	"syscall"
)

// ownGroup puts the child at the head of a new process group, so that it can be
// killed together with what it starts, and so that a terminal's Ctrl-C reaches
// us alone.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// child guards the group's number: once the child is reaped, the system may
// give the same number to a stranger.
type child struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	reaped bool
}

// kill ends the whole group at once. A signal that could be ignored is no use
// against a process that hangs.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: nobody is left
	}
}

// die ends the process, and its group if it leads one.
func die() {
	if syscall.Getpgrp() == syscall.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
}
