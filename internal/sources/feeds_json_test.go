package sources

import (
	"strings"
	"testing"
	"time"
)

// What is wrong in one entry costs only itself, or only the value.
func TestDamagedJSONFeeds(t *testing.T) {
	t.Parallel()
	const head = `{"version":"https://jsonfeed.org/version/1.1","title":"Canals","items":[`
	const good = `{"id":"1","title":"Lock","content_text":"It is deep."}`
	for name, c := range map[string]struct {
		body   string
		titles string
	}{
		"an entry that is a number":  {head + good + `,17,{"id":"2","title":"Weir"}]}`, "Lock Weir"},
		"an entry that is null":      {head + `null,` + good + `]}`, "Lock"},
		"tags that are a string":     {head + `{"id":"2","tags":"a","title":"Weir","content_text":"x"},` + good + `]}`, "Weir Lock"},
		"an author that is a string": {head + `{"id":"2","author":"Ann","title":"Weir","content_text":"x"}]}`, "Weir"},
		"a title that is a number":   {head + `{"id":"2","title":12,"content_text":"Twelve."},` + good + `]}`, " Lock"},
		"cut off in an entry":        {head + good + `,{"id":"2","title":"We`, "Lock"},
		"cut off behind an entry":    {head + good, "Lock"},
		"no JSON from a place on":    {head + good + `,{"id":oops},{"id":"3"}]}`, "Lock"},
		"a title of the feed":        {strings.Replace(head, `"Canals"`, `["Canals"]`, 1) + good + `]}`, "Lock"},
	} {
		f, err := parseFeed([]byte(c.body), "application/feed+json")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var titles []string
		for _, it := range f.Items {
			titles = append(titles, it.Title)
		}
		if got := strings.Join(titles, " "); got != c.titles || !f.damaged || len(f.warnings) != 1 {
			t.Errorf("%s: items %q, damaged %v, warnings %q, want %q and a warning", name, got, f.damaged, f.warnings, c.titles)
		}
	}
	for name, body := range map[string]string{"only wrong entries": head + `1,2]}`, "items that are none": `{"version":"https://jsonfeed.org/version/1.1","items":{}}`} {
		if f, err := parseFeed([]byte(body), ""); err == nil {
			t.Errorf("%s: read as %+v", name, f.Feed)
		}
	}
	if f, err := parseFeed([]byte(`{"items":null,"version":"https://jsonfeed.org/version/1.1","title":"Canals"}`), ""); err != nil || f.damaged {
		t.Errorf("items that are null: %v, damaged %v", err, f.damaged)
	}
}

// A number as id keeps all its digits.
func TestJSONFeedIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`12345678901234567891`: "12345678901234567891", `1e3`: "1e3", `"a"`: "a", `1.50`: "1.50", `{"x":1}`: "", `true`: "", `null`: "",
	} {
		f, err := parseFeed([]byte(`{"version":"https://jsonfeed.org/version/1","items":[{"title":"Lock","id":`+in+`}]}`), "")
		if err != nil || f.Items[0].GUID != want {
			t.Errorf("id %s: %q, %v, want %q", in, f.Items[0].GUID, err, want)
		}
	}
}

// The end of a day is the beginning of the next one.
func TestDatesBeyondTheClock(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Time{
		"2026-03-03T24:00:00Z":          time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		"2026-12-31T24:00+01:00":        time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
		"2026-02-28 24:00:00":           time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"Tue, 03 Mar 2026 24:00:00 GMT": time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		"2016-12-31T23:59:60Z":          time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
		"Tue, 03 Mar 2026 10:24:00 GMT": time.Date(2026, 3, 3, 10, 24, 0, 0, time.UTC),
	} {
		if at, ok := oddTime(s); !ok || !at.Equal(want) {
			t.Errorf("oddTime(%q) = %v, %v, want %v", s, at, ok, want)
		}
	}
}
