package research_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/memory"
)

// encyclopedia is a source with one article.
type encyclopedia struct{}

func (encyclopedia) Name() string { return "encyclopedia" }

func (encyclopedia) Search(ctx context.Context, _ evidence.Query) ([]evidence.Document, error) {
	const url, text = "https://encyclopedia.test/heron", "The grey heron is a wading bird. It hunts fish in shallow water."
	return []evidence.Document{{ID: evidence.DocumentID("encyclopedia", url, text), Source: "encyclopedia", URL: url,
		Title: "Grey heron", Text: text, Score: 1, Untrusted: true}}, ctx.Err()
}

// analyst computes the statistics in this process; the program uses an isolated
// one.
type analyst struct{}

func (analyst) Analyse(_ context.Context, in evidence.AnalysisInput) evidence.Analysis {
	return research.Analyse(in)
}

// A question is answered from one source, with citations that are checked.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "research-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m, err := memory.Open(ctx, memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	models := all.Of(builtin.Models(nil))
	engine := research.New(research.DefaultConfig(), research.Deps{
		Sources:  []research.Source{encyclopedia{}},
		Library:  library.New(library.Deps{Memory: m, Models: models}),
		Sessions: m,
		Models:   models,
		Analyst:  analyst{},
		Now:      time.Now,
		NewID:    func(prefix string) string { return prefix + "example" },
	})
	defer engine.Close()

	answer, err := engine.Research(ctx, research.Request{Question: "What is the grey heron?"}, func(e research.Event) {
		if e.Kind == research.EventSource {
			fmt.Println(e.Source.Name, e.Source.Status, e.Source.Documents)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status)
	for _, c := range answer.Citations {
		fmt.Printf("[%d] %s: %q\n", c.N, c.Title, c.Quote)
	}
	// Output:
	// encyclopedia ok 1
	// answered
	// [1] Grey heron: "The grey heron is a wading bird."
}
