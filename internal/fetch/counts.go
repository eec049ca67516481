package fetch

import "sync/atomic"

// Counts are what a Network has done since it was made.
type Counts struct {
	Sent   uint64 // requests on the wire
	Failed uint64 // of those, without a usable response
	Hits   uint64 // look-ups in the cache that found a fresh response
	Misses uint64 // and those that did not
	Stale  uint64 // old responses that replaced those of hosts that failed
}

type counters struct{ sent, failed, hits, misses, stale atomic.Uint64 }

// Counts returns the counts so far.
func (n *Network) Counts() Counts {
	c := &n.counters
	return Counts{Sent: c.sent.Load(), Failed: c.failed.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Stale: c.stale.Load()}
}

// lookedUp counts a look-up in the cache.
func (n *Network) lookedUp(fresh bool) {
	if fresh {
		n.counters.hits.Add(1)
	} else {
		n.counters.misses.Add(1)
	}
}
