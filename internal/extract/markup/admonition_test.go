package markup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdmonitions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"with a title", "Intro.\n\n!!! note \"Before you start\"\n    Drain the tank.\n    It holds 40 l.\n\n    Then close the valve.\n\nAfter.",
			"Intro.\n\n**Before you start:** Drain the tank.\nIt holds 40 l.\n\nThen close the valve.\n\nAfter."},
		{"without a title", "!!! warning\n\n    Hot surface.\n", "**Warning:** Hot surface.\n"},
		{"with an empty title", "!!! danger \"\"\n    Live wires.\nAfter.", "Live wires.\nAfter."},
		{"folded, with classes", "??? tip inline end \"Why?\"\n    Because.\n\n???+ info\n    Open.", "**Why?** Because.\n\n**Info:** Open."},
		{"directly below a paragraph", "Text.\n!!! note\n    Mind it.", "Text.\n\n**Note:** Mind it."},
		{"a list and code in it", "!!! example \"Steps\"\n    1. One\n    2. Two\n\n    ```sh\n    !!! not one\n        indented\n    ```\n",
			"**Steps:**\n\n1. One\n2. Two\n\n```sh\n!!! not one\n    indented\n```\n"},
		{"within each other", "!!! note \"Outer\"\n    First.\n\n    ??? bug \"Inner\"\n        Second.\n\n    Third.\n\nFourth.",
			"**Outer:** First.\n\n**Inner:** Second.\n\nThird.\n\nFourth."},
		{"in a list", "1. Step\n\n    !!! tip\n        Use a spoon.\n\n2. Next", "1. Step\n\n    **Tip:** Use a spoon.\n\n2. Next"},
		{"by tabs", "!!! note\n\tTabbed.\n\n\t\tcode\n", "**Note:** Tabbed.\n\n    code\n"},
		{"content tabs", "=== \"Linux\"\n\n    Use `apt`.\n\n=== \"macOS\"\n\n    Use `brew`.\n", "**Linux:** Use `apt`.\n\n**macOS:** Use `brew`.\n"},
		{"docusaurus", ":::caution Mind the gap\n\nIt is 30 cm wide.\n\n:::\n\nAfter.", "**Mind the gap:** It is 30 cm wide.\n\n\nAfter."},
		{"docusaurus, title in brackets", ":::tip[My tip]\nDo it.\n:::", "**My tip:** Do it.\n"},
		{"pandoc and myst", "::: {.warning}\nHot.\n:::\n\n:::{note}\nCold.\n:::", "**Warning:** Hot.\n\n\n**Note:** Cold.\n"},
		{"within each other, by colons", "::::info\nA.\n:::tip\nB.\n:::\nC.\n::::", "**Info:** A.\n\n**Tip:** B.\n\nC.\n"},
		{"quarto", "::: {.callout-tip}\nShort.\n:::", "**Tip:** Short.\n"},
		{"columns", "::: {.column width=\"50%\"}\nLeft.\n:::\n\n::: code-group\nRight.\n:::", "Left.\n\n\nRight.\n"},
		{"myst fences", "```{warning} Mind\nHot `x`.\n```\n\n```{code-block} sh\nls\n```", "**Mind:** Hot `x`.\n\n\n```{code-block} sh\nls\n```"},
		{"colons without an end", ":::note\nText.", ":::note\nText."},
		{"github", "> [!IMPORTANT]\n> Keep the seal.\n> It is brittle.", "> **Important:** Keep the seal.\n> It is brittle."},
		{"github with a list", "> [!NOTE]\n> - one\n> - two", "> **Note:**\n>\n> - one\n> - two"},
		{"obsidian", "> [!faq]- Is it folded?\n> Yes.", "> **Is it folded?** Yes."},
		{"code", "```\n!!! note\n    x\n> [!NOTE]\n```", "```\n!!! note\n    x\n> [!NOTE]\n```"},
		{"prose", "Wow!!! note that ??? is no mark.\n\n??? \n!!! 3 < 4", "Wow!!! note that ??? is no mark.\n\n??? \n!!! 3 < 4"},
		{"without a body", "!!! note \"Alone\"\n\nText.", "**Alone:**\n\nText."},
	} {
		if diff := cmp.Diff(c.want, admonitions(c.in)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

// No word is lost, whatever the nesting.
func FuzzAdmonitions(f *testing.F) {
	f.Add("!!! note \"T\"\n    a\n\n    ??? b\n        c\n:::d\ne\n:::\n> [!F]\n> g\n=== \"H\"\n\ti\n```\nj\n```")
	f.Fuzz(func(t *testing.T, in string) {
		got := admonitions(in + "\nzebra")
		if !strings.Contains(got, "zebra") {
			t.Errorf("admonitions(%q) = %q, want the last line in it", in, got)
		}
		if len(got) > 3*len(in)+100 {
			t.Errorf("admonitions of %d bytes gave %d", len(in), len(got))
		}
	})
}
