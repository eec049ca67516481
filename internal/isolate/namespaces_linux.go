package isolate

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// maxForked is how much memory of its own, in bytes, a parent may have to give its
// children namespaces. A user namespace needs fork without vfork, which copies the page
// tables: about 5 ms for 100 MB, in which the parent's other threads cannot map memory.
const maxForked = 256 << 20

// ownNamespaces starts the child in namespaces of its own: it is process 1 of an empty
// system without network devices, and its user has no rights outside.
func ownNamespaces(cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
}

// canNamespace reports whether this process may start children with ownNamespaces: it is
// small, and without the C library. With that, all threads are reached by their list in
// /proc/PID/task (psx, which landlock uses too). The number of a child in a namespace of
// its own is another process's there, and the child would wait for threads that are not
// its own.
func canNamespace() bool {
	if cLibrary {
		return false
	}
	m, err := readStatm()
	return err == nil && m.resident-min(m.shared, m.resident) <= maxForked
}

// inNamespaces reports whether this process was started by ownNamespaces: any other
// child has its parent's numbers, and its parent one below its own.
func inNamespaces() bool { return os.Getpid() == 1 }

// emptyRoot makes an empty folder that cannot be written to the root of the process's
// files, and gives up the rights that this took. It works in ownNamespaces alone.
func emptyRoot() error {
	if !inNamespaces() {
		return errors.ErrUnsupported
	}
	err := errors.ErrUnsupported
	for _, at := range []string{"/tmp", "/proc", "/dev"} { // whichever there is
		if err = unix.Mount("none", at, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "nr_inodes=1,mode=555"); err == nil {
			err = errors.Join(unix.Chroot(at), unix.Chdir("/"))
			break
		}
	}
	return errors.Join(err, dropCapabilities())
}

// dropCapabilities gives up the capabilities of all threads.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0) //nolint:gosec // as the system call requires
	runtime.KeepAlive(&none)
	if errno != 0 {
		return errno
	}
	return nil
}
