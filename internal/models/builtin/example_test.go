package builtin_test

import (
	"context"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
)

func ExamplePlanner_Keywords() {
	queries, err := builtin.NewPlanner().Keywords(context.Background(), "How do BERT and GPT differ?", evidence.Session{}, 3)
	fmt.Println(queries, err)
	// Output: [BERT GPT BERT GPT] <nil>
}

func ExampleSynthesizer_Write() {
	body := "The telephone carries voices over a wire. Alexander Graham Bell patented the telephone in 1876."
	brief := evidence.Brief{
		Question: "Who patented the telephone?",
		Evidence: []evidence.Evidence{{
			Document: evidence.Document{ID: "d1", Title: "Telephone", Text: body},
			Passage:  evidence.Passage{DocumentID: "d1", End: len(body), Text: body},
		}},
	}
	draft, err := builtin.NewSynthesizer(nil).Write(context.Background(), brief, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range draft.Sentences {
		fmt.Println(s.Text, s.Marks)
	}
	// Output: Alexander Graham Bell patented the telephone in 1876. [1]
}

func ExampleSummarizer_Summarize() {
	summary, err := builtin.NewSummarizer().Summarize(context.Background(), "", []evidence.Turn{
		{Role: evidence.RoleUser, Text: "Who patented the telephone?"},
		{Role: evidence.RoleAssistant, Text: "Alexander Graham Bell patented the telephone in 1876. [1]"},
	})
	fmt.Println(summary, err)
	// Output:
	// Asked: Who patented the telephone?
	// Answer: Alexander Graham Bell patented the telephone in 1876. <nil>
}

func ExampleEmbedder_Embed() {
	e := builtin.NewEmbedder()
	vectors, err := e.Embed(context.Background(), []string{"colour theory", "theory of color", "steam engines"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Model().Name, e.Model().Dims)
	fmt.Println("the related text is nearer:", cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]))
	// Output:
	// hashed-ngram 384
	// the related text is nearer: true
}

func cosine(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func ExampleRankSentences() {
	texts := []string{"The telephone carries voices over a wire. Alexander Graham Bell patented it in 1876."}
	ranked, err := builtin.RankSentences(context.Background(), nil, "Who patented the telephone?", texts)
	if err != nil {
		fmt.Println(err)
		return
	}
	best := ranked[0]
	fmt.Println(texts[best.Text][best.Span.Start:best.Span.End])
	// Output: Alexander Graham Bell patented it in 1876.
}
