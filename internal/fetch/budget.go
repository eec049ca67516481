package fetch

import (
	"sync"
	"time"
)

// Budget is the time that one task may spend on the wire. Waiting for a host's
// slot is not charged to it, so a busy host never makes a source look slow.
// Share it between requests that follow one another.
type Budget struct {
	mu   sync.Mutex
	left time.Duration
}

// NewBudget makes a Budget of d; DefaultTimeout when d is not positive.
func NewBudget(d time.Duration) *Budget {
	if d <= 0 {
		d = DefaultTimeout
	}
	return &Budget{left: d}
}

// Left is what has not been spent.
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
