package text

import (
	"strings"
	"testing"
)

var prose = strings.Repeat("The transformer is a neural network architecture that relies on attention, and it was introduced in 2017 by researchers at Google. ", 100)

func BenchmarkTokenize(b *testing.B) {
	b.SetBytes(int64(len(prose)))
	for b.Loop() {
		Tokenize(prose)
	}
}

func BenchmarkSentences(b *testing.B) {
	b.SetBytes(int64(len(prose)))
	for b.Loop() {
		Sentences(prose)
	}
}

func BenchmarkSimHash(b *testing.B) {
	b.SetBytes(int64(len(prose)))
	for b.Loop() {
		SimHash(prose)
	}
}

func BenchmarkBlocks(b *testing.B) {
	doc := strings.Repeat("## A heading\n\nA paragraph of some words\nover two lines.\n\n- item one\n- item two\n\n```sh\nls -l\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n", 200)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		Blocks(doc)
	}
}
