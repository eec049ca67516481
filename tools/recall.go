package tools

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

const defaultRecallHits = 8

// RecallIn are the arguments of recall.
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

// RecallHit is a remembered passage: Text is the document's text from Start to
// End, in bytes.
type RecallHit struct {
	DocumentID string    `json:"document_id"`
	Title      string    `json:"title"`
	URL        string    `json:"url"`
	Source     string    `json:"source"`
	Text       string    `json:"text"`
	Start      int       `json:"start"`
	End        int       `json:"end"`
	Score      float64   `json:"score"`
	Retrieved  time.Time `json:"retrieved_at,omitzero"`
	AgeDays    int       `json:"age_days"` // since it was read
	Untrusted  bool      `json:"untrusted"`
	Tags       []string  `json:"tags"`
}

// RecallOut is what the memory holds on a query, best first. Slices are never
// nil.
type RecallOut struct {
	Hits     []RecallHit `json:"hits"`
	Index    string      `json:"index"`
	Warnings []string    `json:"warnings"`
}

func recall(d Deps) Definition {
	return define(
		Definition{
			Name:  "recall",
			Title: "Search the memory",
			Hints: Hints{ReadOnly: true, Idempotent: true},
			InputSchema: input[RecallIn](
				textOf("query", 1, research.MaxQuestion), numberOf("k", 1, 50, defaultRecallHits), textOf("source", 1, maxName),
				textOf("session", 1, maxID), listOf("tags", maxTags, maxName), textOf("since", 0, maxDate), textOf("until", 0, maxDate), tokens(),
			),
			OutputSchema: output[RecallOut](
				require("hits[]", "document_id", "title", "url", "text"),
				describeField("index", "ready, warming or lexical"),
			),
		},
		func(ctx context.Context, in RecallIn, _ Observe) (RecallOut, error) {
			return Recall(ctx, d.Recall, d.Now, in)
		},
		func(in RecallIn, out RecallOut) (RecallOut, string) {
			return shrinkHits(out, orDefault(in.MaxTokens, research.DefaultMaxTokens), d.Boundary)
		},
	)
}

// Recall searches r as in says, whose bounds were checked.
func Recall(ctx context.Context, r Recaller, now func() time.Time, in RecallIn) (RecallOut, error) {
	if strings.TrimSpace(in.Query) == "" {
		return RecallOut{}, evidence.BadInput(
			fmt.Sprintf("argument \"query\" is %d bytes of white space", len(in.Query)), "give what to look for in words")
	}
	since, err := parseDate("since", in.Since, false)
	if err != nil {
		return RecallOut{}, err
	}
	until, err := parseDate("until", in.Until, true)
	if err != nil {
		return RecallOut{}, err
	}
	if !since.IsZero() && !until.IsZero() && since.After(until) {
		return RecallOut{}, evidence.BadInput(fmt.Sprintf("since %s is after until %s", in.Since, in.Until), "swap them")
	}
	got, err := r.Recall(ctx, evidence.RecallQuery{
		Text:    in.Query,
		K:       orDefault(in.K, defaultRecallHits),
		Source:  in.Source,
		Session: in.Session,
		Tags:    in.Tags,
		Since:   since,
		Until:   until,
	})
	if err != nil {
		return RecallOut{}, err
	}
	out := RecallOut{Hits: make([]RecallHit, len(got.Hits)), Index: got.Index, Warnings: nonNil(got.Warnings)}
	for i, h := range got.Hits {
		out.Hits[i] = hit(h, now())
	}
	return out, nil
}

// parseDate reads RFC 3339, or a day in UTC: its first moment, or its last when
// endOfDay says so.
func parseDate(name, s string, endOfDay bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, evidence.BadInput(fmt.Sprintf("argument %q is %s", name, quote(s)), "give a date such as 2026-01-31 or 2026-01-31T15:04:05Z")
	}
	if endOfDay {
		t = t.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	return t, nil
}

func hit(h evidence.Hit, now time.Time) RecallHit {
	age := 0
	if r := h.Document.Retrieved; !r.IsZero() && now.After(r) {
		age = int(math.Floor(now.Sub(r).Hours() / 24))
	}
	id := h.Passage.DocumentID
	if id == "" {
		id = h.Document.ID
	}
	return RecallHit{
		DocumentID: id,
		Title:      h.Document.Title,
		URL:        h.Document.URL,
		Source:     h.Document.Source,
		Text:       h.Passage.Text,
		Start:      h.Passage.Start,
		End:        h.Passage.End,
		Score:      h.Passage.Score,
		Retrieved:  h.Document.Retrieved,
		AgeDays:    age,
		Untrusted:  h.Document.Untrusted,
		Tags:       nonNil(h.Document.Tags),
	}
}

// hitShrinker removes parts of its own copy of recalled passages.
type hitShrinker struct {
	out      RecallOut
	warnings []string
	omitted  omissions
	max      int
	word     string // fences foreign text in this result
}

// shrinkHits cuts out to maxTokens, both as JSON and as text: it shortens the
// longest texts, then removes the last hits.
func shrinkHits(out RecallOut, maxTokens int, next func() string) (RecallOut, string) {
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
