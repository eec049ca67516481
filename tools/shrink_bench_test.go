package tools

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkShrinkAnswer shrinks an answer of about 100 kB of JSON.
func BenchmarkShrinkAnswer(b *testing.B) {
	for _, maxTokens := range []int{200, 4000, 50000} {
		b.Run(fmt.Sprint(maxTokens), func(b *testing.B) {
			a, _ := bigAnswer()
			for b.Loop() {
				shrinkAnswer(a, budget{tokens: maxTokens, structured: true}, time.UTC, randomBoundary)
			}
		})
	}
}
