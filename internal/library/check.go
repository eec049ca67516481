package library

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
)

// Limits of what a caller may pass, in bytes.
const (
	MaxQuery = 20_000 // of a query or question; a longer one is a document
	MaxURL   = 2048
)

// CheckQuery returns an *evidence.Problem for a query without visible text, one
// that is too long, and one that is not UTF-8. name says what it is, such as
// "question".
func CheckQuery(name, query string) error {
	switch {
	case blank(query):
		return evidence.BadInput("the "+name+" is empty", "ask something, such as \"How does Go schedule goroutines?\"")
	case len(query) > MaxQuery:
		return evidence.BadInput(fmt.Sprintf("the %s has %d bytes", name, len(query)),
			fmt.Sprintf("keep it under %d; give long material to remember and ask about it", MaxQuery))
	case !utf8.ValidString(query):
		return evidence.BadInput("the "+name+" is not valid UTF-8", "send it as UTF-8 text")
	}
	return nil
}

// blank reports whether a reader sees nothing of s.
func blank(s string) bool { return strings.TrimSpace(extract.Visible(s)) == "" }

// CheckURL returns an *evidence.Problem for an address that is too long.
func CheckURL(url string) error {
	if len(url) > MaxURL {
		return evidence.BadInput(fmt.Sprintf("a URL of %d bytes is too long", len(url)), fmt.Sprintf("keep it under %d", MaxURL))
	}
	return nil
}

// ParseTime reads a moment in RFC 3339, or a date, which stands for its first
// moment in zone, or its last one where end is set. name says whose value it is,
// such as `argument "since"`. Empty is the zero time.
func ParseTime(name, s string, end bool, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, zone)
	if err != nil {
		return time.Time{}, evidence.BadInput(fmt.Sprintf("%s is %s", name, quoted(s)), "give a date such as 2026-01-31 or 2026-01-31T15:04:05Z")
	}
	if end {
		t = t.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	return t, nil
}

// quoted shows a caller's value, without what a reader cannot see and not too
// much of it.
func quoted(s string) string {
	return fmt.Sprintf("%q", shortened(extract.Visible(s), 60))
}
