package evidence

import (
	"cmp"
	"time"
)

// Origin says whether documents came from the network or from the cache, and what may
// be missing from them.
type Origin struct {
	Cached bool          // all of it came from the cache: no request was sent
	Stale  bool          // some of it is past its lifetime, because the host could not be reached
	Age    time.Duration // of the oldest cached part

	Warning string // of what may be missing, for the user
}

// Join is the origin of two results together.
func (o Origin) Join(other Origin) Origin {
	return Origin{Cached: o.Cached && other.Cached, Stale: o.Stale || other.Stale, Age: max(o.Age, other.Age), Warning: cmp.Or(o.Warning, other.Warning)}
}
