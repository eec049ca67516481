package isolate

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultDeadline  = 15 * time.Second
	DefaultMaxOutput = 8 << 20
	DefaultMaxMemory = 512 << 20
	DefaultParallel  = 2
	DefaultMaxTasks  = 20 // of which a child that a page has taken over can answer those that follow
	DefaultMaxBytes  = 256 << 20
)

// pipeDelay is how long to wait for the end of a pipe after the child's: long
// enough to drain it, short enough that a grandchild that holds it open does not
// delay the answer.
const pipeDelay = 250 * time.Millisecond

// extraDelay is how long a task waits for a free child before an extra one is
// started for it: longer than a usual task takes.
const extraDelay = 250 * time.Millisecond

// heapGrowth makes the garbage collector of a child run seldom: its garbage is that of
// one page, and the memory limit holds anyway. The child gets it in its environment,
// so that it holds while the packages of the program are initialised.
const heapGrowth = "400" // percent

// Options of a Pool. The zero value is usable.
type Options struct {
	Exe       string                   // the binary to start; default: this program's own image
	Args      []string                 // arguments before Command
	Env       []string                 // NAME=value, all that a child gets besides its limits
	Deadline  time.Duration            // of one task, without the start of its process; default 15 s
	Deadlines map[string]time.Duration // of tasks that get less than Deadline, by name
	MaxOutput int64                    // bytes of one answer; a child that writes more is killed; default 8 MiB
	MaxMemory int64                    // bytes of heap of one child; default 512 MiB
	Parallel  int                      // children at once; further calls wait; default 2
	Extra     int                      // further children, each started for one task that has waited for extraDelay; default 0
	MaxTasks  int                      // tasks after which a child is replaced; default 20
	MaxBytes  int64                    // bytes of input and output together after which a child is replaced; default 256 MiB
	NoSandbox bool                     // leave the child its files, sockets and programs
	Logger    *slog.Logger             // gets the stderr of children that failed; default: none

	noNamespaces *atomic.Bool // the kernel has refused them
}

// PoolOptions is Options under its former name, for programs outside of this repository.
type PoolOptions = Options

// complete sets the defaults and returns argv[0] of a child.
func (o *Options) complete() (name string, err error) {
	name = o.Exe
	if o.Exe == "" {
		name = os.Args[0] // programs that look at their own name, as testscript's do, find the same one
		if o.Exe, err = ownImage(); err != nil {
			return "", fmt.Errorf("finding our own binary: %w", err)
		}
	}
	setDefault(&o.Deadline, DefaultDeadline)
	setDefault(&o.MaxOutput, DefaultMaxOutput)
	setDefault(&o.MaxMemory, DefaultMaxMemory)
	setDefault(&o.Parallel, DefaultParallel)
	setDefault(&o.MaxTasks, DefaultMaxTasks)
	setDefault(&o.MaxBytes, DefaultMaxBytes)
	o.noNamespaces = new(atomic.Bool)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return name, nil
}

// deadline is the time that a task may take.
func (o *Options) deadline(task string) time.Duration {
	if d, ok := o.Deadlines[task]; ok && d < o.Deadline {
		return d
	}
	return o.Deadline
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// command is a child that has not been started, with or without namespaces of its own.
func (o *Options) command(name string, namespaces bool) *exec.Cmd {
	cmd := exec.Command(o.Exe, append(append([]string{}, o.Args...), Command)...) //nolint:gosec,noctx // our own image; worker.cut kills it and its group
	cmd.Args[0] = name
	cmd.Env = o.environment()
	cmd.WaitDelay = pipeDelay
	ownGroup(cmd)
	dieWithParent(cmd)
	if namespaces {
		ownNamespaces(cmd)
	}
	return cmd
}

// wantsNamespaces reports whether to start the next child in namespaces of its own.
func (o *Options) wantsNamespaces() bool {
	return !o.NoSandbox && !o.noNamespaces.Load() && canNamespace()
}

func (o *Options) environment() []string {
	sandbox := "on"
	if o.NoSandbox {
		sandbox = "off"
	}
	return append(append([]string{}, o.Env...),
		envMarker+"=1",
		envMemory+"="+strconv.FormatInt(o.MaxMemory, 10),
		envSandbox+"="+sandbox,
		"GOGC="+heapGrowth,
		"GOMEMLIMIT="+strconv.FormatInt(o.MaxMemory, 10),
		"GOTRACEBACK=single")
}
