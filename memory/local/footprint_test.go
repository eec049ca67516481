package local

import (
	"fmt"
	"runtime/debug"
	"testing"
)

// TestCollectorSettingComesBack: the program's own setting is in force when there is no
// large index, whenever it was made.
func TestCollectorSettingComesBack(t *testing.T) {
	t.Setenv("GOGC", "")
	was := debug.SetGCPercent(30)
	defer debug.SetGCPercent(was)
	percent := func() int { now := debug.SetGCPercent(100); debug.SetGCPercent(now); return now }
	for _, c := range []struct{ before, within, want, after int }{
		{before: 30, want: 5, after: 30},
		{before: 400, within: 30, want: 5, after: 30}, // a server sets its own after the first answer
		{before: 3, want: 3, after: 3},
		{before: -1, want: 5, after: -1},
	} {
		name := fmt.Sprintf("%+v", c)
		debug.SetGCPercent(c.before)
		addIndexed(largeIndex) // two tenants
		addIndexed(largeIndex)
		if c.within != 0 {
			debug.SetGCPercent(c.within)
		}
		addIndexed(8 * largeIndex)
		addIndexed(-9 * largeIndex)
		if got := percent(); got != c.want {
			t.Errorf("%s: %d with a large index", name, got)
		}
		addIndexed(-largeIndex)
		if got := percent(); got != c.after {
			t.Errorf("%s: %d without", name, got)
		}
	}
}
