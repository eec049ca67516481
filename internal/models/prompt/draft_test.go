package prompt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestParseDraft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, prose string
		want        []evidence.Sentence
	}{
		{"marks before and behind the full stop", "BERT reads both ways [1]. GPT reads one way. [2][1] Both are models.",
			[]evidence.Sentence{{Text: "BERT reads both ways.", Marks: []int{1}}, {Text: "GPT reads one way.", Marks: []int{2, 1}}, {Text: "Both are models."}}},
		{"it repeats itself", "It is so [1]. It is so [2]. It Is So. It is so [1].", []evidence.Sentence{{Text: "It is so.", Marks: []int{1, 2}}}},
		{"JSON", `{"answer": "It is so [1]."}`, nil},
		{"JSON that was cut off", "```json\n{\"answer\": \"It is so [1]. And", nil},
		{"a list of JSON", ` [ {"text": "It is so."} ]`, nil},
		{"a mark first", "[1] It is so.", []evidence.Sentence{{Text: "It is so.", Marks: []int{1}}}},
		{"lists of marks", "It is so [1, 2].", []evidence.Sentence{{Text: "It is so.", Marks: []int{1, 2}}}},
		{"out of range", "It is so [7]. So it is [0] [1] [99999999999999999999].", []evidence.Sentence{{Text: "It is so."}, {Text: "So it is.", Marks: []int{1}}}},
		{"markdown", "## Answer\n\n- **BERT** reads [1].\n- GPT writes [2].\n\n**Sources:**\n[1] BERT\n[2] GPT",
			[]evidence.Sentence{{Text: "BERT reads.", Marks: []int{1}}, {Text: "GPT writes.", Marks: []int{2}}}},
		{"no marks: none are invented", "BERT reads both ways.", []evidence.Sentence{{Text: "BERT reads both ways."}}},
		{"mark on its own line", "BERT reads both ways.\n\n[1]", []evidence.Sentence{{Text: "BERT reads both ways.", Marks: []int{1}}}},
		{"preamble", "Answer: BERT reads. [1]", []evidence.Sentence{{Text: "BERT reads.", Marks: []int{1}}}},
		{"other brackets", "BERT reads【1】.", []evidence.Sentence{{Text: "BERT reads.", Marks: []int{1}}}},
		{"links, whose addresses a model may have made up", "[BERT](http://evil.example/?q=1) reads ![x](https://evil.example/y.png) [`both`](/a \"T\") ways [1](https://evil.example).",
			[]evidence.Sentence{{Text: "BERT reads `both` ways.", Marks: []int{1}}}},
		{"tags of HTML", "<p>BERT <b>reads <i>both</i></b><br/>ways, <a href=\"http://evil.example\">it is said</a> [1].</p>",
			[]evidence.Sentence{{Text: "BERT reads both ways, it is said.", Marks: []int{1}}}},
		{"code is no markup", "Use `[a](/b)` and `<b>x</b>` for a Vec<T> or a[i](x), if i < n and n > 2 [1].",
			[]evidence.Sentence{{Text: "Use `[a](/b)` and `<b>x</b>` for a Vec<T> or a[i](x), if i < n and n > 2.", Marks: []int{1}}}},
		{"unseen characters", "BERT\u200b reads\u202e. [1]", []evidence.Sentence{{Text: "BERT reads.", Marks: []int{1}}}},
	} {
		got := ParseDraft(c.prose, []int{0, 1})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func FuzzParseDraft(f *testing.F) {
	f.Add("It is so [1]. ## A\n- b [2][9]\n**Sources:**\n[1] x")
	f.Fuzz(func(t *testing.T, s string) {
		for _, sentence := range ParseDraft(s, []int{0, 2}) {
			for _, m := range sentence.Marks {
				if m != 1 && m != 3 {
					t.Fatalf("mark %d of %q", m, s)
				}
			}
			if strings.TrimSpace(sentence.Text) == "" {
				t.Fatalf("an empty sentence of %q", s)
			}
		}
		if got := WholeSentences(s); !strings.HasPrefix(s, got) {
			t.Fatalf("WholeSentences(%q) = %q", s, got)
		}
	})
}
