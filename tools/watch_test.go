package tools

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// A watch reports each change once. Where nothing could be read at first, a change in
// between would go unseen, so that the first content that is read counts as one.
func TestWatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reads string // one letter for each look: "!" fails, "-" finds nothing
		want  []int  // the looks that report a change
	}{
		"nothing happens":              {"aaaa", nil},
		"it changes, and changes back": {"abba", []int{1, 3}},
		"it is forgotten":              {"aa--", []int{2}},
		"it appears":                   {"--aa", []int{2}},
		"a look fails":                 {"a!ab!b", []int{3}},
		"it changes while looks fail":  {"a!!bb", []int{3}},
		"the first look fails":         {"!aa", []int{1}},
		"it is gone when the first look that succeeds comes": {"!!--", []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := 0
			watch := content(func(context.Context) (string, error) {
				now := test.reads[next : next+1]
				next++
				switch now {
				case "!":
					return "", errors.New("the memory is busy")
				case "-":
					return "", nil
				}
				return now, nil
			}).watch()
			var got []int
			for i := range test.reads {
				changed, err := watch(t.Context())
				if (err != nil) != (test.reads[i] == '!') {
					t.Errorf("look %d: %v", i, err)
				}
				if changed {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("changes at %v, want %v", got, test.want)
			}
		})
	}
}
