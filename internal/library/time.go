package library

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// ParseTime reads a moment in RFC 3339, a day such as 2026-01-31, today, yesterday or 7d
// (seven days before now; w is weeks), a month such as 2026-01, or a year. A period is one
// in zone: its first moment, or its last one if end is set. name says whose value it is,
// such as `argument "since"`. Empty is the zero time.
func ParseTime(name, s string, end bool, now time.Time, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	from, years, months, days, ok := period(s, now.In(zone))
	if !ok {
		return time.Time{}, evidence.BadInput(fmt.Sprintf("%s is %s, which is no date", name, quoted(s)),
			fmt.Sprintf("give a date such as 2026-01-31, 2026-01, 7d (ago) or 2026-01-31T15:04:05Z; today is %s", now.In(zone).Format(time.DateOnly)))
	}
	if end {
		return startOfDay(from.AddDate(years, months, days), zone).Add(-time.Nanosecond), nil
	}
	return startOfDay(from, zone), nil
}

// period reads a period of days: the first of them, and how long it is.
func period(s string, now time.Time) (from time.Time, years, months, days int, ok bool) {
	for _, form := range []struct {
		layout              string
		years, months, days int
	}{{time.DateOnly, 0, 0, 1}, {"2006/01/02", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006/01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.Parse(form.layout, s); err == nil {
			return t, form.years, form.months, form.days, true
		}
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch strings.ToLower(s) {
	case "today":
		return today, 0, 0, 1, true
	case "yesterday":
		return today.AddDate(0, 0, -1), 0, 0, 1, true
	}
	unit := map[byte]int{'d': 1, 'D': 1, 'w': 7, 'W': 7}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || unit == 0 || n < 0 || n > mostAgo {
		return time.Time{}, 0, 0, 0, false
	}
	return today.AddDate(0, 0, -n*unit), 0, 0, 1, true
}

// mostAgo bounds a number of days or weeks: a century of days.
const mostAgo = 36525

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
