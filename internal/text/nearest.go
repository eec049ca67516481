package text

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the valid name that a mistyped name probably means, or "" if
// none is similar.
func Nearest(name string, valid []string) string {
	best, distance := "", max(2, len(name)/3)+1
	sorted := slices.Sorted(slices.Values(valid))
	for _, v := range sorted {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(v)); d < distance {
			best, distance = v, d
		}
	}
	return best
}
