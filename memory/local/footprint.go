package local

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
)

// The collector of garbage lets the heap grow to twice what is in use before it runs. What
// an index holds stays in use for hours, so with a large one it runs earlier: at 21/20. The
// setting is one of the whole process; GOGC, if it is set, is left as it is, and so is what
// the program sets itself where that is less.
const largeIndex = 64 << 20 // bytes of vectors

// percentFor is the percentage for so many bytes of vectors; 0: the program's own.
func percentFor(bytes int64) int {
	if bytes >= largeIndex {
		return 5
	}
	return 0
}

// indexed is how many bytes of vectors all indexes of this process hold.
var indexed struct {
	sync.Mutex
	bytes int64
	set   int // what was set last; 0: nothing
	own   int // the program's own setting, while set is not 0
}

func addIndexed(bytes int64) {
	indexed.Lock()
	defer indexed.Unlock()
	indexed.bytes += bytes
	percent := percentFor(indexed.bytes)
	if bytes == 0 || percent == 0 && indexed.set == 0 || os.Getenv("GOGC") != "" {
		return
	}
	if now := debug.SetGCPercent(100); now != indexed.set { // the only way to read it
		indexed.own = now // the program has set it, before or since
	}
	indexed.set = percent
	if percent == 0 || indexed.own >= 0 && indexed.own < percent {
		percent = indexed.own
	}
	if indexed.set != 0 {
		indexed.set = percent
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

// settle returns the memory that loading a large index has used and no longer needs, and
// the pages that other connections have taken from those that loaded it.
func (ix *index) settle(ctx context.Context) {
	if ix.held.Load() < largeIndex {
		return
	}
	ix.follow <- struct{}{} // held for a bounded time
	_, err := ix.pin.ExecContext(ctx, "PRAGMA shrink_memory")
	<-ix.follow
	if err != nil {
		ix.warn(ctx, "emptying the page caches", err)
	}
	debug.FreeOSMemory()
}
