package local

import (
	"cmp"
	"os"
	"runtime/debug"
	"sync"
)

// The collector of garbage lets the heap grow to twice what is in use before it runs. What
// an index holds stays in use for hours, so with a large one it runs earlier: at 5/4, with a
// very large one at 23/20. The setting is one of the whole process; GOGC, if it is set, is left as it is.
const usualPercent = 100

// percentFor is the percentage for so many bytes of vectors.
func percentFor(bytes int64) int {
	switch {
	case bytes >= 512<<20:
		return 15
	case bytes >= 64<<20:
		return 25
	}
	return usualPercent
}

// indexed is how many bytes of vectors all indexes of this process hold.
var indexed struct {
	sync.Mutex
	bytes   int64
	percent int
}

func addIndexed(bytes int64) {
	indexed.Lock()
	defer indexed.Unlock()
	indexed.bytes += bytes
	if percent := percentFor(indexed.bytes); percent != cmp.Or(indexed.percent, usualPercent) && os.Getenv("GOGC") == "" {
		indexed.percent = percent
		debug.SetGCPercent(percent)
	}
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
