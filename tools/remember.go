package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// RememberIn holds the arguments of remember.
type RememberIn struct {
	Text  string   `json:"text,omitempty" jsonschema:"What to keep"`
	URL   string   `json:"url,omitempty" jsonschema:"Or a page to read"`
	Title string   `json:"title,omitempty" jsonschema:"Its title"`
	Tags  []string `json:"tags,omitempty" jsonschema:"For recall"`
}

func remember(d Deps) Definition {
	return define(
		Definition{
			Name:  "remember",
			Title: "Keep a text or page",
			Hints: Hints{Idempotent: true, OpenWorld: true},
			Slow:  true,
			InputSchema: input[RememberIn](
				textOf("text", 1, 4<<20), textOf("url", 1, research.MaxURL), textOf("title", 0, 300), listOf("tags", maxTags, maxName),
			),
			OutputSchema: output[library.RememberResult](),
		},
		func(ctx context.Context, in RememberIn, _ Observe) (library.RememberResult, error) {
			return d.Library.Remember(ctx, library.RememberRequest(in))
		},
		func(_ RememberIn, out library.RememberResult) (library.RememberResult, string) {
			return out, rememberText(out)
		},
	)
}

func rememberText(out library.RememberResult) string {
	var b strings.Builder
	if out.Deduplicated {
		fmt.Fprintf(&b, "Already in the memory, unchanged: %s\n", line(out.DocumentID, 200))
	} else {
		fmt.Fprintf(&b, "Kept as %s, in %s.\n", line(out.DocumentID, 200), text.Count(out.Chunks, "chunk"))
	}
	footer(&b, nil, nil, out.Warnings)
	return b.String()
}
