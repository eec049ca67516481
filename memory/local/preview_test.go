package local

import (
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// A preview counts the answers and turns of sessions as the receipt does, whatever the
// way in which they rest on the documents.
func TestPreviewCountsWhatForgetRemoves(t *testing.T) {
	t.Parallel()
	cited, known := delta()
	citing := func(run string, d evidence.Document) evidence.Turn {
		a := &evidence.Answer{RunID: run, Answer: "It is so. [1]", Citations: []evidence.Citation{{N: 1, Quote: d.Text, DocumentID: d.ID}}}
		return evidence.Turn{Role: evidence.RoleAssistant, Text: a.Answer, Run: a, Used: []string{d.ID}}
	}
	for _, c := range []struct {
		name  string
		turns map[string][]evidence.Turn // by session
		sel   contract.Selector
		want  string // of the preview; empty: no warning
	}{
		{"nothing", nil, contract.Selector{IDs: []string{known.ID}}, ""},
		{"a question that quotes", map[string][]evidence.Turn{"s_a": {{Role: evidence.RoleUser, Text: secret}}},
			contract.Selector{IDs: []string{known.ID}}, "0 answers and 1 turn"},
		{"two answers that cite, in two sessions", map[string][]evidence.Turn{"s_a": {citing("r_1", known)}, "s_b": {citing("r_2", known), citing("r_3", cited)}},
			contract.Selector{IDs: []string{known.ID}}, "2 answers and 0 turns"},
		{"an answer that quotes and cites counts once", map[string][]evidence.Turn{"s_a": {{Role: evidence.RoleAssistant, Text: secret, Used: []string{known.ID},
			Run: &evidence.Answer{RunID: "r_1", Answer: secret, Citations: []evidence.Citation{{N: 1, Quote: secret, DocumentID: known.ID}}}}}},
			contract.Selector{IDs: []string{known.ID}}, "1 answer and 0 turns"},
		{"an answer that only used it", map[string][]evidence.Turn{"s_a": {knowing(cited, known)}},
			contract.Selector{IDs: []string{known.ID}}, "1 answer used it without citing it"},
		{"a whole session, and one that quotes the same", map[string][]evidence.Turn{"s_a": {citing("r_1", known)}, "s_b": {citing("r_2", known)}},
			contract.Selector{Session: "s_a"}, "1 answer and 0 turns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := openIn(t, t.TempDir())
			keep(t, l, cited)
			of := known
			of.Meta = map[string]string{evidence.MetaSession: "s_a"}
			keep(t, l, of)
			for session, turns := range c.turns {
				say(t, l, session, turns...)
			}
			dry := c.sel
			dry.DryRun = true
			would, err := l.Forget(t.Context(), dry)
			if err != nil {
				t.Fatal(err)
			}
			did, err := l.Forget(t.Context(), c.sel)
			if err != nil {
				t.Fatal(err)
			}
			counts := func(r evidence.Receipt) []string {
				var out []string
				for _, w := range r.Warnings {
					if !strings.HasPrefix(w, "the session ") {
						out = append(out, strings.NewReplacer("would be removed", "removed", "were removed", "removed", "would be made", "made", "will be made", "made", "had used", "used").Replace(w))
					}
				}
				return out
			}
			if !slices.Equal(counts(would), counts(did)) || would.Documents != did.Documents {
				t.Errorf("the preview says %q, the receipt %q", would.Warnings, did.Warnings)
			}
			if all := strings.Join(would.Warnings, "; "); !strings.Contains(all, c.want) || c.want == "" && all != "" {
				t.Errorf("the preview says %q, want %q", all, c.want)
			}
		})
	}
}
