package isolate_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// TestSandboxCalls tries, inside a child, the system calls through which code that has
// taken it over could reach beyond it, and prints "call: errno" for each. It is what
// `make reliability` shows: go test -run TestSandboxCalls -v ./internal/isolate.
func TestSandboxCalls(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{})
	held, err := p.Sandbox(bound(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(held, isolate.SandboxSeccomp) {
		t.Skipf("NOT RUN: this kernel or architecture has no filter for system calls; what holds is %q", held)
	}
	var got []tried
	if err := p.Run(bound(t), "calls", os.Getpid(), &got); err != nil {
		t.Fatalf("Run(calls) = %v", err)
	}
	for _, call := range got {
		_, _ = fmt.Fprintf(t.Output(), "%s: %s\n", call.Name, call.Errno)
		want := []string{"EPERM"}
		switch call.Name {
		case "clone3", "a number that is not known", "x32 open":
			want = []string{"ENOSYS"}
		case "prctl PR_SET_PDEATHSIG":
			want = []string{"EINVAL"}
		}
		if !slices.Contains(want, call.Errno) {
			t.Errorf("%s is answered by %s, want %s", call.Name, call.Errno, want)
		}
	}
	if len(got) < 100 {
		t.Errorf("%d calls were tried, want all", len(got))
	}
}

func linuxTasks() map[string]isolate.Task {
	return map[string]isolate.Task{"calls": isolate.JSON(tryCalls)}
}

// tried is what became of a system call.
type tried struct{ Name, Errno string }

// tryCalls runs in a child. Its input is the process to attack, its parent.
func tryCalls(_ context.Context, parent int) ([]tried, error) {
	info, err := arch.GetInfo(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	var out []tried
	try := func(what string, number int, args ...uintptr) {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := syscall.RawSyscall6(uintptr(number), a[0], a[1], a[2], a[3], a[4], a[5])
		name := unix.ErrnoName(errno)
		if errno == 0 {
			name = "allowed"
		}
		out = append(out, tried{what, name})
	}
	for _, c := range reachingCalls(uintptr(parent)) { //nolint:gosec // positive
		if number, has := info.SyscallNames[c.name]; has {
			try(c.name+c.note, number, c.args...)
		}
	}
	try("a number that is not known", 9999)
	if runtime.GOARCH == "amd64" {
		try("x32 open", 0x40000000+2)
	}
	return out, nil
}

// attempt is a system call with the arguments to try it with.
type attempt struct {
	name, note string
	args       []uintptr
}

func reachingCalls(parent uintptr) []attempt {
	buffer := new([512]byte)
	b := uintptr(unsafe.Pointer(buffer))
	text := func(s string) uintptr { p, _ := syscall.BytePtrFromString(s); return uintptr(unsafe.Pointer(p)) }
	here := ^uintptr(99) // AT_FDCWD
	passwd := text("/etc/passwd")
	all := []attempt{
		{"kill", " the parent", []uintptr{parent, 0}}, {"kill", " all", []uintptr{^uintptr(0), 0}}, {"kill", " the group", []uintptr{0, 0}},
		{"tgkill", " the parent", []uintptr{parent, parent, 0}}, {"tkill", " the parent", []uintptr{parent, 0}},
		{"prlimit64", " of the parent", []uintptr{parent, unix.RLIMIT_NOFILE, 0, b}}, {"prlimit64", " of itself", []uintptr{0, unix.RLIMIT_NOFILE, 0, b}},
		{"sched_setaffinity", " of the parent", []uintptr{parent, 8, b}}, {"sched_setscheduler", " of the parent", []uintptr{parent, 5, b}},
		{"sched_getaffinity", " of the parent", []uintptr{parent, 128, b}},
		{"setpriority", " of the parent", []uintptr{0, parent, 5}}, {"ioprio_set", " of the parent", []uintptr{1, parent, 3 << 13}},
		{"fcntl", " F_SETOWN", []uintptr{1, unix.F_SETOWN, parent}}, {"fcntl", " F_SETSIG", []uintptr{1, 10, uintptr(unix.SIGUSR1)}},
		{"fcntl", " F_SETFL O_ASYNC", []uintptr{1, unix.F_SETFL, unix.O_ASYNC}}, {"ioctl", " FIOSETOWN", []uintptr{1, 0x8901, b}},
		{"mmap", " of code", []uintptr{0, 4096, unix.PROT_EXEC, unix.MAP_ANONYMOUS | unix.MAP_PRIVATE, ^uintptr(0)}},
		{"mmap", " of a file", []uintptr{0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, 0}},
		{"mprotect", " of code", []uintptr{0, 0, unix.PROT_READ | unix.PROT_EXEC}},
		{"clone", " a process", []uintptr{uintptr(unix.SIGCHLD)}}, {"prctl", " PR_SET_PDEATHSIG", []uintptr{unix.PR_SET_PDEATHSIG, 0}},
		{"socket", "", []uintptr{unix.AF_INET, unix.SOCK_STREAM}}, {"socketpair", "", []uintptr{unix.AF_UNIX, unix.SOCK_STREAM, 0, b}},
		{"open", "", []uintptr{passwd}}, {"stat", "", []uintptr{passwd, b}}, {"lstat", "", []uintptr{passwd, b}}, {"access", "", []uintptr{passwd}},
		{"readlink", "", []uintptr{text("/proc/self/exe"), b, 500}}, {"execve", "", []uintptr{text("/bin/true")}},
		{"memfd_create", "", []uintptr{text("x")}}, {"mount", "", []uintptr{text("/"), text("/")}}, {"unlink", "", []uintptr{text("/nowhere")}},
		{"ptrace", "", []uintptr{unix.PTRACE_ATTACH, parent}}, {"process_vm_readv", "", []uintptr{parent}}, {"pidfd_open", "", []uintptr{parent}},
	}
	for _, name := range []string{"openat", "openat2", "newfstatat", "statx", "faccessat", "faccessat2", "readlinkat", "execveat", "utimensat", "name_to_handle_at", "unlinkat", "mkdirat", "open_tree"} {
		all = append(all, attempt{name, "", []uintptr{here, passwd, b, 24}})
	}
	for _, name := range plainAttempts() {
		all = append(all, attempt{name: name})
	}
	return all
}

// plainAttempts are tried with arguments of zero.
func plainAttempts() []string {
	return []string{
		"connect", "bind", "listen", "accept4", "sendto", "sendmsg", "recvmsg", "fork", "vfork", "clone3",
		"process_vm_writev", "process_madvise", "process_mrelease", "kcmp", "pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
		"sched_setattr", "sched_setparam", "getpriority", "migrate_pages", "move_pages", "setpgid", "setsid", "setns", "unshare", "setrlimit",
		"io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "bpf", "userfaultfd", "perf_event_open", "keyctl", "add_key", "request_key",
		"umount2", "pivot_root", "move_mount", "fsopen", "fsmount", "mount_setattr", "statmount", "listmount", "chroot", "chdir", "getcwd",
		"getxattr", "setxattr", "setxattrat", "getxattrat", "removexattrat", "truncate", "ftruncate", "fallocate", "open_by_handle_at", "inotify_init1", "fanotify_init",
		"shmget", "shmat", "shmctl", "msgget", "msgctl", "semget", "semctl", "mq_open", "mq_unlink", "memfd_secret", "dup", "dup3", "pipe2",
		"setuid", "setgid", "capset", "personality", "modify_ldt", "iopl", "ioperm", "reboot", "init_module", "finit_module", "kexec_load", "syslog",
		"clock_settime", "swapon", "swapoff", "quotactl", "acct", "sync", "timer_create", "setitimer", "lsm_get_self_attr", "landlock_create_ruleset", "seccomp",
	}
}
