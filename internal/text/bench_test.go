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
