package text

import "testing"

func TestCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n          int64
		noun, want string
	}{
		{0, "document", "0 documents"}, {1, "document", "1 document"}, {2, "document", "2 documents"},
		{1, "query", "1 query"}, {21, "query", "21 queries"},
	} {
		if got := Count(c.n, c.noun); got != c.want {
			t.Errorf("Count(%d, %s) = %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}
