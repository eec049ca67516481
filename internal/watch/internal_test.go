package watch

import (
	"errors"
	"testing"
)

func TestEnough(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		free  int64
		known bool
		full  bool
	}{{0, false, false}, {0, true, true}, {LeastFree - 1, true, true}, {LeastFree, true, false}} {
		if err := enough(c.free, c.known); errors.Is(err, errDiskFull) != c.full {
			t.Errorf("enough(%d, %v) = %v, want full: %v", c.free, c.known, err, c.full)
		}
	}
}
