package library_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/research-mcp/research-mcp/internal/library"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC) // still February in America
	for _, c := range []struct {
		name, zone, in string
		end            bool
		want           string
	}{
		{"first moment", "America/Los_Angeles", "2026-01-31", false, "2026-01-31T00:00:00-08:00"},
		{"last moment", "America/Los_Angeles", "2026-01-31", true, "2026-01-31T23:59:59.999999999-08:00"},
		{"a moment", "America/Los_Angeles", "2026-01-31T15:04:05Z", true, "2026-01-31T15:04:05Z"},
		{"clock set forward in the day", "Europe/Berlin", "2026-03-29", false, "2026-03-29T00:00:00+01:00"},
		{"clock set forward in the day, end", "Europe/Berlin", "2026-03-29", true, "2026-03-29T23:59:59.999999999+02:00"},
		{"clock set back in the day", "Europe/Berlin", "2026-10-25", false, "2026-10-25T00:00:00+02:00"},
		{"no midnight", "America/Sao_Paulo", "2018-11-04", false, "2018-11-04T01:00:00-02:00"},
		{"no midnight at the end", "America/Sao_Paulo", "2018-11-03", true, "2018-11-03T23:59:59.999999999-03:00"},
		{"two midnights", "America/Havana", "2026-11-01", false, "2026-11-01T00:00:00-04:00"},
		{"two midnights at the end", "America/Havana", "2026-10-31", true, "2026-10-31T23:59:59.999999999-04:00"},
		{"set back at midnight", "America/Sao_Paulo", "2018-02-18", false, "2018-02-18T00:00:00-03:00"},
		{"no changes", "UTC", "2026-01-31", false, "2026-01-31T00:00:00Z"},
		{"a month", "UTC", "2026-02", false, "2026-02-01T00:00:00Z"},
		{"the end of a month", "UTC", "2026-02", true, "2026-02-28T23:59:59.999999999Z"},
		{"a year", "Europe/Berlin", "2025", false, "2025-01-01T00:00:00+01:00"},
		{"the end of a year", "UTC", "2025", true, "2025-12-31T23:59:59.999999999Z"},
		{"slashes", "UTC", "2026/01/31", false, "2026-01-31T00:00:00Z"},
		{"today", "America/Los_Angeles", "today", false, "2026-02-28T00:00:00-08:00"},
		{"yesterday", "UTC", "Yesterday", true, "2026-02-28T23:59:59.999999999Z"},
		{"days ago", "UTC", "7d", false, "2026-02-22T00:00:00Z"},
		{"weeks ago, with spaces", "UTC", " 2w ", false, "2026-02-15T00:00:00Z"},
		{"nothing", "UTC", "", true, "0001-01-01T00:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := library.ParseTime("--until", c.in, c.end, now, zone)
		if err != nil || got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s: ParseTime(%q, %v) in %s = %v, %v, want %s", c.name, c.in, c.end, c.zone, got, err, c.want)
		}
	}
	for _, bad := range []string{"tomorrow", "2026-02-31", "31.1.2026", "d", "-3d", "99999999999d", "3m", "20260", "2026-13"} {
		if _, err := library.ParseTime("--until", bad, true, now, time.UTC); err == nil || !strings.Contains(err.Error(), `--until is "`+bad+`"`) {
			t.Errorf("ParseTime(%q) = %v", bad, err)
		}
	}
}
