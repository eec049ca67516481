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

// maxOpen is how many files a child may have open: its pipes, the runtime's own
// poller and control group files, and some room.
const maxOpen = 32

// raiseWalls gives up, for all threads and for good, what the kernel lets a
// process give up, and returns the walls that hold. It never fails: a child
// without walls is still a process with a deadline.
func raiseWalls() []string {
	runtime.LockOSThread() // no-new-privs is a thread's own until the filter spreads it
	defer runtime.UnlockOSThread()
	held := []string{}
	if limitFiles() == nil {
		held = append(held, WallLimits)
	}
	nnp := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == nil
	version, _ := llsys.LandlockGetABIVersion()
	if version > 0 && landlock.V11.BestEffort().Restrict() == nil && refused(openRoot()) {
		held = append(held, WallLandlock)
		if version >= 4 {
			held = append(held, WallLandlockNet)
		}
	}
	if nnp && filterCalls() == nil && refused(openSocket()) {
		held = append(held, WallSeccomp)
	}
	// The filter spreads it to all threads; landlock does so by itself.
	if nnp && (slices.Contains(held, WallSeccomp) || slices.Contains(held, WallLandlock)) {
		held = append(held, WallNoNewPrivs)
	}
	slices.Sort(held)
	return held
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

// filterCalls has the kernel refuse, with EPERM, system calls by which code that
// has taken over the process could reach beyond it. What is not named stays
// allowed: what the Go runtime needs changes with its versions.
func filterCalls() error {
	info, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("finding the system calls of %s: %w", runtime.GOARCH, err)
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{
		{Action: seccomp.ActionErrno, Names: known(info, forbiddenCalls()), NamesWithCondtions: conditionalCalls()},
		// The parameters of clone3 are out of a filter's sight: as if unknown,
		// so that callers take clone.
		{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: known(info, []string{"clone3"})},
	}}
	instructions, err := policy.Assemble()
	if err != nil {
		return fmt.Errorf("assembling a filter: %w", err)
	}
	// The policy lets calls of another architecture pass, such as those of 32
	// bits on amd64, whose numbers differ.
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

// install puts the filter on all threads at once.
func install(raw []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}                                                                             //nolint:gosec // some hundred
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))) //nolint:gosec // the call's own shape
	runtime.KeepAlive(filter)
	switch {
	case errno != 0:
		return fmt.Errorf("installing a filter: %w", errno)
	case thread != 0:
		return fmt.Errorf("installing a filter: thread %d could not take it", thread)
	}
	return nil
}

// known leaves out the calls that this architecture does not have.
func known(info *arch.Info, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		_, has := info.SyscallNames[name]
		return !has
	})
}

// conditionalCalls may be made for our own process alone: signals, and threads
// rather than processes.
func conditionalCalls() []seccomp.NameWithConditions {
	self := uint64(os.Getpid()) //nolint:gosec // positive
	other := seccomp.Condition{Argument: 0, Operation: seccomp.NotEqual, Value: self}
	return []seccomp.NameWithConditions{
		{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsNotSet, Value: unix.CLONE_THREAD}}},
		{Name: "tgkill", Conditions: seccomp.ArgumentConditions{other}},
		// Zero is the own group, which leads to the same process.
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
