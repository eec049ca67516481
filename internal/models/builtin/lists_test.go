package builtin_test

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
)

const tarnText = `# Tarn cache

## Eviction policies

What the Tarn cache does at its limit is configured by the directive tarn-policy, one of several eviction policies. The limit itself is a number of bytes, and it is checked before each write. A limit of zero means that nothing is ever evicted, whatever the policy says. Replicas ignore the limit, since their primary evicts for them.

The following policies are available:

* **keep**: new values are refused, and an error is returned to the client that writes, with the key.
* **oldest**: the key that was written first is removed, whether or not anybody has read it since then.
* **coldest**: the key that was read the longest time ago is removed, by a clock of one second.
* **random**: any key is removed, which is the cheapest policy and the least predictable one.
* **shortest**: the key whose time to live ends first is removed, and keys without one are kept.

## Installing

To install the Tarn cache:

1. Unpack the archive into a folder of its own.
2. Run the script setup.sh as the user that will own the cache.
3. Put the folder into the PATH.
4. Start it with tarn serve.
`

// tarn returns the document, of which the passages found end within their lists.
func tarn() []evidence.Evidence {
	var out []evidence.Evidence
	for _, cut := range [][3]string{{"## Eviction", "* **random**", "Eviction policies"}, {"## Installing", "3. Put", "Installing"}} {
		start, end := strings.Index(tarnText, cut[0]), strings.Index(tarnText, cut[1])
		out = append(out, evidence.Evidence{
			Document: evidence.Document{ID: "tarn", Title: "Tarn cache", Text: tarnText, URL: "file:///tarn.md", Source: "files"},
			Passage:  evidence.Passage{DocumentID: "tarn", Heading: []string{cut[2]}, Start: start, End: end, Text: tarnText[start:end], Score: 1},
		})
	}
	return out
}

// A list that a passage cuts is quoted whole; it comes where a paragraph of its section
// matches the question best, too. Steps are quoted to the last one.
func TestListsAreWhole(t *testing.T) {
	t.Parallel()
	if !minilm.Available() {
		t.Skip("this processor is too slow for the encoder")
	}
	s := builtin.NewSynthesizer(minilm.New(minilm.MaxTokens))
	for question, want := range map[string][]string{
		"Which eviction policies does the Tarn cache have?": {"The following policies are available:", "**keep**", "**shortest**: the key whose time to live ends first is removed"},
		"How do I install the Tarn cache?":                  {"1. Unpack", "4. Start it with tarn serve."},
	} {
		draft, err := s.Write(t.Context(), evidence.Brief{Question: question, Evidence: tarn(), MaxTokens: 800}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var answer strings.Builder
		for _, sentence := range draft.Sentences {
			answer.WriteString(sentence.Text + "\n")
			for i, sp := range sentence.Quotes {
				if doc := tarn()[sentence.Marks[i]-1].Document.Text; doc[sp.Start:sp.End] != sentence.Text {
					t.Errorf("%s: a quote is not at its offsets: %q", question, sentence.Text)
				}
			}
		}
		for _, w := range want {
			if strings.Count(answer.String(), w) != 1 {
				t.Errorf("%s: %q is not once in\n%s", question, w, answer.String())
			}
		}
	}
}
