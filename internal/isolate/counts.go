package isolate

import (
	"errors"
	"sync/atomic"
)

// Counts are the children of a Pool now, and what happened since it was made.
type Counts struct {
	Idle, Busy int
	Started    uint64
	Timeouts   uint64 // tasks that took too long
	Crashes    uint64 // tasks whose child crashed or could not be started
	Output     uint64 // tasks whose child broke the protocol or answered too much
	Refused    uint64 // tasks that returned an error of their own
}

type counters struct{ started, timeouts, crashes, output, refused atomic.Uint64 }

// Counts returns the counts so far.
func (p *Pool) Counts() Counts {
	p.mu.Lock()
	idle := len(p.idle)
	p.mu.Unlock()
	c := &p.counters
	return Counts{Idle: idle, Busy: len(p.slots) + len(p.extra), Started: c.started.Load(),
		Timeouts: c.timeouts.Load(), Crashes: c.crashes.Load(), Output: c.output.Load(), Refused: c.refused.Load()}
}

// ended counts a task by its error.
func (c *counters) ended(err error) {
	var refused *TaskError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		c.refused.Add(1)
	case errors.Is(err, ErrTimeout):
		c.timeouts.Add(1)
	case errors.Is(err, ErrOutput):
		c.output.Add(1)
	case errors.Is(err, ErrCrashed):
		c.crashes.Add(1)
	}
}
