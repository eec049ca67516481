package local

import (
	"os"
	"runtime/debug"
	"sync"
)

// The collector of garbage lets the heap grow to twice what is in use before it runs. What
// an index holds stays in use for hours, so with a large one it runs earlier: at 5/4, with a
// very large one at 23/20. The setting is one of the whole process; GOGC, if it is set, is left
// as it is, and so is what the program sets itself where that is less.
const largeIndex = 64 << 20 // bytes of vectors

// percentFor is the percentage for so many bytes of vectors; 0: the program's own.
func percentFor(bytes int64) int {
	switch {
	case bytes >= 512<<20:
		return 15
	case bytes >= largeIndex:
		return 25
	}
	return 0
}

// indexed is how many bytes of vectors all indexes of this process hold.
var indexed struct {
	sync.Mutex
	bytes   int64
	percent int // as of percentFor
	own     int // the program's own setting, while percent is not 0
}

func addIndexed(bytes int64) {
	indexed.Lock()
	defer indexed.Unlock()
	indexed.bytes += bytes
	percent := percentFor(indexed.bytes)
	if percent == indexed.percent || os.Getenv("GOGC") != "" {
		return
	}
	set := debug.SetGCPercent(100) // the only way to read it
	if set != indexed.percent {    // the program has set it, before or since
		indexed.own = set
	}
	indexed.percent = percent
	if percent == 0 || indexed.own >= 0 && indexed.own < percent {
		percent = indexed.own
	}
	debug.SetGCPercent(percent)
}

// weigh tells the collector how much this index holds now; closed is nothing.
func (ix *index) weigh(closed bool) {
	now := int64(0)
	for _, h := range ix.all() {
		if !closed && h.isReady() && h.err == nil {
			n, _ := h.space.size()
			now += int64(4 * n * h.row.model.Dims)
		}
	}
	addIndexed(now - ix.held.Swap(now))
}

// expect counts the vectors of a space that is being loaded, until weigh counts them.
func (ix *index) expect(bytes int64) { ix.held.Add(bytes); addIndexed(bytes) }
