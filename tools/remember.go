package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

// RememberRequest is what to keep: a text, or the page at an address.
type RememberRequest struct {
	Text  string
	URL   string // absolute, http or https; whether it may be reached is the keeper's to say
	Title string // empty: the text's own
	Tags  []string
}

// Rememberer keeps documents. The receipt names the document; nothing was
// written when it says Deduplicated. Its contract is Researcher's.
type Rememberer interface {
	Remember(ctx context.Context, req RememberRequest) (evidence.Receipt, error)
}

// RememberIn are the arguments of remember.
type RememberIn struct {
	Text  string   `json:"text,omitempty" jsonschema:"What to keep"`
	URL   string   `json:"url,omitempty" jsonschema:"Or a page to read"`
	Title string   `json:"title,omitempty" jsonschema:"Its title"`
	Tags  []string `json:"tags,omitempty" jsonschema:"For recall"`
}

// RememberOut says what was kept. Warnings is never nil.
type RememberOut struct {
	DocumentID   string   `json:"document_id"`
	Chunks       int      `json:"chunks"`
	Deduplicated bool     `json:"deduplicated"` // it was already there: nothing was written
	Warnings     []string `json:"warnings"`
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
			OutputSchema: output[RememberOut](),
		},
		func(ctx context.Context, in RememberIn, _ Observe) (RememberOut, error) {
			return Remember(ctx, d.Remember, in)
		},
		func(_ RememberIn, out RememberOut) (RememberOut, string) { return out, rememberText(out) },
	)
}

// Remember keeps in r what in says.
func Remember(ctx context.Context, r Rememberer, in RememberIn) (RememberOut, error) {
	blank := strings.TrimSpace(in.Text) == ""
	switch {
	case blank && in.Text != "":
		return RememberOut{}, evidence.BadInput(fmt.Sprintf("argument \"text\" is %d bytes of white space", len(in.Text)), "give the text to keep")
	case blank && in.URL == "":
		return RememberOut{}, evidence.BadInput("neither \"text\" nor \"url\" is given", "give the text to keep, or the address of a page")
	case !blank && in.URL != "":
		return RememberOut{}, evidence.BadInput("both \"text\" and \"url\" are given", "give one of them: a page is read from its address")
	}
	if in.URL != "" {
		if err := checkURL("url", in.URL); err != nil {
			return RememberOut{}, err
		}
	}
	got, err := r.Remember(ctx, RememberRequest(in))
	if err != nil {
		return RememberOut{}, err
	}
	return RememberOut{DocumentID: got.DocumentID, Chunks: got.Chunks, Deduplicated: got.Deduplicated, Warnings: nonNil(got.Warnings)}, nil
}

func rememberText(out RememberOut) string {
	var b strings.Builder
	if out.Deduplicated {
		fmt.Fprintf(&b, "Already in the memory, unchanged: %s\n", line(out.DocumentID, 200))
	} else {
		fmt.Fprintf(&b, "Kept as %s, in %s.\n", line(out.DocumentID, 200), count(out.Chunks, "chunk"))
	}
	footer(&b, nil, nil, out.Warnings)
	return b.String()
}
