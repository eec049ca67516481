package main

import (
	"context"
	"sync"
)

// interrupts decides what Ctrl-C ends: the turn of a chat while there is one, else the
// program. Its methods are safe for concurrent use.
type interrupts struct {
	mu   sync.Mutex
	turn context.CancelFunc
}

// during returns a context that ends at the next Ctrl-C, until done is called.
func (i *interrupts) during(ctx context.Context) (turn context.Context, done func()) {
	turn, cancel := context.WithCancel(ctx)
	i.mu.Lock()
	i.turn = cancel
	i.mu.Unlock()
	return turn, func() {
		i.mu.Lock()
		i.turn = nil
		i.mu.Unlock()
		cancel()
	}
}

// endTurn ends the turn, and reports whether there was one.
func (i *interrupts) endTurn() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.turn == nil {
		return false
	}
	i.turn()
	i.turn = nil // a second Ctrl-C ends the program
	return true
}
