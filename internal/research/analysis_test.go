package research

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestAnalyse(t *testing.T) {
	t.Parallel()
	in := evidence.AnalysisInput{
		Question: "how do transformers work",
		Documents: []evidence.Document{
			{ID: "d_1", Source: "wikipedia", Title: "Transformer", URL: "https://w/1", Text: "A transformer attends. Transformers use attention; attention is all you need in 2017.", Score: 0.9},
			{ID: "d_2", Source: "hackernews", Title: "Attention", URL: "https://h/2", Text: "GPT is GPT-like. x y 3.14", Score: 0.4},
			{ID: "d_3", Source: "wikipedia", Title: "A note", URL: "https://w/3", Text: ""},
		},
		Relevance: map[string]float64{"d_2": 0.6},
	}
	want := evidence.Analysis{
		Status: evidence.StatusOK, Documents: 3,
		BySource:      map[string]int{"wikipedia": 2, "hackernews": 1},
		MeanRelevance: 0.5,
		Keywords: []evidence.TermCount{
			{Term: "attention", Count: 3}, {Term: "transformer", Count: 3}, {Term: "GPT", Count: 2},
			{Term: "attends", Count: 1}, {Term: "note", Count: 1},
		},
		TopDocuments: []evidence.TopDocument{
			{Title: "Transformer", URL: "https://w/1", Source: "wikipedia", Score: 0.9},
			{Title: "Attention", URL: "https://h/2", Source: "hackernews", Score: 0.6},
			{Title: "A note", URL: "https://w/3", Source: "wikipedia", Score: 0},
		},
	}
	if diff := cmp.Diff(want, Analyse(in)); diff != "" {
		t.Errorf("Analyse (-want +got):\n%s", diff)
	}
}

func TestAnalyseKeywords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []evidence.TermCount
	}{
		{"nothing", "", []evidence.TermCount{}},
		{"stop words, numbers, letters", "the of 2020 3.14 1e9x 42 a b c X", []evidence.TermCount{{Term: "1e9x", Count: 1}}},
		{"the most frequent form stands for the stem", "trained training trained trains", []evidence.TermCount{{Term: "trained", Count: 4}}},
		{"equal forms: the first in the alphabet", "trains training", []evidence.TermCount{{Term: "training", Count: 2}}},
		{"equal counts: the alphabet", "zebra apple Mango", []evidence.TermCount{{Term: "apple", Count: 1}, {Term: "mango", Count: 1}, {Term: "zebra", Count: 1}}},
		{"case of names stays", "BERT, then BERT, bert", []evidence.TermCount{{Term: "BERT", Count: 3}}},
		{"possessives", "Turing's Turing’s turing", []evidence.TermCount{{Term: "turing", Count: 3}}},
		{"ideographs", "犬 犬", []evidence.TermCount{{Term: "犬", Count: 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := Analyse(evidence.AnalysisInput{Documents: []evidence.Document{{Text: c.text}}}).Keywords
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("keywords of %q (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestAnalyseHoldsItsLimits(t *testing.T) {
	t.Parallel()
	var in evidence.AnalysisInput
	for i := range 9 {
		in.Documents = append(in.Documents, evidence.Document{
			Title: fmt.Sprintf("title %d", 9-i), Text: fmt.Sprintf("word%da word%db", i, i), Source: "s", Score: 0.5})
	}
	got := Analyse(in)
	if len(got.Keywords) != 12 || got.Keywords[0] != (evidence.TermCount{Term: "title", Count: 9}) || got.Keywords[1].Term != "word0a" {
		t.Errorf("keywords = %v, want 12 with title first", got.Keywords)
	}
	var titles []string
	for _, d := range got.TopDocuments {
		titles = append(titles, d.Title)
	}
	if want := []string{"title 1", "title 2", "title 3", "title 4", "title 5"}; !cmp.Equal(titles, want) {
		t.Errorf("top documents = %q, want %q", titles, want)
	}
}

func TestAnalyseOfNothingHasNoNulls(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(Analyse(evidence.AnalysisInput{}))
	want := `{"status":"ok","documents":0,"by_source":{},"mean_relevance":0,"keywords":[],"top_documents":[]}`
	if err != nil || string(raw) != want {
		t.Errorf("Analyse of nothing = %s, %v, want %s", raw, err, want)
	}
}

func TestAnalyseIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	var in evidence.AnalysisInput
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test wants the same numbers each time
	for i := range 40 {
		in.Documents = append(in.Documents, evidence.Document{ID: fmt.Sprint(i), Title: fmt.Sprint("t", i%7), URL: fmt.Sprint(i),
			Text: strings.Repeat(fmt.Sprint("w", i%11, " "), i), Source: fmt.Sprint("s", i%3), Score: rnd.Float64()})
	}
	want := Analyse(in)
	for range 5 {
		rnd.Shuffle(len(in.Documents), func(i, j int) { in.Documents[i], in.Documents[j] = in.Documents[j], in.Documents[i] })
		if diff := cmp.Diff(want, Analyse(in)); diff != "" {
			t.Fatalf("Analyse of shuffled documents (-want +got):\n%s", diff)
		}
	}
}

func BenchmarkAnalyse(b *testing.B) {
	var in evidence.AnalysisInput
	for i := range 12 {
		in.Documents = append(in.Documents, evidence.Document{ID: fmt.Sprint(i), Text: strings.Repeat("Attention is all you need in the transformer of 2017. ", 200)})
	}
	for b.Loop() {
		Analyse(in)
	}
}
