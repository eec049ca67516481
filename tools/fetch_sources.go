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

// FetchSourcesIn holds the arguments of fetch-sources.
type FetchSourcesIn struct {
	Query         string   `json:"query,omitempty" jsonschema:"Search keywords"`
	URLs          []string `json:"urls,omitempty" jsonschema:"Pages to read, at most 20: https://…"`
	Sources       []string `json:"sources,omitempty" jsonschema:"Search only these, as in research"`
	Limit         *int     `json:"limit,omitempty" jsonschema:"Documents, 1 to 50, default 8"`
	FullText      bool     `json:"full_text,omitempty" jsonschema:"Also read pages that hits link to; default false"`
	BudgetSeconds *int     `json:"budget_seconds,omitempty" jsonschema:"Seconds, 1 to 600, default %d"`
	MaxTokens     *int     `json:"max_tokens,omitempty" jsonschema:"Of the result, 200 to 50000, default 4000"`
}

// FetchSourcesOut is the structured result of fetch-sources. Texts are fenced.
type FetchSourcesOut struct {
	Notice    string                  `json:"notice"`
	Documents []FetchedDocument       `json:"documents"`
	Sources   []evidence.SourceReport `json:"sources"`
	NotAsked  []evidence.NotAsked     `json:"not_asked,omitempty"`
	Warnings  []string                `json:"warnings"`
}

// FetchedDocument is what a model needs of a document.
type FetchedDocument struct {
	ID        string   `json:"id"`
	Source    string   `json:"source"`
	URL       string   `json:"url"`
	Title     string   `json:"title"`
	Text      string   `json:"text"`
	Published string   `json:"published_at,omitempty"` // a date
	Retrieved string   `json:"retrieved_at,omitempty"` // a date
	Untrusted bool     `json:"untrusted,omitempty"`
	Truncated bool     `json:"truncated,omitempty"`
	Tags      []string `json:"tags,omitempty"`
}

func fetchSources(d Deps) Definition {
	return define(d,
		Definition{
			Name:      "fetch-sources",
			Title:     "Read sources",
			Search:    "fetch web pages, read documents",
			MostChars: mostChars,
			Example:   `{"query":"go scheduler"}`,
			OneOf:     []string{"query", "urls"},
			// Read-only as clients mean it: nothing of the user's world changes. What was
			// read is kept in the memory.
			Hints: Hints{ReadOnly: true, Idempotent: true, OpenWorld: true},
			Slow:  true,
			args: input[FetchSourcesIn](
				textOf("query", 1, 2000), listOf("urls", 20, research.MaxURL), listOf("sources", maxSources, maxName),
				numberOf("limit", 1, research.MaxRead, research.DefaultRead), falseByDefault("full_text"), d.budget(), tokens(),
			),
			OutputSchema: output[FetchSourcesOut](d.Structured,
				require("documents[]", "id", "source", "url", "title", "text"),
				opaque("sources[]"), describeField("sources", "As research reports them"),
				opaque("not_asked[]"),
			),
		},
		func(ctx context.Context, in FetchSourcesIn, observe Observe) (research.ReadResult, error) {
			req, err := in.request()
			if err != nil {
				return research.ReadResult{}, err
			}
			if in.BudgetSeconds == nil {
				req.Budget = d.defaultBudget(ctx)
			}
			return d.Engine.Read(ctx, req, observe)
		},
		func(in FetchSourcesIn, out research.ReadResult) (string, any) {
			f := shrinkDocuments(out, d.limit(in.MaxTokens), d.Zone, d.Boundary)
			return f.text(), framed{f.word, f.json()}
		},
	)
}

func (in FetchSourcesIn) request() (research.ReadRequest, error) {
	for i, u := range in.URLs {
		if err := library.CheckURL(fmt.Sprintf("argument \"urls[%d]\"", i), u); err != nil {
			return research.ReadRequest{}, err
		}
	}
	return research.ReadRequest{Query: in.Query, URLs: in.URLs, Sources: in.Sources, Limit: orDefault(in.Limit, 0),
		FullText: in.FullText, Budget: seconds(in.BudgetSeconds)}, nil
}

// documentShrinker removes parts of its own copy of fetched documents.
type documentShrinker struct {
	out     research.ReadResult
	full    []string // the texts before anything was cut
	omitted omissions
	zone    *time.Location // of the days that are shown: those that people type are of it, too
	limit   budget
	word    string // fences foreign text in this result
}

// shrinkDocuments cuts out to its budget. It cuts long texts first, the longest most,
// and removes documents when that is not enough.
func shrinkDocuments(out research.ReadResult, limit budget, zone *time.Location, next func() string) *documentShrinker {
	f := &documentShrinker{out: out, zone: zone, limit: limit, full: make([]string, len(out.Documents))}
	for i, d := range out.Documents {
		f.full[i] = d.Text
	}
	f.word = boundary(next, allOf(out))
	f.out.Documents, f.out.Sources = slices.Clone(out.Documents), slices.Clone(out.Sources)
	room := 4 * limit.tokens // bytes: a token has at most about four
	shrink(f.fits, func() bool {
		room = room * 7 / 8
		return f.cutTexts(room)
	}, f.dropNotAsked, f.dropBulk, f.dropDocument, f.dropSource, f.dropWarning, f.dropDetails, f.dropLast)
	return f
}

func (f *documentShrinker) fits() bool { return f.limit.holds(f.text(), f.json) }

// json is the structured result.
func (f *documentShrinker) json() any {
	out := FetchSourcesOut{Notice: noticeOf(f.word), Documents: []FetchedDocument{}, Sources: f.out.Sources, NotAsked: f.out.NotAsked}
	for _, d := range f.out.Documents {
		out.Documents = append(out.Documents, FetchedDocument{ID: d.ID, Source: d.Source, URL: d.URL, Title: d.Title, Text: fenced(f.word, d.Text),
			Published: date(d.Published, f.zone), Retrieved: date(d.Retrieved, f.zone), Untrusted: d.Untrusted, Truncated: d.Truncated, Tags: d.Tags})
	}
	out.Warnings = f.omitted.with(f.out.Warnings, f.limit.tokens)
	return out
}

// cutTexts cuts the documents' texts to room bytes in total, as long as that
// leaves enough of each.
func (f *documentShrinker) cutTexts(room int) bool {
	const least = 240
	if room < least*len(f.full) {
		return false
	}
	lengths := make([]int, len(f.full))
	for i, t := range f.full {
		lengths[i] = len(t)
	}
	f.omitted = omissions{}
	for i, n := range shares(lengths, room) {
		d := &f.out.Documents[i]
		if n < lengths[i] {
			d.Text, d.Truncated = prefix(f.full[i], n), true
			f.omitted.add("bytes of text", lengths[i]-len(d.Text))
		}
	}
	return true
}

// dropBulk removes the address, tags or title of a document that takes more room by
// them alone than its share: the others must not go for it.
func (f *documentShrinker) dropBulk() bool {
	share := f.limit.tokens / (2 * max(1, len(f.out.Documents)))
	for i := range f.out.Documents {
		d := &f.out.Documents[i]
		if text.TokenBound(d.URL+d.Title+strings.Join(d.Tags, " ")) <= share {
			continue
		}
		switch {
		case len(d.Tags) > 0:
			f.omitted.add("tags", len(d.Tags))
			d.Tags = nil
		case d.URL != "":
			f.omitted.add("addresses", 1)
			d.URL = ""
		case len(d.Title) > shortTitle:
			d.Title = ellipsis(d.Title, shortTitle)
		default:
			continue
		}
		return true
	}
	return false
}

func (f *documentShrinker) dropNotAsked() bool {
	n := len(f.out.NotAsked)
	f.out.NotAsked = nil
	f.omitted.add("sources not asked", n)
	return n > 0
}

// dropDocument removes the last document, or shortens the only one.
func (f *documentShrinker) dropDocument() bool {
	n := len(f.out.Documents)
	if n > 1 {
		return f.dropLast()
	}
	if n == 0 || len(f.out.Documents[0].Text) <= 16 {
		return false
	}
	d := &f.out.Documents[0]
	short := prefix(d.Text, len(d.Text)*2/3)
	f.omitted.add("bytes of text", len(d.Text)-len(short))
	d.Text, d.Truncated = short, true
	return true
}

// dropDetails leaves of the only document its id, address, source and text.
func (f *documentShrinker) dropDetails() bool {
	for i, d := range f.out.Documents {
		if len(d.Tags) > 0 || !d.Published.IsZero() || d.Title != "" {
			f.out.Documents[i].Tags, f.out.Documents[i].Published, f.out.Documents[i].Title = nil, time.Time{}, ""
			return true
		}
	}
	return false
}

func (f *documentShrinker) dropLast() bool {
	return dropLast(&f.out.Documents, &f.omitted, "documents")
}

func (f *documentShrinker) dropSource() bool {
	return dropLast(&f.out.Sources, &f.omitted, "source reports")
}

func (f *documentShrinker) dropWarning() bool {
	return dropLast(&f.out.Warnings, &f.omitted, "warnings")
}

func (f *documentShrinker) text() string {
	var b strings.Builder
	if len(f.out.Documents) == 0 {
		b.WriteString("No documents.\n")
	}
	for i, d := range f.out.Documents {
		cut := ""
		if d.Truncated {
			cut = "cut short"
		}
		fmt.Fprintf(&b, "%d. %s%s\n", i+1, address(d.ID, d.URL),
			details(line(d.Source, 40), day("published", d.Published, f.zone), day("read", d.Retrieved, f.zone), cut, tagList(d.Tags)))
		fence(&b, f.word, "untrusted text from "+line(d.Source, 40), titled(d.Title, d.Text))
	}
	footer(&b, f.word, f.out.Sources, f.out.NotAsked, f.out.Warnings, f.omitted.warning(f.limit.tokens))
	return b.String()
}
