package minilm

import (
	"context"
	"errors"
	"math"
	"testing"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	words, got, err := New(0).Match(t.Context(), "How do I remove the getUserById cache?", []string{
		"Run `purge` to delete the cached getUserById entries.",
		"The committee met on Tuesday.",
		"",
	})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, w := range words {
		texts = append(texts, w.Text)
		if w.Rarity < 0.5 {
			t.Errorf("%q has rarity %g", w.Text, w.Rarity)
		}
	}
	want := []string{"how", "do", "i", "remove", "the", "getuserbyid", "cache"}
	if len(texts) != len(want) {
		t.Fatalf("words %q, want %q", texts, want)
	}
	for i := range want {
		if texts[i] != want[i] {
			t.Errorf("word %d is %q, want %q", i, texts[i], want[i])
		}
	}
	if words[4].Rarity >= words[5].Rarity {
		t.Errorf("rarity of %q %g, of %q %g", words[4].Text, words[4].Rarity, words[5].Text, words[5].Rarity)
	}
	if got[0].Cosine <= got[1].Cosine || got[0].Cosine < 0.4 {
		t.Errorf("cosines %.2f, %.2f", got[0].Cosine, got[1].Cosine)
	}
	for i, w := range texts[3:] { // the words that carry the meaning
		if a, b := got[0].Words[i+3], got[1].Words[i+3]; a <= b {
			t.Errorf("%q is matched by %.2f in the passage about it, by %.2f in the other", w, a, b)
		}
	}
	for i, m := range got {
		if len(m.Words) != len(words) {
			t.Errorf("text %d has %d similarities of %d words", i, len(m.Words), len(words))
		}
	}
}

// The cosine is that of the vectors which Embed returns, and a text matches itself.
func TestMatchAgreesWithEmbed(t *testing.T) {
	t.Parallel()
	e := New(0)
	a, b := "A signed commit proves its author.", "Sign your commits with a key of your own."
	vs, err := e.Embed(t.Context(), []string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := e.Match(t.Context(), a, []string{b, a})
	if err != nil {
		t.Fatal(err)
	}
	if want := cosine(vs[0], vs[1]); math.Abs(got[0].Cosine-want) > 1e-4 {
		t.Errorf("cosine %.5f, of the vectors %.5f", got[0].Cosine, want)
	}
	for i, s := range got[1].Words {
		if math.Abs(s-1) > 1e-4 {
			t.Errorf("word %d of a text matches itself by %.5f", i, s)
		}
	}
}

func TestMatchOfNothing(t *testing.T) {
	t.Parallel()
	e := New(0)
	for _, question := range []string{"", "?!", "\U0010fffd"} {
		words, got, err := e.Match(t.Context(), question, []string{"text"})
		if err != nil || len(words) != 0 || len(got) != 1 {
			t.Errorf("Match(%q) = %v, %v, %v", question, words, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := e.Match(ctx, "a question", []string{"text"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Match with a cancelled context = %v", err)
	}
}
