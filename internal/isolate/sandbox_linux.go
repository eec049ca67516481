package isolate

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// maxOpen is how many files a child may have open: its pipes, the runtime's
// poller and control group files, and a few to spare.
const maxOpen = 32

// enterSandbox restricts all threads of the process for the rest of its life, as
// far as the kernel can, and returns the restrictions that hold, sorted. It does
// not fail: a child without a sandbox still has a deadline and a memory limit.
func enterSandbox() []string {
	runtime.LockOSThread() // no-new-privs is per thread until the filter is set on all of them
	defer runtime.UnlockOSThread()
	holding := []string{}
	if limitFiles() == nil {
		holding = append(holding, SandboxLimits)
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
	slices.Sort(holding)
	return holding
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

// filterCalls makes the kernel refuse, with EPERM, the system calls through which
// code that has taken over the process could reach beyond it. It is a deny list,
// because the calls that the Go runtime needs change with its versions.
func filterCalls() error {
	info, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("finding the system calls of %s: %w", runtime.GOARCH, err)
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{
		{Action: seccomp.ActionErrno, Names: known(info, forbiddenCalls()), NamesWithCondtions: conditionalCalls()},
		// A filter cannot see the parameters of clone3. ENOSYS makes callers use
		// clone, whose flags it can check.
		{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: known(info, []string{"clone3"})},
	}}
	instructions, err := policy.Assemble()
	if err != nil {
		return fmt.Errorf("assembling a filter: %w", err)
	}
	// The policy does not check calls of another architecture, such as 32-bit
	// calls on amd64, which have other numbers: kill the process at those.
	instructions = append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 4}, // seccomp_data.arch
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(seccomp.ActionKillProcess)},
	}, instructions...)
	raw, err := bpf.Assemble(instructions)
	if err != nil {
		return fmt.Errorf("assembling a filter: %w", err)
	}
	return install(raw)
}

// install sets the filter on all threads at once.
func install(raw []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}                                                                             //nolint:gosec // a few hundred
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))) //nolint:gosec // as the system call requires
	runtime.KeepAlive(filter)
	switch {
	case errno != 0:
		return fmt.Errorf("installing a filter: %w", errno)
	case thread != 0:
		return fmt.Errorf("installing a filter: thread %d could not be given it", thread)
	}
	return nil
}

// known removes the names of calls that this architecture does not have.
func known(info *arch.Info, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		_, has := info.SyscallNames[name]
		return !has
	})
}

// conditionalCalls are allowed for this process alone: signals to itself, and
// clone for threads but not for processes.
func conditionalCalls() []seccomp.NameWithConditions {
	self := uint64(os.Getpid()) //nolint:gosec // positive
	other := seccomp.Condition{Argument: 0, Operation: seccomp.NotEqual, Value: self}
	return []seccomp.NameWithConditions{
		{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsNotSet, Value: unix.CLONE_THREAD}}},
		{Name: "tgkill", Conditions: seccomp.ArgumentConditions{other}},
		// Zero is the child's own process group.
		{Name: "kill", Conditions: seccomp.ArgumentConditions{other, {Argument: 0, Operation: seccomp.NotEqual, Value: 0}}},
	}
}

func forbiddenCalls() []string {
	return slices.Concat(
		[]string{ // the network, and other programs by way of it
			"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
		},
		[]string{ // programs and processes
			"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
			"pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setpgid", "setsid", "setns", "unshare",
		},
		[]string{ // files
			"open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "unlink", "unlinkat", "rename", "renameat", "renameat2",
			"link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "truncate", "ftruncate", "chmod", "fchmod", "fchmodat", "fchmodat2",
			"chown", "lchown", "fchown", "fchownat", "chdir", "fchdir", "chroot", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
			"utime", "utimes", "utimensat", "futimesat", "memfd_create", "memfd_secret", "inotify_init", "inotify_init1", "fanotify_init",
		},
		[]string{ // ways around this list, and the machine
			"io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "userfaultfd", "bpf", "perf_event_open", "keyctl", "add_key", "request_key",
			"mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl",
			"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "acct", "syslog", "personality",
			"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "ioperm", "iopl", "modify_ldt", "vhangup",
			"shmget", "shmat", "msgget", "semget", "mq_open",
			"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "prlimit64", "setrlimit",
		},
	)
}
