package transfer

import (
	"encoding/json"
	"slices"
	"testing"
)

// A repair of many damaged documents has a bounded report, which says that it is.
func TestImportBoundsItsWarnings(t *testing.T) {
	t.Parallel()
	im := &importer[int]{}
	for range 3 {
		im.warn(slices.Repeat([]string{"note"}, maxNamed-50))
	}
	if n := len(im.moved.Warnings); n != maxNamed+1 || im.moved.Warnings[n-1] == "note" {
		t.Errorf("%d warnings, the last %q", n, im.moved.Warnings[n-1])
	}
}

// A line that cannot be decoded is described in our words: the place, the value, and what
// belongs there.
func TestNotALine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"document":{"retrieved_at":"yesterday"}}`:         `"yesterday" is not a time; write it like 2006-01-02T15:04:05Z`,
		`{"session":{"created_at":"2026-13-01T00:00:00Z"}}`: `"2026-13-01T00:00:00Z" is not a time; write it like 2006-01-02T15:04:05Z`,
		`{"document":{"retrieved_at":12}}`:                  `a time in it is not a text; write it like "2006-01-02T15:04:05Z"`,
		`{"document":{"id":"d_x","tags":["a",1]}}`:          `document.tags has a JSON number where a text belongs`,
		`{"document":{"id":"d_x","tags":"a"}}`:              `document.tags has a JSON string where a list belongs`,
		`{"document":{"id":"d_x","chunks":[[1e400,2]]}}`:    `document.chunks has a JSON number 1e400 where a whole number belongs`,
		`{"document":{"id":7}}`:                             `document.id has a JSON number where a text belongs`,
		`{"document":[]}`:                                   `document has a JSON array where an object belongs`,
		`{"document":`:                                      `it is not JSON: its end is missing`,
	} {
		var ln Line
		err := json.Unmarshal([]byte(line), &ln)
		if err == nil {
			t.Errorf("%s is decoded", line)
			continue
		}
		if got := notALine(err, len(line)); got.Error() != want {
			t.Errorf("notALine of %s = %q, want %q", line, got, want)
		}
	}
}
