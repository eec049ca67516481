package traces

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// The answer that a caller waits for keeps what it has; only what is stored is scrubbed.
func TestScrubUnderLeavesTheCallersAnswer(t *testing.T) {
	t.Parallel()
	answer := func() *evidence.Answer {
		return &evidence.Answer{
			Question: "Who sings?",
			Topics:   []string{"whale", "shark"},
			Warnings: []string{"Whales was read in part"},
			Evidence: []evidence.RankedPassage{{DocumentID: "d_whales", Title: "Whales", URL: "https://a.test/", Text: "The whale sings."}, {DocumentID: "d_sharks", Title: "Sharks", Text: "Sharks are silent."}},
			Analysis: evidence.Analysis{
				TopDocuments: []evidence.TopDocument{{Title: "Whales", URL: "https://a.test/"}, {Title: "Sharks", URL: "https://b.test/"}},
				Keywords:     []evidence.TermCount{{Term: "whale", Count: 2}, {Term: "shark", Count: 1}},
			},
		}
	}
	mine := answer()
	stored, used, err := ScrubUnder(mine, []string{"d_whales", "d_sharks"}, func(id string) (bool, error) { return id == "d_whales", nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer(), mine); diff != "" {
		t.Errorf("the caller's answer has changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d_sharks"}, used); diff != "" {
		t.Errorf("used (-want +got):\n%s", diff)
	}
	if len(stored.Evidence) != 1 || stored.Evidence[0].DocumentID != "d_sharks" || len(stored.Analysis.TopDocuments) != 0 || len(stored.Analysis.Keywords) != 0 {
		t.Errorf("stored is %+v", stored)
	}
}
