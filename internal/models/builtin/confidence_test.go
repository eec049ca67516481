package builtin_test

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
)

const (
	zorbineText = "Zorbine is a pigment made of cobalt and tin. It was first sold in 1872 by a paint maker in Leeds. Painters use it for skies, because it does not fade in the sun. Other blue pigments are cheaper."
	ferryText   = "The ferry crosses the strait in forty minutes. It carries cars and lorries, and up to six hundred passengers. In winter it sails twice a day. Tickets are sold on board and at the harbour."
	damText     = "Der Staudamm wurde 1934 fertiggestellt. Er ist 62 Meter hoch und staut einen See von neun Kilometern Länge. Das Kraftwerk liefert Strom für zwanzigtausend Haushalte."
)

// What sentences of prose are worth as answers, with the real encoder.
func TestConfidenceOfSentences(t *testing.T) {
	t.Parallel()
	if !minilm.Available() {
		t.Skip("this processor is too slow for the encoder")
	}
	encoder := minilm.New(minilm.MaxTokens)
	docs := []evidence.Evidence{prose("Zorbine", zorbineText), prose("The strait ferry", ferryText), prose("Staudamm", damText)}
	for question, want := range map[string]struct {
		abstains    bool
		least, most float64
	}{
		"What is zorbine?":                                  {least: 0.8, most: 1}, // a word that the encoder has no entry for
		"How does zorbine work?":                            {least: 0.8, most: 1},
		"When was zorbine first sold?":                      {least: 0.7, most: 1},
		"How long does the ferry take to cross the strait?": {least: 0.8, most: 1},
		"How many passengers does the ferry carry?":         {least: 0.6, most: 1},
		"Wie hoch ist der Staudamm?":                        {least: 0.3, most: 0.8}, // by words: the encoder is an English one
		"Who won the chess championship in 1972?":           {abstains: true, most: 0.3},
		"What does a litre of petrol cost in Norway?":       {abstains: true, most: 0.3},
		"Which captain discovered the island of Tasmania?":  {abstains: true, most: 0.4},
	} {
		draft, err := builtin.NewSynthesizer(encoder).Write(t.Context(), evidence.Brief{Question: question, Evidence: docs, MaxTokens: 800}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if draft.Abstain != want.abstains || draft.Confidence < want.least || draft.Confidence > want.most {
			t.Errorf("%s: abstains %t (%s), confidence %.2f, want %+v", question, draft.Abstain, draft.Why, draft.Confidence, want)
		}
	}
}

func prose(title, body string) evidence.Evidence {
	return evidence.Evidence{
		Document: evidence.Document{ID: title, Title: title, Text: body, URL: "https://example.org/" + title, Source: "wiki"},
		Passage:  evidence.Passage{DocumentID: title, End: len(body), Text: body, Score: 1},
	}
}
