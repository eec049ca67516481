package research

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestSentencesAsTheyAreShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   checked
		want string
	}{
		{"prose is one line", checked{text: "One line\nand the next."}, "One line and the next. [1]"},
		{"a mark of the source", checked{text: "As shown [7]."}, "As shown (7). [1]"},
		{"weak", checked{text: "Perhaps.", verdict: evidence.Weak}, "Perhaps. (weakly supported) [1]"},
		{"a list keeps its lines", checked{text: "- one\n- two", block: true}, "- one\n- two [1]"},
		{"a part of code is fenced", checked{text: "  --all   every one\n", block: true, code: true}, "```\n  --all   every one\n```\n\n[1]"},
		{"a picture is left out", checked{text: "Before.\n\n![a chart](https://example.org/x.png)\n\nAfter.", block: true}, "Before.\n\nAfter. [1]"},
		{"tags of components are left out", checked{text: "<Note>\n\nKeep it.\n\n<Sandpack files={x} />\n</Note>", block: true}, "Keep it. [1]"},
		{"but not in code", checked{text: "Write:\n\n```jsx\n<Counter />\n\n\n\n![x](y)\n```", block: true}, "Write:\n\n```jsx\n<Counter />\n\n\n\n![x](y)\n```\n\n[1]"},
		{"an open fence hides nothing", checked{text: "~~~~\n~~~\n<A />", block: true}, "~~~~\n~~~\n<A /> [1]"},
	} {
		if got := sentence(c.in, []int{1}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
