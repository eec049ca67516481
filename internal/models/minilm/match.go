package minilm

import (
	"context"
	"math"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/bert"
)

// Match compares a question with texts, of which it reads as many tokens as Embed.
// See models.Matcher.
func (e *Encoder) Match(ctx context.Context, question string, texts []string) ([]models.Word, []models.Match, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l, err := e.load()
	if err != nil {
		return nil, nil, err
	}
	e.used.Store(true)
	inputs := []bert.Input{l.words.Encode(question, MaxTokens)}
	for _, t := range texts {
		inputs = append(inputs, l.words.Encode(t, e.maxTokens))
	}
	states, err := l.each(ctx, inputs, l.model.States)
	if err != nil {
		return nil, nil, err
	}
	words, tokens := l.split(inputs[0])
	vectors := make([][]float32, len(states))
	for i, s := range states {
		vectors[i] = mean(s)
		for t := 0; t < len(s); t += Dims {
			normalize(s[t : t+Dims])
		}
	}
	out := make([]models.Match, len(texts))
	for i := range texts {
		out[i] = models.Match{Cosine: dot(vectors[0], vectors[i+1]), Words: nearest(states[0], tokens, states[i+1])}
	}
	return words, out, nil
}

// Knows reports whether word is an entry of the vocabulary.
func (e *Encoder) Knows(word string) bool {
	l, err := e.load()
	if err != nil {
		return false
	}
	in := l.words.Encode(word, MaxTokens)
	return len(in.IDs) == 3 && in.IDs[1] != l.words.Unknown() // between the special tokens
}

// split returns the words of an input, without punctuation, and the indexes of the
// tokens of each.
func (l *loaded) split(in bert.Input) (words []models.Word, tokens [][]int) {
	for i, id := range in.IDs {
		if i == 0 || i == len(in.IDs)-1 {
			continue // the special tokens
		}
		piece := l.words.Piece(id)
		rest, continued := strings.CutPrefix(piece, "##")
		switch {
		case continued && len(words) > 0:
			last := len(words) - 1
			words[last].Text += rest
			words[last].Rarity = rarity(l.model.Shape().Vocab) // not in the vocabulary as a whole
			tokens[last] = append(tokens[last], i)
		case id == l.words.Unknown(): // nothing is known of it
		case strings.ContainsFunc(piece, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }):
			words = append(words, models.Word{Text: piece, Rarity: rarity(int(id))})
			tokens = append(tokens, []int{i})
		}
	}
	return words, tokens
}

// firstWord is the rank in the vocabulary from which on entries are whole words,
// the most frequent first.
const firstWord = 1000

// rarity grows with the rank of a word: frequency falls with rank.
func rarity(rank int) float64 {
	return max(0.5, math.Log(float64(max(rank, firstWord)))-5)
}

// nearest returns, for each word of the question, the mean over its tokens of the
// cosine to the most similar token of a text.
func nearest(question []float32, words [][]int, text []float32) []float64 {
	out := make([]float64, len(words))
	for w, tokens := range words {
		for _, t := range tokens {
			best := -1.0
			for at := 0; at < len(text); at += Dims {
				best = max(best, dot(question[t*Dims:(t+1)*Dims], text[at:at+Dims]))
			}
			out[w] += best / float64(len(tokens))
		}
	}
	return out
}

// mean returns the mean of rows, at unit length.
func mean(rows []float32) []float32 {
	out := make([]float32, Dims)
	for at := 0; at < len(rows); at += Dims {
		for i, x := range rows[at : at+Dims] {
			out[i] += x
		}
	}
	normalize(out)
	return out
}

func normalize(v []float32) {
	if n := math.Sqrt(dot(v, v)); n > 0 {
		for i := range v {
			v[i] = float32(float64(v[i]) / n)
		}
	}
}

func dot(a, b []float32) float64 {
	var sum float32
	for i, x := range a {
		sum += x * b[i]
	}
	return float64(sum)
}
