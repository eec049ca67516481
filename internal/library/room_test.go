package library_test

import (
	"context"
	"errors"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// fullMemory has no room until the cache was given up.
type fullMemory struct {
	memory.Memory

	cache *fakeCache
	tries int
}

func (m *fullMemory) full() error {
	if m.tries++; m.cache.givenUp == 0 {
		return &evidence.Problem{What: "the disk is full", Cause: errors.Join(contract.ErrFull)}
	}
	return nil
}

func (m *fullMemory) Put(ctx context.Context, d evidence.Document, c evidence.Chunks) (evidence.Receipt, error) {
	if err := m.full(); err != nil {
		return evidence.Receipt{}, err
	}
	return m.Memory.Put(ctx, d, c)
}

func (m *fullMemory) Append(ctx context.Context, id string, said ...evidence.Turn) error {
	if err := m.full(); err != nil {
		return err
	}
	return m.Memory.Append(ctx, id, said...)
}

// On a full disk the cache is given up first, once, and the write is done again.
func TestTheCacheMakesRoom(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*library.Library) error{
		"a document": func(l *library.Library) error { _, err := l.Keep(t.Context(), doc, ""); return err },
		"a turn": func(l *library.Library) error {
			return l.Turns().Append(t.Context(), "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "Where?"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache := &fakeCache{}
			var m *fullMemory
			l, _ := open(t, func(d *library.Deps) {
				m = &fullMemory{Memory: d.Memory, cache: cache}
				d.Memory, d.Cache = m, cache
			})
			if err := write(l); err != nil || cache.givenUp != 1 || m.tries != 2 {
				t.Errorf("%v after %d tries and %d times that the cache was given up", err, m.tries, cache.givenUp)
			}
			other := &fakeCache{givenUp: 1} // it was given up before: there is nothing left of it
			l, _ = open(t, func(d *library.Deps) {
				m = &fullMemory{Memory: d.Memory, cache: &fakeCache{}}
				d.Memory, d.Cache = m, other
			})
			if err := write(l); !errors.Is(err, contract.ErrFull) || m.tries != 1 {
				t.Errorf("%v after %d tries, want the error of the one", err, m.tries)
			}
		})
	}
}
