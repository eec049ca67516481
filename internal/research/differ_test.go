package research

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// survey is a source with one document, of a date.
type survey struct {
	name, body string
	published  time.Time
}

func (s survey) Name() string { return s.name }

func (s survey) Search(context.Context, evidence.Query) ([]evidence.Document, error) {
	url := "https://" + s.name + ".test/"
	return []evidence.Document{{ID: evidence.DocumentID(s.name, url, s.body), Source: s.name, URL: url, Title: "Lake Varn", Text: s.body, Score: 1, Published: s.published}}, nil
}

// Sources that give different amounts or dates for one thing are both shown, with
// their dates; those that agree, or speak of something else, are not.
func TestConflictingSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, one, two string
		differ         []string // in the answer; none: they agree
	}{
		{"a number", "Lake Varn is 420 metres deep.", "Lake Varn is 380 metres deep.", []string{"420 metres (2019-05-02)", "380 metres (2023-11-20)"}},
		{"a date", "Lake Varn was dammed in 1931.", "Lake Varn was dammed in 1938.", []string{"1931 (2019-05-02)", "1938 (2023-11-20)"}},
		{"units", "Lake Varn is 5 km wide.", "Lake Varn is 5,000 m wide.", nil},
		{"rounding", "Lake Varn holds about 3.2 million cubic feet.", "Lake Varn holds 3,214,000 cubic feet.", nil},
		{"another thing", "Lake Varn is 420 metres deep.", "Lake Varn is 12 km wide.", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(nil, survey{"atlas", c.one, time.Date(2019, 5, 2, 0, 0, 0, 0, time.UTC)}, survey{"bureau", c.two, time.Date(2023, 11, 20, 0, 0, 0, 0, time.UTC)})
			defer w.Close()
			a, err := w.Research(t.Context(), Request{Question: "What is known about Lake Varn?"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(a.Answer, "The sources differ"); got != (c.differ != nil) {
				t.Fatalf("the answer says that sources differ: %v; %s", got, a.Answer)
			}
			for _, part := range c.differ {
				if !strings.Contains(a.Answer, part) {
					t.Errorf("%q is not in %q", part, a.Answer)
				}
			}
			if c.differ != nil && !strings.Contains(strings.Join(a.Warnings, "\n"), "the sources differ") {
				t.Errorf("warnings = %q", a.Warnings)
			}
			if len(a.Citations) != 2 {
				t.Errorf("%d citations, want 2: %+v", len(a.Citations), a.Citations)
			}
		})
	}
}
