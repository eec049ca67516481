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
	URL   string   `json:"url,omitempty" jsonschema:"Or a page to keep: https://…"`
	Title string   `json:"title,omitempty" jsonschema:"Its title"`
	Tags  []string `json:"tags,omitempty" jsonschema:"Words to recall it by"`
}

// RememberOut is the structured result of remember.
type RememberOut struct {
	Notice string `json:"notice"`
	library.RememberResult
}

func remember(d Deps) Definition {
	return define(d,
		Definition{
			Name:    "remember",
			Title:   "Keep a text or page",
			Example: `{"text":"We deploy on Fridays."}`,
			OneOf:   []string{"text", "url"},
			Hints:   Hints{Idempotent: true, OpenWorld: true},
			Slow:    true,
			args: input[RememberIn](
				textOf("text", 1, 4<<20), textOf("url", 1, research.MaxURL), textOf("title", 0, 300), listOf("tags", maxTags, maxName),
			),
			OutputSchema: output[RememberOut](d.Structured),
		},
		func(ctx context.Context, in RememberIn, _ Observe) (library.RememberResult, error) {
			return d.Library.Remember(ctx, library.RememberRequest(in))
		},
		func(_ RememberIn, out library.RememberResult) (string, any) {
			return rememberText(out), RememberOut{Notice: receipt, RememberResult: out}
		},
	)
}

func rememberText(out library.RememberResult) string {
	var b strings.Builder
	if out.Deduplicated {
		fmt.Fprintf(&b, "Already in the memory, unchanged: %s\n", line(out.DocumentID, maxID))
	} else {
		fmt.Fprintf(&b, "Kept as %s, in %s.\n", line(out.DocumentID, maxID), text.Count(out.Chunks, "chunk"))
	}
	writeWarnings(&b, out.Warnings)
	return b.String()
}
