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
		{"fences of admonitions are left out", checked{text: "/// tip | Hint\n\nKeep it.\n\n///\n\n:::note\n\nAnd this.\n\n:::", block: true}, "Keep it.\n\nAnd this. [1]"},
		{"included files and templates", checked{text: "Before.\n\n{* ../src/a.py ln[1:3] *}\n\n{% include x %}\n\nAfter.", block: true}, "Before.\n\nAfter. [1]"},
		{"definitions of links, anchors, links between notes", checked{text: "# Use {#use}\n\nSee [[notes|my notes]] and [[ideas]].\n\n[notes]: a/notes.md 'Notes'", block: true}, "# Use\n\nSee my notes and ideas. [1]"},
		{"links within the documentation", checked{text: "See [hooks](../hooks.md#run), [here](#x) and [the site](https://example.org/a).", block: true}, "See hooks, here and [the site](https://example.org/a). [1]"},
		{"directives", checked{text: ".. currentmodule:: a\n\n.. admonition:: Good keys\n\n    Use :func:`secret`.\n\nThen go on.", block: true}, "Good keys\n\nUse `secret`.\n\nThen go on. [1]"},
		{"a reference in brackets and a footnote stay", checked{text: "An array a[i] and $[[1,2]] stay: see (a) [b].", block: true}, "An array a[i] and $[[1,2]] stay: see (a) [b]. [1]"},
		{"but not in code", checked{text: "Write:\n\n```jsx\n<Counter />\n\n\n\n![x](y)\n```", block: true}, "Write:\n\n```jsx\n<Counter />\n\n\n\n![x](y)\n```\n\n[1]"},
		{"an open fence hides nothing", checked{text: "~~~~\n~~~\n<A />", block: true}, "~~~~\n~~~\n<A /> [1]"},
	} {
		if got := sentence(c.in, []int{1}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
