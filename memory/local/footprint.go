package local

import (
	"os"
	"runtime/debug"
	"sync"
)

// The collector of garbage lets the heap grow to twice what is in use before it runs. What
// an index holds stays in use for hours, so with a large one it runs earlier: at 5/4. The
// setting is one of the whole process; GOGC, if it is set, is left as it is.
const (
	largeIndex   = 64 << 20 // bytes of vectors
	usualPercent = 100
	largePercent = 25
)

// indexed is how many bytes of vectors all indexes of this process hold.
var indexed struct {
	sync.Mutex
	bytes int64
	large bool
}

func addIndexed(bytes int64) {
	indexed.Lock()
	defer indexed.Unlock()
	indexed.bytes += bytes
	if large := indexed.bytes >= largeIndex; large != indexed.large && os.Getenv("GOGC") == "" {
		indexed.large = large
		debug.SetGCPercent(map[bool]int{false: usualPercent, true: largePercent}[large])
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
