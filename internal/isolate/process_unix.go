//go:build unix

package isolate

import (
	"os/exec"
	"sync"
	"syscall"
)

// ownGroup makes the child the leader of a new process group, so that it can be
// killed together with the processes it starts, and so that a terminal's Ctrl-C
// is not sent to it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// child is a process and its group. Once it is reaped, the system may reuse its
// number, so that it must not be signalled any more.
type child struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	reaped bool
}

// kill kills the whole group.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: no process is left
	}
}

// killSelf kills the process, and its group if it is the leader.
func killSelf() {
	if syscall.Getpgrp() == syscall.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
}
