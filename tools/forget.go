package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ForgetIn holds the arguments of forget.
type ForgetIn struct {
	IDs     []string `json:"ids,omitempty" jsonschema:"As in recall"`
	DryRun  bool     `json:"dry_run,omitempty" jsonschema:"Only show what would go"`
	URL     string   `json:"url,omitempty" jsonschema:"Of this address"`
	Source  string   `json:"source,omitempty" jsonschema:"Of this source"`
	Before  string   `json:"before,omitempty" jsonschema:"Last read before this date"`
	Session string   `json:"session,omitempty" jsonschema:"A session, and what only it read"`
	Confirm bool     `json:"confirm,omitempty" jsonschema:"For over 10 documents or a third of all"`
}

func forget(d Deps) Definition {
	return define(
		Definition{
			Name:  "forget",
			Title: "Remove from the memory",
			Hints: Hints{Destructive: true, Idempotent: true},
			InputSchema: input[ForgetIn](
				listOf("ids", 1000, maxID), textOf("url", 1, research.MaxURL), textOf("source", 1, maxName),
				textOf("before", 0, maxDate), textOf("session", 1, maxID), falseByDefault("confirm"), falseByDefault("dry_run"),
			),
			OutputSchema: output[library.ForgetResult](),
		},
		func(ctx context.Context, in ForgetIn, _ Observe) (library.ForgetResult, error) {
			before, err := library.ParseTime(`argument "before"`, in.Before, false, d.Zone)
			if err != nil {
				return library.ForgetResult{}, err
			}
			return d.Library.Forget(ctx, library.ForgetRequest{IDs: in.IDs, URL: in.URL, Source: in.Source, Session: in.Session, Before: before, Confirm: in.Confirm, DryRun: in.DryRun})
		},
		func(_ ForgetIn, out library.ForgetResult) (library.ForgetResult, string) {
			return shrinkForgotten(out, research.DefaultMaxTokens)
		},
	)
}

// shrinkForgotten cuts out to maxTokens, both as JSON and as text: it removes the
// last ids first.
func shrinkForgotten(out library.ForgetResult, maxTokens int) (library.ForgetResult, string) {
	var omitted omissions
	warnings := out.Warnings
	fits := func() bool {
		out.Warnings = omitted.with(warnings, maxTokens)
		return jsonTokens(out) <= maxTokens && text.EstimateTokens(forgetText(out)) <= maxTokens
	}
	shrink(fits, func() bool {
		n := len(out.IDs)
		if n == 0 {
			return false
		}
		drop := max(1, n/8)
		out.IDs, out.Titles = out.IDs[:n-drop], out.Titles[:min(len(out.Titles), n-drop)]
		omitted.add("ids", drop)
		return true
	}, func() bool {
		n := len(warnings)
		if n == 0 {
			return false
		}
		warnings = warnings[:n-1]
		omitted.add("warnings", 1)
		return true
	})
	fits() // updates the warning after the last step
	return out, forgetText(out)
}

func forgetText(out library.ForgetResult) string {
	var b strings.Builder
	did, left := "Forgot", "left"
	if out.DryRun {
		did, left = "Nothing was removed; it would forget", "would be left"
	}
	fmt.Fprintf(&b, "%s %s (%s); %s %s.\n", did, text.Count(out.Documents, "document"), text.Count(out.Chunks, "chunk"), text.Count(out.Remaining, "document"), left)
	for _, m := range out.Matched {
		fmt.Fprintf(&b, "Selected by %s\n", line(m, 300))
	}
	for i, id := range out.IDs {
		fmt.Fprintf(&b, "- %s", line(id, 200))
		if i < len(out.Titles) && out.Titles[i] != "" {
			fmt.Fprintf(&b, " %q", line(out.Titles[i], 120))
		}
		b.WriteByte('\n')
	}
	footer(&b, nil, nil, out.Warnings)
	return b.String()
}
