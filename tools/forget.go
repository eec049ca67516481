package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// ForgetRequest selects documents: one goes when any field that is set selects
// it. At least one is.
type ForgetRequest struct {
	IDs     []string
	URL     string // documents of exactly this address
	Source  string
	Session string    // the session itself, and the documents that only it put
	Before  time.Time // documents last read before
	Confirm bool      // yes, even when there are many
}

// Forgetter removes documents with every trace of them. More documents than it
// takes for an accident, without Confirm, are an *evidence.Problem that says how
// many. Its contract is Researcher's.
type Forgetter interface {
	Forget(ctx context.Context, req ForgetRequest) (evidence.Receipt, error)
}

// ForgetIn are the arguments of forget.
type ForgetIn struct {
	IDs     []string `json:"ids,omitempty" jsonschema:"As in recall"`
	URL     string   `json:"url,omitempty" jsonschema:"Of this address"`
	Source  string   `json:"source,omitempty" jsonschema:"Of this source"`
	Before  string   `json:"before,omitempty" jsonschema:"Last read before this date"`
	Session string   `json:"session,omitempty" jsonschema:"A session, and what only it read"`
	Confirm bool     `json:"confirm,omitempty" jsonschema:"For over 100 documents"`
}

// ForgetOut is the receipt of what went and what remains. Slices are never nil.
type ForgetOut struct {
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	IDs       []string `json:"ids"`
	Remaining int      `json:"remaining"` // documents that are still there
	Warnings  []string `json:"warnings"`
}

func forget(d Deps) Definition {
	return define(
		Definition{
			Name:  "forget",
			Title: "Remove from the memory",
			Hints: Hints{Destructive: true, Idempotent: true},
			InputSchema: input[ForgetIn](
				listOf("ids", 1000, maxID), textOf("url", 1, research.MaxURL), textOf("source", 1, maxName),
				textOf("before", 0, maxDate), textOf("session", 1, maxID), falseByDefault("confirm"),
			),
			OutputSchema: output[ForgetOut](),
		},
		func(ctx context.Context, in ForgetIn, _ Observe) (ForgetOut, error) {
			return Forget(ctx, d.Forget, in)
		},
		func(_ ForgetIn, out ForgetOut) (ForgetOut, string) {
			return shrinkForgotten(out, research.DefaultMaxTokens)
		},
	)
}

// Forget removes from f what in says.
func Forget(ctx context.Context, f Forgetter, in ForgetIn) (ForgetOut, error) {
	before, err := parseDate("before", in.Before, false)
	if err != nil {
		return ForgetOut{}, err
	}
	if len(in.IDs) == 0 && in.URL == "" && in.Source == "" && in.Session == "" && before.IsZero() {
		return ForgetOut{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a url, a source, a session, or a date in before")
	}
	got, err := f.Forget(ctx, ForgetRequest{IDs: in.IDs, URL: in.URL, Source: in.Source, Session: in.Session, Before: before, Confirm: in.Confirm})
	if err != nil {
		return ForgetOut{}, err
	}
	return ForgetOut{Documents: got.Documents, Chunks: got.Chunks, IDs: nonNil(got.IDs), Remaining: got.Remaining, Warnings: nonNil(got.Warnings)}, nil
}

// shrinkForgotten cuts out to maxTokens, both as JSON and as text: it removes the
// last ids first.
func shrinkForgotten(out ForgetOut, maxTokens int) (ForgetOut, string) {
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
		out.IDs = out.IDs[:n-drop]
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

func forgetText(out ForgetOut) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Forgot %s (%s); %s left.\n", count(out.Documents, "document"), count(out.Chunks, "chunk"), count(out.Remaining, "document"))
	for _, id := range out.IDs {
		fmt.Fprintf(&b, "- %s\n", line(id, 200))
	}
	footer(&b, nil, nil, out.Warnings)
	return b.String()
}
