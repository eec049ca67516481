package builtin

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// table is a Matcher that returns what it holds.
type table struct {
	words   []models.Word
	matches []models.Match
	err     error
}

func (table) Model() evidence.Model { return evidence.Model{Name: "table"} }

func (table) Embed(context.Context, []string) ([][]float32, error) { return nil, errors.New("unused") }

func (m table) Match(context.Context, string, []string) ([]models.Word, []models.Match, error) {
	return m.words, m.matches, m.err
}

func (m table) Knows(word string) bool {
	return slices.ContainsFunc(m.words, func(w models.Word) bool { return w.Text == word })
}

func TestRerank(t *testing.T) {
	t.Parallel()
	words := []models.Word{{Text: "the", Rarity: 9}, {Text: "common", Rarity: 1}, {Text: "rare", Rarity: 3}}
	r := NewReranker(table{words: words, matches: []models.Match{
		{Cosine: 0.5, Words: []float64{1, 0.9, 0.2}},   // has the function word and the common one
		{Cosine: 0.5, Words: []float64{0.1, 0.2, 0.9}}, // has the rare one
		{Cosine: 0.6, Words: []float64{0.1, 0.2, 0.9}}, // and is nearer as a whole
	}})
	got, err := r.Rerank(t.Context(), "", make([]string, 3))
	if err != nil {
		t.Fatal(err)
	}
	if got[0] >= got[1] || got[1] >= got[2] {
		t.Errorf("scores %.2f, want them ascending", got)
	}
	// A question of nothing but function words is still ranked by them.
	r = NewReranker(table{words: words[:1], matches: []models.Match{{Words: []float64{0.2}}, {Words: []float64{0.8}}}})
	if got, err = r.Rerank(t.Context(), "", make([]string, 2)); err != nil || got[0] >= got[1] {
		t.Errorf("Rerank = %.2f, %v", got, err)
	}
	failed := errors.New("no weights")
	if _, err := NewReranker(table{err: failed}).Rerank(t.Context(), "", make([]string, 2)); !errors.Is(err, failed) {
		t.Errorf("Rerank = %v, want the encoder's error", err)
	}
}

func TestLeastMatchedWords(t *testing.T) {
	t.Parallel()
	words := []models.Word{{Text: "sign", Rarity: 1}, {Text: "a", Rarity: 1}, {Text: "chart", Rarity: 1}, {Text: "offline", Rarity: 1}}
	got, err := compare(t.Context(), table{words: words, matches: []models.Match{{Words: []float64{0.9, 0.1, 0.8, 0.4}}}}, "", make([]string, 1))
	if err != nil || len(got) != 1 {
		t.Fatalf("compare = %v, %v", got, err)
	}
	if d := got[0].least - 0.6; d > 1e-9 || d < -1e-9 {
		t.Errorf("least = %g, want the mean of .4 and .8: \"a\" is no content word", got[0].least)
	}
}
