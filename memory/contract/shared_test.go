package contract

import (
	"errors"
	"io"
	"testing"
)

type closes func() error

func (c closes) Close() error { return c() }

// What is shared is opened once for all who use it at once, and closed by the last of them.
func TestShared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shared       *Shared
		opens, first int // so many are opened for two users, and closed when one of them is gone
	}{"of a process": {&Shared{}, 1, 0}, "of nobody": {nil, 2, 1}} {
		opened, closed := 0, 0
		take := func(key string) func() error {
			_, release, err := c.shared.Take(key, func() (io.Closer, error) {
				opened++
				return closes(func() error { closed++; return nil }), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return release
		}
		one, two := take("a"), take("a")
		if opened != c.opens {
			t.Errorf("%s: %d were opened, want %d", name, opened, c.opens)
		}
		if err := one(); err != nil || closed != c.first {
			t.Errorf("%s: %d were closed, want %d, %v", name, closed, c.first, err)
		}
		if err := two(); err != nil || closed != c.opens {
			t.Errorf("%s: %d were closed, want %d, %v", name, closed, c.opens, err)
		}
		if err := take("a")(); err != nil || opened != c.opens+1 || closed != opened {
			t.Errorf("%s: after the last, %d were opened and %d closed, %v", name, opened, closed, err)
		}
		broken := errors.New("broken")
		if _, _, err := c.shared.Take("b", func() (io.Closer, error) { return nil, broken }); !errors.Is(err, broken) {
			t.Errorf("%s: Take = %v", name, err)
		}
	}
}
