package tools

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
)

// RecallIn holds the arguments of recall.
type RecallIn struct {
	Query     string   `json:"query" jsonschema:"What to look for"`
	K         *int     `json:"k,omitempty" jsonschema:"Hits, 1 to 50, default 8"`
	Source    string   `json:"source,omitempty" jsonschema:"Only of this source; note: what remember kept"`
	Session   string   `json:"session,omitempty" jsonschema:"Only of this session (s_…)"`
	Tags      []string `json:"tags,omitempty" jsonschema:"Only with all of these"`
	Since     string   `json:"since,omitempty" jsonschema:"Read since a date such as 2026-01-31, 2026-01 or 7d (ago)"`
	Until     string   `json:"until,omitempty" jsonschema:"Read until a date"`
	MaxTokens *int     `json:"max_tokens,omitempty" jsonschema:"Of the result, 200 to 50000, default 4000"`
}

// RecallOut is the structured result of recall. Texts are fenced.
type RecallOut struct {
	Notice   string        `json:"notice"`
	Hits     []RecalledHit `json:"hits"`
	Index    string        `json:"index"`
	Warnings []string      `json:"warnings"`
}

// RecalledHit is what a model needs of a passage.
type RecalledHit struct {
	DocumentID string   `json:"document_id"`
	Title      string   `json:"title"`
	URL        string   `json:"url,omitempty"`
	Source     string   `json:"source"`
	Text       string   `json:"text"`
	Score      float64  `json:"score,omitempty"`
	Retrieved  string   `json:"retrieved_at,omitempty"` // a date
	Untrusted  bool     `json:"untrusted"`
	Tags       []string `json:"tags,omitempty"`
}

func recall(d Deps) Definition {
	return define(d,
		Definition{
			Name:      "recall",
			Title:     "Search the memory",
			Search:    "memory, notes",
			MostChars: mostChars,
			Example:   `{"query":"How does Go schedule goroutines?"}`,
			Hints:     Hints{ReadOnly: true, Idempotent: true},
			args: input[RecallIn](
				textOf("query", 1, library.MaxQuery), numberOf("k", 1, library.MaxHits, library.DefaultHits), textOf("source", 1, maxName),
				textOf("session", 1, maxID), listOf("tags", maxTags, maxName), textOf("since", 0, maxDate), textOf("until", 0, maxDate), tokens(),
			),
			OutputSchema: output[RecallOut](d.Structured,
				require("hits[]", "document_id", "title", "text"),
				describeField("index", "ready, warming or lexical"),
			),
		},
		func(ctx context.Context, in RecallIn, _ Observe) (library.RecallResult, error) {
			req, err := in.request(d.Now(), d.Zone)
			if err != nil {
				return library.RecallResult{}, err
			}
			return d.Library.Recall(ctx, req)
		},
		func(in RecallIn, out library.RecallResult) (string, any) {
			f := shrinkHits(out, d.limit(in.MaxTokens), d.Zone, d.Boundary)
			return f.text(), framed{f.word, f.json()}
		},
	)
}

func (in RecallIn) request(now time.Time, zone *time.Location) (library.RecallRequest, error) {
	req := library.RecallRequest{Query: in.Query, K: orDefault(in.K, 0), Source: in.Source, Session: in.Session, Tags: in.Tags}
	var err error
	if req.Since, err = library.ParseTime(`argument "since"`, in.Since, false, now, zone); err != nil {
		return req, err
	}
	req.Until, err = library.ParseTime(`argument "until"`, in.Until, true, now, zone)
	return req, err
}

// hitShrinker removes parts of its own copy of recalled passages.
type hitShrinker struct {
	out     library.RecallResult
	found   int // hits before any was left out
	omitted omissions
	zone    *time.Location
	limit   budget
	word    string // fences foreign text in this result
}

// shrinkHits cuts out to its budget: it shortens the longest texts, then removes the
// last hits. Of the only one, the id and some words stay as long as they fit.
func shrinkHits(out library.RecallResult, limit budget, zone *time.Location, next func() string) *hitShrinker {
	f := &hitShrinker{out: out, found: len(out.Hits), zone: zone, limit: limit, word: boundary(next, allOf(out))}
	f.out.Hits = slices.Clone(out.Hits)
	shrink(f.fits, f.shortenTo(400), f.dropBulk, f.dropHit, f.shortenTo(100), f.dropTags, f.shortenTitleTo(40), f.shortenTo(40),
		f.dropWarning, f.dropScore, f.dropAddress, f.shortenTitleTo(8), f.shortenTo(16), f.dropLast)
	return f
}

func (f *hitShrinker) fits() bool { return f.limit.holds(f.text(), f.json) }

// json is the structured result.
func (f *hitShrinker) json() any {
	out := RecallOut{Notice: noticeOf(f.word), Hits: []RecalledHit{}, Index: f.out.Index}
	for _, h := range f.out.Hits {
		out.Hits = append(out.Hits, RecalledHit{DocumentID: h.DocumentID, Title: h.Title, URL: h.URL, Source: h.Source, Text: fenced(f.word, h.Text),
			Score: math.Round(h.Score*1000) / 1000, Retrieved: date(h.Retrieved, f.zone), Untrusted: h.Untrusted, Tags: h.Tags})
	}
	out.Warnings = f.omitted.with(f.out.Warnings, f.limit.tokens)
	return out
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

// dropBulk removes the address, tags or title of a hit that takes more room by
// them alone than its share: the others must not go for it.
func (f *hitShrinker) dropBulk() bool {
	share := f.limit.tokens / (2 * max(1, len(f.out.Hits)))
	for i := range f.out.Hits {
		h := &f.out.Hits[i]
		if text.TokenBound(h.URL+h.Title+strings.Join(h.Tags, " ")) <= share {
			continue
		}
		switch {
		case len(h.Tags) > 0:
			f.omitted.add("tags", len(h.Tags))
			h.Tags = nil
		case h.URL != "":
			f.omitted.add("addresses", 1)
			h.URL = ""
		case len(h.Title) > shortTitle:
			h.Title = ellipsis(h.Title, shortTitle)
		default:
			continue
		}
		return true
	}
	return false
}

const shortTitle = 80 // bytes

func (f *hitShrinker) dropTags() bool {
	return f.dropOf("tags", func(h *library.RecallHit) int {
		n := len(h.Tags)
		h.Tags = nil
		return n
	})
}

// dropAddress removes the addresses of hits: their ids lead to them.
func (f *hitShrinker) dropAddress() bool {
	return f.dropOf("addresses", func(h *library.RecallHit) int {
		n := min(1, len(h.URL))
		h.URL = ""
		return n
	})
}

func (f *hitShrinker) dropScore() bool {
	return f.dropOf("scores", func(h *library.RecallHit) int {
		if h.Score == 0 {
			return 0
		}
		h.Score = 0
		return 1
	})
}

// dropOf removes a part of each hit and reports whether any had it.
func (f *hitShrinker) dropOf(what string, drop func(*library.RecallHit) int) bool {
	n := 0
	for i := range f.out.Hits {
		n += drop(&f.out.Hits[i])
	}
	f.omitted.add(what, n)
	return n > 0
}

// shortenTitleTo cuts the longest title, to least bytes at the end.
func (f *hitShrinker) shortenTitleTo(least int) step {
	return func() bool {
		hits := f.out.Hits
		i := longest(len(hits), least, func(i int) int { return len(hits[i].Title) })
		if i < 0 {
			return false
		}
		hits[i].Title = ellipsis(hits[i].Title, max(least, len(hits[i].Title)*2/3))
		f.omitted.add("ends of titles", 1)
		return true
	}
}

// dropHit removes the last hit unless it is the only one.
func (f *hitShrinker) dropHit() bool {
	return len(f.out.Hits) > 1 && f.dropLast()
}

func (f *hitShrinker) dropLast() bool { return dropLast(&f.out.Hits, &f.omitted, "hits") }

func (f *hitShrinker) dropWarning() bool { return dropLast(&f.out.Warnings, &f.omitted, "warnings") }

func (f *hitShrinker) text() string {
	var b strings.Builder
	switch {
	case len(f.out.Hits) == 0 && f.found > 0:
		fmt.Fprintf(&b, "%s in the memory match, and none fits into max_tokens=%d: raise it.\n", text.Count(f.found, "passage"), f.limit.tokens)
	case len(f.out.Hits) == 0:
		b.WriteString("Nothing in the memory matches.\n")
	}
	for i, h := range f.out.Hits {
		fmt.Fprintf(&b, "%d. %s%s\n", i+1, address(h.DocumentID, h.URL),
			details(line(h.Source, 40), day("read", h.Retrieved, f.zone), age(h.AgeDays), tagList(h.Tags)))
		about := "remembered text"
		if h.Untrusted {
			about = "untrusted text from " + line(h.Source, 40)
		}
		fence(&b, f.word, about, titled(h.Title, h.Text))
	}
	if f.out.Index != evidence.IndexReady && f.out.Index != "" {
		fmt.Fprintf(&b, "\nIndex: %s\n", f.out.Index)
	}
	footer(&b, f.word, nil, nil, f.out.Warnings, f.omitted.warning(f.limit.tokens))
	return b.String()
}

func age(days int) string {
	switch days {
	case 0:
		return "today"
	case 1:
		return "1 day ago"
	}
	return fmt.Sprintf("%d days ago", days)
}
