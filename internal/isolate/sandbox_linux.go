package isolate

import (
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// maxOpen is how many files a child may have open: its pipes, the runtime's
// poller and control group files, and a few to spare.
const maxOpen = 32

// enterSandbox restricts all threads of the process for the rest of its life, as
// far as the kernel can, and returns the restrictions that hold. It does
// not fail: a child without a sandbox still has a deadline and a memory limit.
func enterSandbox() []string {
	runtime.LockOSThread() // no-new-privs is per thread until the filter is set on all of them
	defer runtime.UnlockOSThread()
	holding := []string{}
	if limitFiles() == nil {
		holding = append(holding, SandboxLimits)
	}
	if inNamespaces() {
		holding = append(holding, SandboxNamespaces)
	}
	if emptyRoot() == nil && errors.Is(unix.Access("/proc", unix.F_OK), unix.ENOENT) {
		holding = append(holding, SandboxEmptyRoot)
	}
	nnp := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == nil
	version, _ := llsys.LandlockGetABIVersion()
	if version > 0 && landlock.V11.BestEffort().Restrict() == nil && refused(openRoot()) {
		holding = append(holding, SandboxLandlock)
		if version >= 4 {
			holding = append(holding, SandboxLandlockNet)
		}
	}
	if nnp && filterCalls() == nil && refused(openSocket()) {
		holding = append(holding, SandboxSeccomp)
	}
	// The filter sets it on all threads, and so does landlock.
	if nnp && (slices.Contains(holding, SandboxSeccomp) || slices.Contains(holding, SandboxLandlock)) {
		holding = append(holding, SandboxNoNewPrivs)
	}
	return holding
}

// Shortfall says which restrictions are not among those held, and why; "" if all hold.
func Shortfall(held []string) string {
	var missing []string
	for _, r := range []struct{ name, why string }{
		{SandboxDescriptors, "a descriptor could not be closed"},
		{SandboxNamespaces, "the kernel or the container refuses user namespaces, this process is too large, or it was built with cgo"},
		{SandboxEmptyRoot, "it needs namespaces and the right to mount in them"},
		{SandboxLandlock, "the kernel is older than 5.13 or does not have it turned on"},
		{SandboxLandlockNet, "the kernel is older than 6.7"},
		{SandboxSeccomp, "the kernel does not have it, or there is no list of system calls for " + runtime.GOARCH},
		{SandboxNoNewPrivs, "the kernel refuses it"},
		{SandboxLimits, "the kernel refuses them"},
	} {
		if !slices.Contains(held, r.name) {
			missing = append(missing, r.name+" ("+r.why+")")
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "not in force: " + strings.Join(missing, ", ")
}

func limitFiles() error {
	return errors.Join(lower(unix.RLIMIT_NOFILE, maxOpen), lower(unix.RLIMIT_FSIZE, 0))
}

func refused(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

func openRoot() error {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

func openSocket() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}
