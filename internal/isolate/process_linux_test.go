package isolate_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// The hog allocates 1 GiB and keeps it, so only the kernel can stop it.
func TestPoolStopsAMemoryHogAndGoesOn(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{MaxMemory: 64 << 20, Parallel: 1})
	for range 2 {
		var blocks int
		if err := p.Run(bound(t), "hog", note{}, &blocks); !errors.Is(err, isolate.ErrCrashed) || !strings.Contains(err.Error(), "exit status") {
			t.Errorf("Run(hog) = %d blocks, %v, want a crash for lack of memory", blocks, err)
		}
		var got note
		if err := p.Run(bound(t), "echo", note{Text: "x"}, &got); err != nil || got.Text != "x!" {
			t.Errorf("Run(echo) after a hog = %+v, %v", got, err)
		}
	}
}

func linuxDeeds() map[string][]string {
	return map[string][]string{
		"tracing":            {isolate.SandboxSeccomp},
		"a signal":           {isolate.SandboxSeccomp},
		"io_uring":           {isolate.SandboxSeccomp},
		"a process":          {isolate.SandboxSeccomp},
		"a file in memory":   {isolate.SandboxSeccomp},
		"many files":         {isolate.SandboxLimits},
		"sockets of threads": {isolate.SandboxSeccomp},
	}
}

// tryLinux tries the calls themselves, on new threads too.
func tryLinux(try func(string, error)) {
	call := func(number uintptr, args ...uintptr) error {
		var a [3]uintptr
		copy(a[:], args)
		if _, _, errno := unix.RawSyscall(number, a[0], a[1], a[2]); errno != 0 {
			return errno
		}
		return nil
	}
	try("tracing", call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(os.Getppid())))
	try("a signal", call(unix.SYS_KILL, uintptr(os.Getppid()), 0))
	var params [256]byte
	try("io_uring", call(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params))))
	try("a process", call(unix.SYS_PIDFD_OPEN, uintptr(os.Getpid())))
	try("a file in memory", call(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&params)), 0))
	var open []int
	var err error
	for range 64 {
		var fd int
		if fd, err = unix.Dup(0); err != nil {
			break
		}
		open = append(open, fd)
	}
	for _, fd := range open {
		_ = unix.Close(fd)
	}
	try("many files", err)
	errs := make(chan error)
	for range 8 {
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with it
			errs <- call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, 0)
		}()
	}
	err = unix.EPERM
	for range 8 {
		if e := <-errs; e == nil {
			err = nil
		}
	}
	try("sockets of threads", err)
}
