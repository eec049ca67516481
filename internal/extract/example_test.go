package extract_test

import (
	"context"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/extract"
)

func ExampleHTML() {
	page := `<html lang="en"><head><title>Harbour</title></head><body>
<h2>Opening hours</h2>
<p>The harbour office opens at <b>eight</b>.</p>
<p style="display:none">A text that no reader sees.</p>
<table><tr><th>Day</th><th>Closes</th></tr><tr><td>Friday</td><td>15:00</td></tr></table>
</body></html>`
	got, err := extract.HTML(context.Background(), []byte(page), "text/html", "https://example.org/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Title, got.Language)
	fmt.Println(got.Text)
	// Output:
	// Harbour en
	// ## Opening hours
	//
	// The harbour office opens at eight.
	//
	// | Day | Closes |
	// |---|---|
	// | Friday | 15:00 |
}

func ExampleChunks() {
	doc := "# Harbour\n\nIt was built in 1821.\n\n## Boats\n\nMost were sold after the war."
	for _, c := range extract.Chunks(doc, extract.ChunkOptions{Target: 40, Max: 80}) {
		fmt.Printf("%d-%d %q\n", c.Start, c.End, c.Text)
	}
	// Output:
	// 0-32 "# Harbour\n\nIt was built in 1821."
	// 34-73 "## Boats\n\nMost were sold after the war."
}
