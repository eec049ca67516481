package writer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThoughtFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"none", []string{"An ", "answer"}, "An answer"},
		{"at once", []string{"<think>hm</think>\n\nYes."}, "Yes."},
		{"in pieces", []string{"\n<th", "ink>h", "m</thi", "nk> ", "Yes ", "sir"}, "Yes sir"},
		{"only looks like one", []string{"<th", "e> tag"}, "<the> tag"},
		{"later is text", []string{"A <think> tag"}, "A <think> tag"},
		{"never ends", []string{"<think>", "on and on"}, ""},
	} {
		var f ThoughtFilter
		got := ""
		for _, p := range c.pieces {
			got += f.Add(p)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestEstimatePrompt(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{"": 1, "abcdef": 3, "日本語": 4, "привет": 7} {
		if got := EstimatePrompt(s); got != want {
			t.Errorf("EstimatePrompt(%q) = %d, want %d", s, got, want)
		}
	}
}
