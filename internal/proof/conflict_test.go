package proof

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
)

//go:embed testdata/conflicts.txt
var conflictList string

// conflictOf compares the first sentence of a line with the second.
func conflictsOf(t *testing.T, one, two string, encoder models.Embedder) []Conflict {
	t.Helper()
	var list []evidence.Evidence
	for i, s := range []string{one, two} {
		title, body, _ := strings.Cut(s, " | ")
		d := evidence.Document{ID: string(rune('a' + i)), URL: "https://" + string(rune('a'+i)) + ".test/", Title: title, Text: body}
		list = append(list, evidence.Evidence{Document: d, Passage: evidence.Passage{DocumentID: d.ID, End: len(body), Text: body}})
	}
	return New(list, encoder).Conflicts(t.Context(), 0, evidence.Span{End: len(list[0].Document.Text)})
}

// Contradictions are found, and what differs for a reason is none.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		encoder models.Embedder
	}{{"words alone", nil}, {"encoder", minilm.New(128)}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for line := range strings.Lines(conflictList) {
				mark, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				one, two, ok := strings.Cut(rest, " || ")
				if mark == "#" {
					continue
				}
				if !ok {
					t.Fatalf("%q is no pair", line)
				}
				for _, pair := range [][2]string{{one, two}, {two, one}} {
					got := conflictsOf(t, pair[0], pair[1], c.encoder)
					if want := mark == "!"; want != (len(got) == 1) {
						t.Errorf("Conflicts(%q, %q) = %+v, want one: %v", pair[0], pair[1], got, want)
					}
				}
			}
		})
	}
}

// Whatever two pages write is compared without a panic.
func FuzzConflicts(f *testing.F) {
	f.Add("Oster | In 1932 Oster had 3.2 million people.", "Oster | In 1932, Oster had 4.1 million.")
	f.Add("a | 4 March 1921 and 7e3 °C", "a | from 2 to 3 March")
	f.Add("\xff | 0.0 0 1,000", " | $5–6")
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, c := range conflictsOf(t, one, two, nil) {
			if c.Says == "" || c.Gives == "" || c.Span.Start >= c.Span.End {
				t.Errorf("Conflicts(%q, %q) = %+v", one, two, c)
			}
		}
	})
}
