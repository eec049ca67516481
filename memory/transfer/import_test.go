package transfer

import (
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
