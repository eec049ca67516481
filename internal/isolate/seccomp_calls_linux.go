package isolate

import (
	"slices"

	"golang.org/x/sys/unix"
)

// goThread are the flags with which the Go runtime starts a thread, besides
// CLONE_SETTLS on amd64: runtime.cloneFlags.
const goThread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD

// allowedCalls are the system calls of process self that are answered by something
// other than EPERM: what the Go runtime needs for memory, threads, timers and signals,
// and reading and writing what is open. None takes a path or reaches another process.
// The most frequent ones come first.
func allowedCalls(self uint64) []call {
	all := ^uint64(0)
	noExec := condition{arg: 2, mask: unix.PROT_EXEC, values: []uint64{0}}
	private := condition{arg: 3, mask: unix.MAP_ANONYMOUS, values: []uint64{unix.MAP_ANONYMOUS}} // not of a file
	ownProcess := []condition{{arg: 0, mask: all, values: []uint64{self}}}
	return slices.Concat(
		plain("futex", "read", "write", "madvise", "nanosleep", "epoll_pwait", "rt_sigprocmask", "rt_sigreturn", "gettid", "getpid", "sched_yield", "munmap"),
		[]call{
			{name: "tgkill", conditions: ownProcess}, // preemption
			{name: "mmap", conditions: []condition{noExec, private}},
			{name: "mprotect", conditions: []condition{noExec}},
			{name: "clone", conditions: []condition{{arg: 0, mask: ^uint64(unix.CLONE_SETTLS | cloneExtra), values: []uint64{goThread}}}},
			{name: "fcntl", conditions: []condition{{arg: 1, mask: all, values: []uint64{unix.F_GETFD, unix.F_GETFL}}}},
			{name: "kill", conditions: ownProcess},
			{name: "sched_getaffinity", conditions: []condition{{arg: 0, mask: all, values: []uint64{0}}}}, // the number of processors
			// The runtime names its memory, and stops that at EINVAL.
			{name: "prctl", answer: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL)},
			// A filter cannot see the parameters of clone3. ENOSYS makes callers use clone.
			{name: "clone3", answer: answerUnknown},
		},
		plain(
			"close", "pread64", // the runtime rereads the processor limit of its control group
			"rt_sigaction", "sigaltstack", "clock_gettime", "getrandom", "restart_syscall",
			"epoll_create1", "epoll_ctl", "eventfd2", // made with the first timer
			"exit", "exit_group",
		),
		plain(cLibraryCalls()...),
	)
}

// plain are calls that are allowed whatever their arguments.
func plain(names ...string) []call {
	var out []call
	for _, name := range names {
		out = append(out, call{name: name})
	}
	return out
}
