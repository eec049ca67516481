package builtin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/text"
)

// byWords ranks without an encoder.
func byWords(tb testing.TB, question string, texts []string) []Scored {
	tb.Helper()
	out, err := RankSentences(tb.Context(), nil, question, texts)
	if err != nil {
		tb.Error(err)
	}
	return out
}

func TestRankSentences(t *testing.T) {
	t.Parallel()
	texts := []string{
		"# Telephone\n\nThe telephone carries voices over a wire. Alexander Graham Bell patented it in 1876 in Boston. " +
			"Who thought of it first? It has 2 parts and no switch. A patent was granted because the examiner saw a working model.",
		"Wheat is a grass that is grown for its grain. It is grown in Kansas.",
	}
	for _, c := range []struct{ question, want string }{
		{"Who patented the telephone?", "Alexander Graham Bell patented it in 1876 in Boston."},
		{"When was the telephone patented?", "Alexander Graham Bell patented it in 1876 in Boston."},
		{"What is a telephone?", "The telephone carries voices over a wire."},
		{"Why was the patent granted?", "A patent was granted because the examiner saw a working model."},
		{"What is wheat?", "Wheat is a grass that is grown for its grain."},
	} {
		ranked := byWords(t, c.question, texts)
		if len(ranked) == 0 {
			t.Fatalf("RankSentences(%q) = nothing", c.question)
		}
		top := ranked[0]
		if got := texts[top.Text][top.Span.Start:top.Span.End]; got != c.want {
			t.Errorf("RankSentences(%q) begins with %q, want %q", c.question, got, c.want)
		}
		for _, s := range ranked {
			if got := texts[s.Text][s.Span.Start:s.Span.End]; strings.HasSuffix(got, "?") || strings.HasPrefix(got, "#") {
				t.Errorf("RankSentences(%q) quotes %q", c.question, got)
			}
			if s.Coverage < 0 || s.Coverage > 1 {
				t.Errorf("RankSentences(%q): coverage %v", c.question, s.Coverage)
			}
		}
	}
}

func TestRankSentencesOfNothing(t *testing.T) {
	t.Parallel()
	for name, texts := range map[string][]string{"no texts": nil, "empty": {""}, "a heading": {"# Title"}, "binary": {"\x00\xff\x01"}} {
		if got := byWords(t, "What is it?", texts); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := byWords(t, "", []string{"A sentence that nobody asked for."}); len(got) != 1 || got[0].Coverage != 0 {
		t.Errorf("no question: %v", got)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]questionType{
		"Who invented it?":                         kindWho,
		"By whom was it invented?":                 kindWho,
		"When did it start?":                       kindWhen,
		"In which year did it start?":              kindWhen,
		"Where is it?":                             kindWhere,
		"Which city hosts it?":                     kindWhere,
		"How many layers does BERT have?":          kindNumber,
		"What is the population of France?":        kindNumber,
		"How old is it?":                           kindNumber,
		"Why is the sky blue?":                     kindWhy,
		"What is a transformer?":                   kindDefinition,
		"How does attention work?":                 kindOther,
		"Is Go faster than Python?":                kindOther,
		"What did the author think of the effect?": kindOther,
	} {
		if got := kindOf(question); got != want {
			t.Errorf("kindOf(%q) = %v, want %v", question, got, want)
		}
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question, sentence string
		want               bool
	}{
		{"Who wrote it?", "It was written by Ada Lovelace.", true},
		{"Who wrote it?", "It was written by a countess.", false},
		{"Who is Ada Lovelace?", "Ada Lovelace was a mathematician.", true}, // a definition
		{"Who met Ada Lovelace?", "Ada Lovelace met him.", false},
		{"When was it?", "It was in May 1843.", true},
		{"When was it?", "It was long ago.", false},
		{"How many are there?", "There are twelve.", true},
		{"How many are there?", "There are many.", false},
		{"Where is it?", "It stands in Paris.", true},
		{"Where is it?", "It stands in a park.", false},
		{"Why is it so?", "It is so because of dust.", true},
		{"Why is it so?", "It is so.", false},
		{"What is dust?", "Dust is fine matter.", true},
		{"What is dust?", "Fine matter is everywhere, and people call it dust.", false},
	} {
		q := newQuery(c.question, "")
		cand := newCandidate(0, text.Sentences(c.sentence)[0], c.sentence, 0)
		if got := q.kind.fits(q, &cand); got != c.want {
			t.Errorf("%q fits %q = %v, want %v", c.sentence, c.question, got, c.want)
		}
	}
}

func TestQuotable(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"Attention relates tokens to one another.":          true,
		"「注意力機制は重要です。":                                      true,
		"a comment without a full stop but with many words": true,
		"See also":                      false,
		"History of the telephone":      false,
		"# Attention is all you need.":  false,
		"| a | b | c | d |":             false,
		"Is attention all you need?":    false,
		"12 – 34; 56 – 78; 90 (1, 2).":  false,
		strings.Repeat("word ", 300):    false,
		"It is so.":                     false,
		"== Attention is all you need.": false,
	} {
		if got := quotable(s); got != want {
			t.Errorf("quotable(%.60q) = %v, want %v", s, got, want)
		}
	}
}

func TestSimilarity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		like bool
	}{
		{"invent", "inventor", true}, {"transform", "transform", true}, {"colour", "color", true},
		{"attent", "wheat", false}, {"cat", "car", false}, {"", "", true},
	} {
		got := similarity(c.a, c.b)
		if (got > 0) != c.like || got > 1 || got != similarity(c.b, c.a) {
			t.Errorf("similarity(%q, %q) = %v, the other way round %v", c.a, c.b, got, similarity(c.b, c.a))
		}
	}
}

func TestStandardise(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]float64{0, 0, 0}, standardise([]float64{5, 5, 5})); diff != "" {
		t.Errorf("all the same (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{-1, 1}, standardise([]float64{2, 4})); diff != "" {
		t.Errorf("two (-want +got):\n%s", diff)
	}
}

func FuzzRankSentences(f *testing.F) {
	f.Add("Who was it?", "It was Dr. X. \n\n- He said so, \"in 1990\".\n# b\n日本。次の文章です。")
	f.Fuzz(func(t *testing.T, question, body string) {
		for _, s := range byWords(t, question, []string{body}) {
			if s.Span.Start < 0 || s.Span.Start >= s.Span.End || s.Span.End > len(body) || s.Score != s.Score {
				t.Fatalf("%+v of %q", s, body)
			}
		}
	})
}

func BenchmarkRankSentences(b *testing.B) {
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = strings.Repeat("The transformer relates the tokens of a sequence to one another by attention. It was introduced in 2017. ", 10)
	}
	for b.Loop() {
		byWords(b, "When was the transformer introduced, and by whom?", texts)
	}
}
