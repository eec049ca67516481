package main

import (
	"context"
	"sync"
)

// interrupts decides what Ctrl-C ends: the turn of a chat while there is one, the line
// that is being typed, else the program. Its methods are safe for concurrent use.
type interrupts struct {
	mu     sync.Mutex
	turn   context.CancelFunc
	prompt func()
}

// atPrompt calls discarded at each Ctrl-C that comes as a signal, until done is called.
// A line editor reads Ctrl-C as a key, but only a moment after it has shown its prompt.
func (i *interrupts) atPrompt(discarded func()) (done func()) {
	i.set(discarded)
	return func() { i.set(nil) }
}

func (i *interrupts) set(prompt func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.prompt = prompt
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

// handle ends the turn or the line, and reports whether there was one.
func (i *interrupts) handle() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.prompt != nil {
		i.prompt()
		return true
	}
	if i.turn == nil {
		return false
	}
	i.turn()
	i.turn = nil // a second Ctrl-C ends the program
	return true
}
