package tools

import (
	"context"
	"math"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Reader returns what is stored, in full. An unknown id is an *evidence.Problem. It is
// safe for concurrent use; see library.Library.
type Reader interface {
	Run(ctx context.Context, id string) (evidence.Answer, error)
	Document(ctx context.Context, id string) (evidence.Document, error)
}

// Resource is something stored that a client can read by its address: Template with an id
// in place of {id}.
type Resource struct {
	Template string
	Name     string
	Title    string
	About    string
	Type     string // of the content

	Read func(ctx context.Context, id string) (string, error)
}

// Resources returns the resources of d.Reader, none without one. They are not cut to a
// number of tokens. Foreign text in Markdown stands in a fence; JSON is for programs, and
// has it as it was read.
func Resources(d Deps) []Resource {
	if d.Reader == nil {
		return nil
	}
	d = d.withDefaults()
	unlimited := budget{tokens: math.MaxInt}
	return []Resource{
		{
			Template: "memory://documents/{id}", Name: "document", Title: "A document of the memory", Type: "text/markdown",
			About: "The whole text of a document by its id (d_…), which results name",
			Read: func(ctx context.Context, id string) (string, error) {
				doc, err := d.Reader.Document(ctx, id)
				if err != nil {
					return "", err
				}
				out := research.ReadResult{Documents: []evidence.Document{doc}}
				return shrinkDocuments(out, unlimited, d.Zone, d.Boundary).text(), nil
			},
		},
		{
			Template: "research://runs/{id}", Name: "run", Title: "An answer with its passages", Type: "text/markdown",
			About: "An answer of research by its run (r_…), with all passages that it was made from",
			Read: func(ctx context.Context, id string) (string, error) {
				a, err := d.Reader.Run(ctx, id)
				if err != nil {
					return "", err
				}
				return shrinkAnswer(a, unlimited, d.Zone, d.Boundary).text(), nil
			},
		},
		{
			Template: "research://runs/{id}/json", Name: "run-json", Title: "An answer, for programs", Type: "application/json",
			About: "The same with every claim, verdict, offset and figure, as `run --format json` prints it; texts are not fenced",
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
