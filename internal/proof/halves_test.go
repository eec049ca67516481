package proof

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// A quote of what others say carries the author's own word with it.
func TestWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("and so on ", 60)
	for _, c := range []struct {
		name, doc, quote, want string // want "": it cannot be shown
	}{
		{"taken back", "The tower is said to lean. However, it stands straight. It has a clock.", "The tower is said to lean.", "The tower is said to lean. However, it stands straight."},
		{"a myth", "Many people think that bats are blind. This is wrong. They see well.", "Many people think that bats are blind.", "Many people think that bats are blind. This is wrong."},
		{"not taken back", "The tower is said to lean. It has a clock.", "The tower is said to lean.", "The tower is said to lean."},
		{"the whole contrast", "The tower is said to lean, but it does not. However, it is old.", "The tower is said to lean, but it does not.", "The tower is said to lean, but it does not."},
		{"no report", "The tower is old. However, it stands straight.", "The tower is old.", "The tower is old."},
		{"another paragraph", "The tower is said to lean.\n\nHowever, the inn is new.", "The tower is said to lean.", "The tower is said to lean."},
		{"too long", "The tower is said to lean. However, " + long + "it stands.", "The tower is said to lean.", ""},
	} {
		got, ok := Whole(c.doc, evidence.Span{Start: 0, End: len(c.quote)})
		if ok != (c.want != "") || ok && c.doc[got.Start:got.End] != c.want {
			t.Errorf("%s: Whole(%q) = %q, %v, want %q", c.name, c.quote, c.doc[got.Start:got.End], ok, c.want)
		}
	}
}
