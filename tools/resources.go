package tools

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Reader returns what is stored: an answer or a document in full, and lists, the newest
// first. An unknown id is an *evidence.Problem. It is safe for concurrent use; see
// library.Library.
type Reader interface {
	Run(ctx context.Context, id string) (evidence.Answer, error)
	Document(ctx context.Context, id string) (evidence.Document, error)
	Runs(ctx context.Context, limit int) ([]library.RunInfo, error)
	Documents(ctx context.Context, filter library.DocumentFilter) ([]evidence.Document, error)
	// Position is another one after each change of a document.
	Position(ctx context.Context) (string, error)
}

// SourceInfo is a source as research://sources lists it.
type SourceInfo struct {
	Name  string
	About string   // one line for people
	Kinds []string // of questions; none: it is asked only by name
	Off   string   // what to do to turn it on; "": it is on
}

// Resource is something that a client can read by its address: that of Address, which has
// an id in place of {id} if there is one for each id.
type Resource struct {
	Address string
	Name    string
	Title   string
	About   string
	Type    string // of the content

	Read     func(ctx context.Context, id string) (string, error) // id is "" without {id}
	Complete Completer                                            // of the id; nil without {id}
	Watch    func(id string) Watch                                // nil: it does not change
}

// Template reports whether there is one for each id.
func (r Resource) Template() bool { return strings.Contains(r.Address, "{id}") }

// Resources returns the list of sources, and what is stored in d.Reader, nothing of that
// without one. They are not cut to a number of tokens. Foreign text in Markdown stands in a
// fence; JSON is for programs, and has it as it was read.
func Resources(d Deps) []Resource {
	d = d.withDefaults()
	out := []Resource{{
		Address: "research://sources", Name: "sources", Title: "The sources", Type: "text/markdown",
		About: "Each source that can be asked: what it has, and how to turn on those that are off",
		Read:  func(context.Context, string) (string, error) { return sourcesText(d.AllSources), nil },
	}}
	if d.Reader != nil {
		out = append(out, storedResources(d)...)
	}
	return out
}

func sourcesText(all []SourceInfo) string {
	var on, off strings.Builder
	for _, s := range all {
		about := "only if it is named"
		if len(s.Kinds) > 0 {
			about = strings.Join(s.Kinds, ", ")
		}
		if s.Off == "" {
			fmt.Fprintf(&on, "- %s: %s (asked about: %s)\n", s.Name, s.About, about)
			continue
		}
		fmt.Fprintf(&off, "- %s: %s; %s\n", s.Name, s.About, s.Off)
	}
	var b strings.Builder
	for _, part := range []struct{ head, list string }{{"On", on.String()}, {"Off", off.String()}} {
		if part.list != "" {
			fmt.Fprintf(&b, "# %s\n\n%s\n", part.head, part.list)
		}
	}
	b.WriteString("`research` chooses by the question; its argument `sources` names some of them instead.\n")
	return b.String()
}

func storedResources(d Deps) []Resource {
	unlimited := budget{tokens: math.MaxInt}
	return []Resource{
		{
			Address: "memory://documents/{id}", Name: "document", Title: "A document of the memory", Type: "text/markdown",
			About:    "The whole text of a document by its id (d_…), which results name",
			Complete: d.completeDocument, Watch: d.watchDocument,
			Read: func(ctx context.Context, id string) (string, error) {
				doc, err := d.Reader.Document(ctx, id)
				if err != nil {
					return "", err
				}
				out := research.ReadResult{Documents: []evidence.Document{doc}}
				f := shrinkDocuments(out, unlimited, d.Zone, d.Boundary)
				return defuse(f.text(), f.word), nil
			},
		},
		{
			Address: "research://runs/{id}", Name: "run", Title: "An answer with its passages", Type: "text/markdown",
			About:    "An answer of research by its run (r_…), with all passages that it was made from",
			Complete: d.completeRun, Watch: d.watchRun,
			Read: func(ctx context.Context, id string) (string, error) {
				a, err := d.Reader.Run(ctx, id)
				if err != nil {
					return "", err
				}
				f := shrinkAnswer(a, unlimited, d.Zone, d.Boundary)
				return defuse(f.text(), f.word), nil
			},
		},
		{
			Address: "research://runs/{id}/json", Name: "run-json", Title: "An answer, for programs", Type: "application/json",
			About:    "The same with every claim, verdict, offset and figure, as `run --format json` prints it; texts are not fenced",
			Complete: d.completeRun, Watch: d.watchRun,
			Read: func(ctx context.Context, id string) (string, error) {
				a, err := d.Reader.Run(ctx, id)
				if err != nil {
					return "", err
				}
				raw, err := encode(a)
				return string(raw), err
			},
		},
	}
}
