package isolate

import (
	"encoding/binary"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const self = 4711

// judge returns the filter's answer to a system call.
func judge(t *testing.T, program []bpf.Instruction, id arch.AuditArch, number int, args ...uint64) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	// The machine reads packets, whose byte order is the network's, where the kernel
	// reads its own.
	data := make([]byte, dataArgs+6*8)
	binary.BigEndian.PutUint32(data[dataNumber:], uint32(number))
	binary.BigEndian.PutUint32(data[dataArch:], uint32(id))
	for i, arg := range args {
		binary.BigEndian.PutUint32(data[dataArgs+8*i:], uint32(arg))
		binary.BigEndian.PutUint32(data[dataArgs+8*i+4:], uint32(arg>>32))
	}
	answer, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(answer)
}

var architectures = []string{"amd64", "arm64"}

func TestFilterJudgesArguments(t *testing.T) {
	t.Parallel()
	const einval, high = unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL), 1 << 32
	for _, goarch := range architectures {
		info, err := architecture(goarch)
		if err != nil {
			t.Fatal(err)
		}
		program := filter(info, allowedCalls(self))
		for _, c := range []struct {
			name string
			args []uint64
			want uint32
		}{
			{"read", []uint64{0, 1, 2}, answerAllow},
			{"kill", []uint64{self, 9}, answerAllow},
			{"kill", []uint64{1, 9}, answerRefused},
			{"kill", []uint64{0, 9}, answerRefused},
			{"kill", []uint64{^uint64(0), 9}, answerRefused},
			{"kill", []uint64{high | self, 9}, answerRefused},
			{"tgkill", []uint64{self, 5, 23}, answerAllow},
			{"tgkill", []uint64{1, 1, 9}, answerRefused},
			{"fcntl", []uint64{1, unix.F_GETFL}, answerAllow},
			{"fcntl", []uint64{1, unix.F_GETFD}, answerAllow},
			{"fcntl", []uint64{1, unix.F_SETFL, unix.O_ASYNC}, answerRefused},
			{"fcntl", []uint64{1, unix.F_SETOWN, 1}, answerRefused},
			{"fcntl", []uint64{1, 10 /* F_SETSIG */, 9}, answerRefused},
			{"fcntl", []uint64{1, unix.F_SETOWN_EX, 1}, answerRefused},
			{"mmap", []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_ANONYMOUS | unix.MAP_PRIVATE}, answerAllow},
			{"mmap", []uint64{0, 4096, unix.PROT_EXEC, unix.MAP_ANONYMOUS | unix.MAP_PRIVATE}, answerRefused},
			{"mmap", []uint64{0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, 0}, answerRefused},
			{"mprotect", []uint64{0, 4096, unix.PROT_READ}, answerAllow},
			{"mprotect", []uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, answerRefused},
			{"clone", []uint64{goThread}, answerAllow},
			{"clone", []uint64{goThread | unix.CLONE_SETTLS}, answerAllow},
			{"clone", []uint64{uint64(unix.SIGCHLD)}, answerRefused},
			{"clone", []uint64{goThread | unix.CLONE_NEWNET}, answerRefused},
			{"clone", []uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, answerRefused},
			{"clone3", nil, answerUnknown},
			{"prctl", []uint64{unix.PR_SET_PDEATHSIG, 9}, einval},
			{"sched_getaffinity", []uint64{0, 128}, answerAllow},
			{"sched_getaffinity", []uint64{1, 128}, answerRefused},
		} {
			if got := judge(t, program, info.ID, info.SyscallNames[c.name], c.args...); got != c.want {
				t.Errorf("%s: %s(%x) = %#x, want %#x", goarch, c.name, c.args, got, c.want)
			}
		}
	}
}

// An argument that equals the number of a call must not be taken for that call.
func TestFilterTakesNoArgumentForANumber(t *testing.T) {
	t.Parallel()
	for _, goarch := range architectures {
		info, err := architecture(goarch)
		if err != nil {
			t.Fatal(err)
		}
		program := filter(info, allowedCalls(self))
		for number := range info.SyscallNumbers {
			n := uint64(number)
			for _, name := range []string{"kill", "tgkill", "clone"} {
				if got := judge(t, program, info.ID, info.SyscallNames[name], n, n, 0, unix.MAP_ANONYMOUS); got != answerRefused {
					t.Fatalf("%s: %s(%#x) = %#x, want EPERM", goarch, name, n, got)
				}
			}
		}
	}
}

func TestFilterRefusesWhatIsNotListed(t *testing.T) {
	t.Parallel()
	for _, goarch := range architectures {
		info, err := architecture(goarch)
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, c := range allowedCalls(self) {
			if listed[c.name] {
				t.Errorf("%s is listed twice", c.name)
			}
			listed[c.name] = true
		}
		program := filter(info, allowedCalls(self))
		newest, refused := 0, 0
		for number, name := range info.SyscallNumbers {
			newest = max(newest, number)
			if got := judge(t, program, info.ID, number); !listed[name] && got != answerRefused {
				t.Errorf("%s: %s = %#x, want EPERM", goarch, name, got)
			} else if !listed[name] {
				refused++
			}
		}
		if refused < 250 {
			t.Errorf("%s: %d calls are refused, want nearly all of %d", goarch, refused, len(info.SyscallNumbers))
		}
		for _, number := range []int{newest + 1, 10_000, 0x40000000 /* x32's read */, 0x40000000 + 2, 1<<31 - 1} {
			if got := judge(t, program, info.ID, number); got != answerUnknown {
				t.Errorf("%s: number %d = %#x, want ENOSYS", goarch, number, got)
			}
		}
		for _, other := range []arch.AuditArch{arch.I386.ID, arch.ARM.ID, 0} {
			if got := judge(t, program, other, 1); got != answerKill {
				t.Errorf("%s: a call of architecture %#x = %#x, want the process killed", goarch, other, got)
			}
		}
	}
	if _, err := architecture("riscv64"); err == nil {
		t.Error("architecture(riscv64) has a list that nobody has tried")
	}
}
