package fetch

import (
	"sync"
	"time"
)

// Budget is the time that one task may spend on the wire. Waiting for a host's
// slot is not charged, so a busy host never makes a source look slow. Share it
// between consecutive requests. It is safe for concurrent use.
type Budget struct {
	mu   sync.Mutex
	left time.Duration
}

// NewBudget returns a Budget of d, or of DefaultTimeout if d is not positive.
func NewBudget(d time.Duration) *Budget {
	if d <= 0 {
		d = DefaultTimeout
	}
	return &Budget{left: d}
}

// Left returns what is not spent.
func (b *Budget) Left() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

func (b *Budget) spend(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = max(b.left-d, 0)
}
