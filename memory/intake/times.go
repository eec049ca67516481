package intake

import "time"

// Years that every backend has whole: PostgreSQL's times begin in 4713 BC, and both count
// microseconds.
const (
	FirstYear = -4000
	LastYear  = 290_000
)

// Bounded is t, or the time of those years that is nearest to it: to compare with what is
// stored.
func Bounded(t time.Time) time.Time {
	switch {
	case t.Year() < FirstYear:
		return time.Date(FirstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > LastYear:
		return time.Date(LastYear, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return t
}
