package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
)

// longID and longRun are as long as true ones.
const longID, longRun = "d_4y4c3ysyuuvljzjq2rxk", "r_2k3vxq7zt5b6cnn3"

// citing is an answer of some sentences, each with its citation, and reports of sources.
func citing(lead, sentence string) evidence.Answer {
	a := fullAnswer()
	a.Session, a.RunID, a.Claims, a.Citations, a.Evidence = "s_4y4c3ysyuuvljzjq", longRun, nil, nil, nil
	a.Answer = lead
	for i := range 6 {
		quote := fmt.Sprintf(sentence, i+1)
		a.Answer += fmt.Sprintf("%s [%d] ", quote, i+1)
		a.Citations = append(a.Citations, evidence.Citation{N: i + 1, Title: "The keepers of the lighthouse of Brell, a register", URL: fmt.Sprintf("https://register.example/keepers/%d", i),
			Source: "wikipedia", Quote: quote, End: len(quote), DocumentID: longID + fmt.Sprint(i), Retrieved: today})
		a.Sources = append(a.Sources, evidence.SourceReport{Name: fmt.Sprintf("source-%d", i), Why: "general", Status: evidence.StatusOK, Documents: 3, LatencyMS: 812})
		a.Warnings = append(a.Warnings, "the memory was locked for a moment")
	}
	return a
}

// However small a result is, what it says has its citation and the id of its document: sentences go
// first, then reports, and at last the end of the sentence.
func TestASmallAnswerKeepsItsCitation(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]evidence.Answer{
		"sentences":      citing("", "The lighthouse of Brell had its keeper number %d in the year of the great flood, when the lamp was lit by hand."),
		"long sentences": citing("", "Number %d: "+strings.Repeat("the keeper went up to the lamp and down to the boat, ", 12)+"and slept."),
		"a lead without": citing("Several keepers are known.\n\n", "Keeper %d was born in the tower and has lived there ever since with a dog."),
		"other letters":  citing("", "Смотритель маяка номер %d родился в башне и живёт там с тех пор вместе с собакой и кошкой."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, structured := range []bool{false, true} {
				d := deps(&fake{answer: a})
				d.Structured = structured
				for maxTokens := 200; maxTokens <= 1000; maxTokens += 20 {
					res, err := callWith(t, d, "research", fmt.Sprintf(`{"question":"q","max_tokens":%d}`, maxTokens))
					if err != nil {
						t.Fatal(err)
					}
					if structured {
						keeps(t, res, maxTokens)
					} else if n := text.TokenBound(res.Text); n > maxTokens {
						t.Errorf("the text has %d tokens, want at most %d", n, maxTokens)
					}
					if structured && maxTokens < 300 {
						continue // the names of the fields leave no room
					}
					answer, _, _ := strings.Cut(res.Text, "\nCitations:")
					if !mark().MatchString(answer) || !strings.Contains(res.Text, longID) {
						t.Fatalf("structured %t, at %d: no sentence with its citation:\n%s", structured, maxTokens, res.Text)
					}
				}
			}
		})
	}
}

// A document that has the best of a memory is told of at any budget, by its id and some of its words.
func TestTheOnlyHitIsShortened(t *testing.T) {
	t.Parallel()
	const id = "d_4y4c3ysyuuvljzjq2rxk7ftmzq"
	for name, title := range map[string]string{
		"words":        "The tide tables of the lighthouse keeper of Lindau harbour, volume 2",
		"hexadecimal":  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"HTML":         `<a href="https://x.example/?a=1&amp;b=2">&lt;b&gt;Tide&lt;/b&gt;</a><br/>`,
		"marks":        strings.Repeat("t̴̢̛i̵̡d̶e̷ ", 5),
		"mathematical": strings.Repeat("𝔱𝔦𝔡𝔢∮∯", 8),
	} {
		for _, structured := range []bool{false, true} {
			for _, maxTokens := range []int{200, 250, 333} {
				d := deps(&fake{recalled: library.RecallResult{Index: evidence.IndexReady, Hits: []library.RecallHit{{DocumentID: id, Title: title, Source: "note",
					Text: strings.Repeat("x ", 900), Score: 0.512, Retrieved: today, Tags: []string{"hex", "tides and lights"}}}}})
				d.Structured = structured
				res, err := callWith(t, d, "recall", fmt.Sprintf(`{"query":"q","k":1,"max_tokens":%d}`, maxTokens))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(res.Text, id) || !strings.Contains(res.Text, "x x x") {
					t.Errorf("%s, structured %t, at %d: the hit is missing:\n%s", name, structured, maxTokens, res.Text)
				}
				if !structured {
					if n := text.TokenBound(res.Text); n > maxTokens {
						t.Errorf("the text has %d tokens, want at most %d", n, maxTokens)
					}
					continue
				}
				keeps(t, res, maxTokens)
				var got RecallOut
				if err := json.Unmarshal(res.Structured, &got); err != nil || len(got.Hits) != 1 || got.Hits[0].Title == "" {
					t.Errorf("%s at %d: %s, %v", name, maxTokens, res.Structured, err)
				}
			}
		}
	}
}
