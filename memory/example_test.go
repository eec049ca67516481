package memory_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
)

// openExample opens an empty memory; the result closes and removes it.
func openExample(ctx context.Context) (m memory.Memory, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	m, err = memory.Open(ctx, memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	return m, func() { _, _ = m.Close(), os.RemoveAll(dir) }
}

func whales() evidence.Document {
	const url = "https://example.org/whales"
	body := "Blue whales are the largest animals that have ever lived."
	return evidence.Document{ID: evidence.DocumentID("notes", url, body), Source: "notes", URL: url, Title: "Whales", Text: body}
}

func Example() {
	ctx := context.Background()
	m, remove := openExample(ctx)
	defer remove()

	receipt, err := m.Put(ctx, whales(), evidence.Chunks{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored chunks:", receipt.Chunks)

	found, err := m.Recall(ctx, evidence.RecallQuery{Text: "Which animal is the largest?", K: 3})
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range found.Hits {
		fmt.Printf("%s: %s\n", hit.Document.Title, hit.Passage.Text)
	}
	// Output:
	// stored chunks: 1
	// Whales: Blue whales are the largest animals that have ever lived.
}

func ExampleOpen_unknownBackend() {
	_, err := memory.Open(context.Background(), memory.Config{Backend: "papyrus"})
	var p *evidence.Problem
	if errors.As(err, &p) {
		fmt.Println(p.What)
	}
	// Output:
	// there is no memory backend "papyrus"
}

func ExampleRequire() {
	ctx := context.Background()
	m, remove := openExample(ctx)
	defer remove()

	checker, err := memory.Require[memory.Checker](m)
	if err != nil {
		log.Fatal(err) // the backend cannot check itself
	}
	report, err := checker.Check(ctx)
	fmt.Println(report.OK, err)
	// Output:
	// true <nil>
}

// A process that keeps a cache of documents asks the change feed which entries
// are out of date.
func ExampleChangeFeed() {
	ctx := context.Background()
	m, remove := openExample(ctx)
	defer remove()

	begin, err := m.Changes(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	doc := whales()
	if _, err := m.Put(ctx, doc, evidence.Chunks{}); err != nil {
		log.Fatal(err)
	}
	put, err := m.Changes(ctx, begin.Next)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Forget(ctx, memory.Selector{IDs: []string{doc.ID}}); err != nil {
		log.Fatal(err)
	}
	forgotten, err := m.Changes(ctx, put.Next)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("put:", put.Documents[0].ID == doc.ID)
	fmt.Println("forgotten:", forgotten.Documents[0].Key == put.Documents[0].Key, forgotten.Documents[0].ID == "")
	// Output:
	// put: true
	// forgotten: true true
}
