//go:build unix

package isolate

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
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
	os.Exit(exitBroken) // the kernel lets no process 1 kill itself
}

// maxDescriptors is how many descriptors are looked at where the system lists none.
const maxDescriptors = 4096

// closeInherited closes what the process was started with besides stdin, stdout and
// stderr: files that somebody gave the parent, which its children would get too. What
// the Go runtime has opened since is marked to be closed at exec, and stays.
func closeInherited() error {
	names := make([]string, 0, maxDescriptors)
	if entries, err := os.ReadDir(openFiles); err == nil {
		for _, e := range entries {
			names = append(names, e.Name())
		}
	} else {
		for fd := range maxDescriptors {
			names = append(names, strconv.Itoa(fd))
		}
	}
	var failed []error
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			failed = append(failed, unix.Close(fd))
		}
	}
	return errors.Join(failed...)
}
