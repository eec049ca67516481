package pace

import (
	"context"
	"sync"
)

// Meter measures models in the background, each once at a time, and keeps what it
// finds in a Book. It is safe for concurrent use.
type Meter struct {
	book       *Book
	background func(func(context.Context)) // runs work; its context ends when the program does
	failed     func(error)                 // of storing

	mu      sync.Mutex
	running map[string]chan struct{} // by model; closed when its measurement has ended
}

// NewMeter returns a meter; with a nil book it measures nothing.
func NewMeter(book *Book, background func(func(context.Context)), failed func(error)) *Meter {
	return &Meter{book: book, background: background, failed: failed, running: map[string]chan struct{}{}}
}

// Start begins to measure a model, unless its speed is known or being measured.
// measure reports false if it learned nothing.
func (m *Meter) Start(model string, measure func(context.Context) (Speed, bool)) {
	if _, known := m.book.Speed(model); known || m.book == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, begun := m.running[model]; begun {
		return
	}
	done := make(chan struct{})
	m.running[model] = done
	m.background(func(ctx context.Context) {
		defer func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.running, model)
			close(done)
		}()
		if s, ok := measure(ctx); ok {
			m.stored(m.book.Note(model, s))
		}
	})
}

// Speed returns the speed of a model. It waits for a measurement that is under way; if
// ctx ends first, that is the error. Otherwise it is ErrUnknown.
func (m *Meter) Speed(ctx context.Context, model string) (Speed, error) {
	m.mu.Lock()
	done := m.running[model]
	m.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return Speed{}, ctx.Err()
		}
	}
	s, ok := m.book.Speed(model)
	if !ok {
		return s, ErrUnknown
	}
	return s, nil
}

// Adjust stores what an answer showed; see Book.Adjust.
func (m *Meter) Adjust(model string, s Speed) { m.stored(m.book.Adjust(model, s)) }

// Tell is Book.Tell.
func (m *Meter) Tell(model string) bool { return m.book.Tell(model) }

func (m *Meter) stored(err error) {
	if err != nil {
		m.failed(err)
	}
}
