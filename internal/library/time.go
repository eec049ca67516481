package library

import (
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// ParseTime reads a moment in RFC 3339, or a date. A date is a day in zone: its
// first moment, or its last one if end is set. name says whose value it is, such
// as `argument "since"`. Empty is the zero time.
func ParseTime(name, s string, end bool, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, evidence.BadInput(fmt.Sprintf("%s is %s, which is no date", name, quoted(s)), "give a date such as 2026-01-31 or 2026-01-31T15:04:05Z")
	}
	if end {
		return startOfDay(day.AddDate(0, 0, 1), zone).Add(-time.Nanosecond), nil
	}
	return startOfDay(day, zone), nil
}

// startOfDay returns the first moment of a date in zone. A clock that is set
// forward at midnight has no 00:00, and one that is set back to it has two.
func startOfDay(date time.Time, zone *time.Location) time.Time {
	midnight := func(offsetAt time.Time) time.Time {
		_, offset := offsetAt.In(zone).Zone()
		return date.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	noon := time.Date(date.Year(), date.Month(), date.Day(), 12, 0, 0, 0, zone)
	start := midnight(noon)
	change, _ := noon.ZoneBounds()
	if change.IsZero() {
		return start
	}
	if earlier := midnight(change.Add(-time.Nanosecond)); earlier.Before(change) {
		return earlier // the clock was set after the day had begun
	}
	if start.Before(change) {
		return change
	}
	return start
}
