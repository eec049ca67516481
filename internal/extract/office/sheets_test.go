package office

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// A row that shows one long text in many cells takes no more than the room for text.
func TestRowsAreBounded(t *testing.T) {
	t.Parallel()
	const long = 1000
	var row sheetRow
	source := "<row>"
	for i := range 100 {
		source += fmt.Sprintf(`<c r="%c%c1" t="s"><v>0</v></c>`, 'A'+i/26, 'A'+i%26)
	}
	if err := xml.Unmarshal([]byte(source+"</row>"), &row); err != nil {
		t.Fatal(err)
	}
	for room, want := range map[int]int{5 * long: 5, 1000 * long: 100} {
		w := &workbook{strings: []string{strings.Repeat("x", long)}, out: builder{room: room}}
		filled := 0
		for _, c := range w.row(row) {
			if c.html != "" {
				filled++
			}
		}
		if filled != want || w.partial != (want < 100) {
			t.Errorf("room for %d bytes: %d cells, partial %v, want %d cells", room, filled, w.partial, want)
		}
	}
}
