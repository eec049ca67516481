package isolate

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in the kernel's struct seccomp_data. Both architectures are little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16 // six of eight bytes
)

// What the filter answers.
const (
	answerAllow   = unix.SECCOMP_RET_ALLOW
	answerRefused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	answerUnknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	answerKill    = unix.SECCOMP_RET_KILL_PROCESS
)

// call is a system call that is answered by something other than EPERM, if each of
// its conditions holds. A call is listed once.
type call struct {
	name       string
	conditions []condition
	answer     uint32 // default: answerAllow
}

// condition holds if the argument, of whose bits only those of mask count, has one of
// the values.
type condition struct {
	arg    uint32
	mask   uint64
	values []uint64
}

// filterCalls makes the kernel refuse each system call that is not on the list of
// allowed ones, in all threads.
func filterCalls() error {
	info, err := architecture(runtime.GOARCH)
	if err != nil {
		return err
	}
	raw, err := bpf.Assemble(filter(info, allowedCalls(uint64(os.Getpid())))) //nolint:gosec // positive
	if err != nil {
		return fmt.Errorf("assembling a filter: %w", err)
	}
	return install(raw)
}

// architecture returns the numbers of the system calls. The list of allowed calls is
// that of the Go runtime on the architectures named here.
func architecture(goarch string) (*arch.Info, error) {
	switch goarch {
	case "amd64":
		return arch.X86_64, nil
	case "arm64":
		return arch.AARCH64, nil
	}
	return nil, fmt.Errorf("no list of system calls for %s", goarch)
}

// filter is the program that answers a system call: EPERM if it is not among those
// allowed, ENOSYS if it is newer than those known here, so that callers fall back to
// an older one. A call of another architecture, such as a 32-bit one on amd64, whose
// numbers mean something else, kills the process.
func filter(info *arch.Info, allowed []call) []bpf.Instruction {
	newest := 0
	for number := range info.SyscallNumbers {
		newest = max(newest, number)
	}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: dataArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		bpf.RetConstant{Val: answerKill},
		bpf.LoadAbsolute{Off: dataNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: uint32(newest), SkipTrue: 1}, //nolint:gosec // below 2^16
		bpf.RetConstant{Val: answerUnknown},
	}
	for _, c := range allowed {
		if number, has := info.SyscallNames[c.name]; has {
			program = append(program, c.instructions(uint32(number))...) //nolint:gosec // below 2^16
		}
	}
	return append(program, bpf.RetConstant{Val: answerRefused})
}

// instructions answer the call of this number, whatever its arguments, and are
// skipped by all others: the number is still in the accumulator after them.
func (c call) instructions(number uint32) []bpf.Instruction {
	var body []bpf.Instruction
	for _, cond := range c.conditions {
		body = append(body, cond.instructions()...)
	}
	answer := c.answer
	if answer == 0 {
		answer = answerAllow
	}
	body = append(body, bpf.RetConstant{Val: answer})
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(body))}}, body...) //nolint:gosec // a few dozen
}

// instructions refuse the call unless the condition holds.
func (c condition) instructions() []bpf.Instruction {
	load := func(half uint32, mask uint64) []bpf.Instruction {
		return []bpf.Instruction{
			bpf.LoadAbsolute{Off: dataArgs + 8*c.arg + 4*half, Size: 4},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(mask)}, //nolint:gosec // the half of it
		}
	}
	// Values are below 2^32, so that the upper half must be 0.
	out := append(load(1, c.mask>>32),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: answerRefused})
	out = append(out, load(0, c.mask&0xffffffff)...)
	for i, v := range c.values {
		rest := len(c.values) - 1 - i
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(v), SkipTrue: uint8(rest + 1)}) //nolint:gosec // few values, of flags and numbers
	}
	return append(out, bpf.RetConstant{Val: answerRefused})
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
