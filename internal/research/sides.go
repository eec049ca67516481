package research

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Each thing that a question compares has its own passages, of which each says half of
// the answer.
const (
	sideBonus    = 0.3
	sidePassages = 2 // of each side
)

// favourSides raises the best passages under headings that name one of the things that
// the question compares and not the others, and sorts the pool.
func (r *run) favourSides(pool []candidate) {
	sortByScore(pool)
	sides := text.SidesOf(r.req.Question)
	if sides == nil || len(pool) == 0 {
		return
	}
	best := pool[0].score
	raised := make([]int, len(sides.Names))
	for i := range pool {
		at := sides.Alone(pool[i].doc.Title + " " + strings.Join(pool[i].path, " "))
		if at >= 0 && raised[at] < sidePassages {
			raised[at]++
			pool[i].score += sideBonus * best
		}
	}
	sortByScore(pool)
}
