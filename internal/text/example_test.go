package text_test

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

func ExampleTerms() {
	fmt.Println(text.Terms("The transformers were trained on running tasks."))
	// Output: [transform train run task]
}

func ExampleSentences() {
	s := "Dr. Smith wrote it. It has 3.5 pages!"
	for _, span := range text.Sentences(s) {
		fmt.Println(s[span.Start:span.End])
	}
	// Output:
	// Dr. Smith wrote it.
	// It has 3.5 pages!
}

func ExampleClean() {
	clean, changed := text.Clean("one\rtwo\u200b")
	fmt.Printf("%q %v\n", clean, changed)
	// Output: "one\ntwo" true
}

func ExamplePrimaryLanguage() {
	fmt.Printf("%q %q\n", text.PrimaryLanguage("pt-BR"), text.PrimaryLanguage("en_US"))
	// Output: "pt" ""
}

func ExampleNearest() {
	fmt.Println(text.Nearest("wikipeda", []string{"arxiv", "wikidata", "wikipedia"}))
	// Output: wikipedia
}

func ExampleNewBM25() {
	passages := []string{"A goroutine is cheap.", "A channel connects goroutines.", "Bread needs no kneading."}
	var terms [][]string
	for _, p := range passages {
		terms = append(terms, text.Terms(p))
	}
	best, top := "", 0.0
	for i, score := range text.NewBM25(terms).Scores(text.QueryTerms("What is a channel?")) {
		if score > top {
			best, top = passages[i], score
		}
	}
	fmt.Println(best)
	// Output: A channel connects goroutines.
}

func ExampleSimHash() {
	a := "Goroutines are functions that run concurrently with others in the same address space and are scheduled by the runtime."
	b := strings.Replace(a, "concurrently", "simultaneously", 1)
	fmt.Println(text.Distance(text.SimHash(a), text.SimHash(a)))
	fmt.Println(text.Distance(text.SimHash(a), text.SimHash(b)) < text.Distance(text.SimHash(a), text.SimHash("Bread needs no kneading, but time.")))
	// Output:
	// 0
	// true
}
