package library_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/memory"
)

// A text is stored in a local memory, found again, and forgotten.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "library-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m, err := memory.Open(ctx, memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	l := library.New(library.Deps{Memory: m, Models: all.Of(builtin.Models(nil)), Location: dir})

	kept, err := l.Remember(ctx, library.RememberRequest{Text: "Herons nest in the delta from March to June.", Title: "Herons", Tags: []string{"birds"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored in", kept.Chunks, "chunk")

	found, err := l.Recall(ctx, library.RecallRequest{Query: "When do herons nest?", K: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range found.Hits {
		fmt.Printf("%s: %s\n", h.Title, h.Text)
	}

	gone, err := l.Forget(ctx, library.ForgetRequest{IDs: []string{kept.DocumentID}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("forgot", gone.Documents, "document,", gone.Remaining, "left")

	_, err = l.Recall(ctx, library.RecallRequest{Query: " "})
	fmt.Println("refused:", err)
	// Output:
	// stored in 1 chunk
	// Herons: Herons nest in the delta from March to June.
	// forgot 1 document, 0 left
	// refused: the query is empty; ask something, such as "How does Go schedule goroutines?"
}
