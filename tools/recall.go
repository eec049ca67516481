package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// RecallIn holds the arguments of recall.
type RecallIn struct {
	Query     string   `json:"query" jsonschema:"What to look for, best as a question"`
	K         *int     `json:"k,omitempty" jsonschema:"Most hits"`
	Source    string   `json:"source,omitempty" jsonschema:"Only from this source"`
	Session   string   `json:"session,omitempty" jsonschema:"Only from this session"`
	Tags      []string `json:"tags,omitempty" jsonschema:"Only with all of these tags"`
	Since     string   `json:"since,omitempty" jsonschema:"Read on or after: 2026-01-31 or RFC 3339"`
	Until     string   `json:"until,omitempty" jsonschema:"Read on or before, likewise"`
	MaxTokens *int     `json:"max_tokens,omitempty" jsonschema:"Most tokens of the result"`
}

func recall(d Deps) Definition {
	return define(
		Definition{
			Name:  "recall",
			Title: "Search the memory",
			Hints: Hints{ReadOnly: true, Idempotent: true},
			InputSchema: input[RecallIn](
				textOf("query", 1, library.MaxQuery), numberOf("k", 1, library.MaxHits, library.DefaultHits), textOf("source", 1, maxName),
				textOf("session", 1, maxID), listOf("tags", maxTags, maxName), textOf("since", 0, maxDate), textOf("until", 0, maxDate), tokens(),
			),
			OutputSchema: output[library.RecallResult](
				require("hits[]", "document_id", "title", "url", "text"),
				describeField("index", "ready, warming or lexical"),
			),
		},
		func(ctx context.Context, in RecallIn, _ Observe) (library.RecallResult, error) {
			req, err := in.request(d.Zone)
			if err != nil {
				return library.RecallResult{}, err
			}
			return d.Library.Recall(ctx, req)
		},
		func(in RecallIn, out library.RecallResult) (library.RecallResult, string) {
			return shrinkHits(out, orDefault(in.MaxTokens, research.DefaultMaxTokens), d.Boundary)
		},
	)
}

func (in RecallIn) request(zone *time.Location) (library.RecallRequest, error) {
	req := library.RecallRequest{Query: in.Query, K: orDefault(in.K, 0), Source: in.Source, Session: in.Session, Tags: in.Tags}
	var err error
	if req.Since, err = library.ParseTime(`argument "since"`, in.Since, false, zone); err != nil {
		return req, err
	}
	req.Until, err = library.ParseTime(`argument "until"`, in.Until, true, zone)
	return req, err
}

// hitShrinker removes parts of its own copy of recalled passages.
type hitShrinker struct {
	out      library.RecallResult
	warnings []string
	omitted  omissions
	max      int
	word     string // fences foreign text in this result
}

// shrinkHits cuts out to maxTokens, both as JSON and as text: it shortens the
// longest texts, then removes the last hits.
func shrinkHits(out library.RecallResult, maxTokens int, next func() string) (library.RecallResult, string) {
	texts := make([]string, len(out.Hits))
	for i, h := range out.Hits {
		texts[i] = h.Text
	}
	f := &hitShrinker{out: out, warnings: out.Warnings, max: maxTokens, word: boundary(next, texts...)}
	if !f.fits() {
		f.out.Hits = slices.Clone(out.Hits)
		shrink(f.fits, f.shortenTo(400), f.dropHit, f.shortenTo(16), f.dropLast, f.dropWarning)
		f.fits() // updates the warning after the last step
	}
	return f.out, f.text()
}

func (f *hitShrinker) fits() bool {
	f.out.Warnings = f.omitted.with(f.warnings, f.max)
	return jsonTokens(f.out) <= f.max && text.EstimateTokens(f.text()) <= f.max
}

func (f *hitShrinker) shortenTo(least int) step {
	return func() bool {
		hits := f.out.Hits
		i := longest(len(hits), least, func(i int) int { return len(hits[i].Text) })
		if i < 0 {
			return false
		}
		short := prefix(hits[i].Text, max(least, len(hits[i].Text)*2/3))
		f.omitted.add("bytes of text", len(hits[i].Text)-len(short))
		hits[i].Text, hits[i].End = short, hits[i].Start+len(short)
		return true
	}
}

// dropHit removes the last hit unless it is the only one.
func (f *hitShrinker) dropHit() bool {
	return len(f.out.Hits) > 1 && f.dropLast()
}

func (f *hitShrinker) dropLast() bool {
	n := len(f.out.Hits)
	if n == 0 {
		return false
	}
	f.out.Hits = f.out.Hits[:n-1]
	f.omitted.add("hits", 1)
	return true
}

func (f *hitShrinker) dropWarning() bool {
	n := len(f.warnings)
	if n == 0 {
		return false
	}
	f.warnings = f.warnings[:n-1]
	f.omitted.add("warnings", 1)
	return true
}

func (f *hitShrinker) text() string {
	var b strings.Builder
	if len(f.out.Hits) == 0 {
		b.WriteString("Nothing in the memory matches.\n")
	}
	for i, h := range f.out.Hits {
		fmt.Fprintf(&b, "%d. %s, %s\n", i+1, where(h.Title, h.URL, h.Source), age(h.AgeDays))
		if h.Untrusted {
			fence(&b, f.word, "untrusted text from "+line(h.Source, 40), h.Text)
		} else {
			fence(&b, f.word, "remembered text", h.Text)
		}
	}
	if f.out.Index != evidence.IndexReady && f.out.Index != "" {
		fmt.Fprintf(&b, "\nIndex: %s\n", f.out.Index)
	}
	footer(&b, nil, nil, f.out.Warnings)
	return b.String()
}

func age(days int) string {
	switch days {
	case 0:
		return "read today"
	case 1:
		return "read 1 day ago"
	}
	return fmt.Sprintf("read %d days ago", days)
}
