package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// FetchSourcesIn holds the arguments of fetch-sources.
type FetchSourcesIn struct {
	Query         string   `json:"query,omitempty" jsonschema:"Search keywords"`
	URLs          []string `json:"urls,omitempty" jsonschema:"Public http(s) addresses to read"`
	Sources       []string `json:"sources,omitempty" jsonschema:"Search only these, named as in research; default: those that fit"`
	Limit         *int     `json:"limit,omitempty" jsonschema:"Most documents"`
	FullText      bool     `json:"full_text,omitempty" jsonschema:"Also read the pages that hits link to"`
	BudgetSeconds *int     `json:"budget_seconds,omitempty" jsonschema:"Later sources are left out"`
	MaxTokens     *int     `json:"max_tokens,omitempty" jsonschema:"Most tokens of the result; long texts are cut"`
}

func fetchSources(d Deps) Definition {
	return define(
		Definition{
			Name:  "fetch-sources",
			Title: "Read sources",
			// Not read-only: what was read is kept in the memory.
			Hints: Hints{Idempotent: true, OpenWorld: true},
			Slow:  true,
			InputSchema: input[FetchSourcesIn](
				textOf("query", 1, 2000), listOf("urls", 20, research.MaxURL), listOf("sources", maxSources, maxName),
				numberOf("limit", 1, research.MaxRead, research.DefaultRead), falseByDefault("full_text"), d.budget(), tokens(),
			),
			OutputSchema: output[research.ReadResult](
				opaque("documents[]", "id", "source", "url", "title", "text"),
				opaque("sources[]"), describeField("sources", "As research reports them"),
				opaque("not_asked[]"),
			),
		},
		func(ctx context.Context, in FetchSourcesIn, observe Observe) (research.ReadResult, error) {
			req, err := in.request()
			if err != nil {
				return research.ReadResult{}, err
			}
			return d.Engine.Read(ctx, req, observe)
		},
		func(in FetchSourcesIn, out research.ReadResult) (research.ReadResult, string) {
			return shrinkDocuments(out, orDefault(in.MaxTokens, research.DefaultMaxTokens), d.Zone, d.Boundary)
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
	out      research.ReadResult
	full     []string // the texts before anything was cut
	warnings []string
	omitted  omissions
	zone     *time.Location // of the days that are shown: those that people type are of it, too
	max      int
	word     string // fences foreign text in this result
}

// shrinkDocuments cuts out to maxTokens, both as JSON and as text. It cuts long
// texts first, the longest most, and removes documents when that is not enough.
func shrinkDocuments(out research.ReadResult, maxTokens int, zone *time.Location, next func() string) (research.ReadResult, string) {
	f := &documentShrinker{out: out, zone: zone, warnings: out.Warnings, max: maxTokens, full: make([]string, len(out.Documents))}
	for i, d := range out.Documents {
		f.full[i] = d.Text
	}
	f.word = boundary(next, f.full...)
	if f.fits() {
		return f.out, f.text()
	}
	f.out.Documents, f.out.Sources = slices.Clone(out.Documents), slices.Clone(out.Sources)
	room := 4 * maxTokens // bytes: a token has at most about four
	shrink(f.fits, func() bool {
		room = room * 7 / 8
		return f.cutTexts(room)
	}, f.dropNotAsked, f.dropDetails, f.dropDocument, f.dropSource, f.dropWarning)
	f.fits() // updates the warning after the last step
	return f.out, f.text()
}

func (f *documentShrinker) fits() bool {
	f.out.Warnings = f.omitted.with(f.warnings, f.max)
	return jsonTokens(f.out) <= f.max && text.EstimateTokens(f.text()) <= f.max
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

func (f *documentShrinker) dropNotAsked() bool {
	n := len(f.out.NotAsked)
	f.out.NotAsked = nil
	f.omitted.add("sources not asked", n)
	return n > 0
}

// dropDetails removes the metadata and tags of the last document that has any:
// only a program reads them.
func (f *documentShrinker) dropDetails() bool {
	for i := range slices.Backward(f.out.Documents) {
		if d := &f.out.Documents[i]; len(d.Meta) > 0 || len(d.Tags) > 0 {
			f.omitted.add("details", len(d.Meta)+len(d.Tags))
			d.Meta, d.Tags = nil, nil
			return true
		}
	}
	return false
}

// dropDocument removes the last document, or shortens the only one.
func (f *documentShrinker) dropDocument() bool {
	n := len(f.out.Documents)
	if n == 0 {
		return false
	}
	last := &f.out.Documents[n-1]
	if n == 1 && len(last.Text) > 16 {
		short := prefix(last.Text, len(last.Text)*2/3)
		f.omitted.add("bytes of text", len(last.Text)-len(short))
		last.Text, last.Truncated = short, true
		return true
	}
	f.out.Documents = f.out.Documents[:n-1]
	f.omitted.add("documents", 1)
	return true
}

func (f *documentShrinker) dropSource() bool {
	n := len(f.out.Sources)
	if n == 0 {
		return false
	}
	f.out.Sources = f.out.Sources[:n-1]
	f.omitted.add("source reports", 1)
	return true
}

func (f *documentShrinker) dropWarning() bool {
	n := len(f.warnings)
	if n == 0 {
		return false
	}
	f.warnings = f.warnings[:n-1]
	f.omitted.add("warnings", 1)
	return true
}

func (f *documentShrinker) text() string {
	var b strings.Builder
	if len(f.out.Documents) == 0 {
		b.WriteString("No documents.\n")
	}
	for i, d := range f.out.Documents {
		fmt.Fprintf(&b, "%d. %s\n", i+1, where(d.Title, d.URL, d.Source))
		about := "untrusted text from " + line(d.Source, 40)
		if !d.Retrieved.IsZero() {
			about += " read " + d.Retrieved.In(f.zone).Format(time.DateOnly)
		}
		if d.Truncated {
			about += ", cut short"
		}
		fence(&b, f.word, about, d.Text)
	}
	footer(&b, f.out.Sources, f.out.NotAsked, f.out.Warnings)
	return b.String()
}
