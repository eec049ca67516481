package modelstest

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Whole returns evidence whose passage is the whole document.
func Whole(source, title, body string, score float64) evidence.Evidence {
	id := evidence.DocumentID(source, "https://example.org/"+title, body)
	return evidence.Evidence{
		Document: evidence.Document{ID: id, Source: source, Title: title, URL: "https://example.org/" + title, Text: body},
		Passage:  evidence.Passage{DocumentID: id, Start: 0, End: len(body), Text: body, Score: score},
	}
}

// Library returns four documents that tests ask about.
func Library() []evidence.Evidence {
	return []evidence.Evidence{
		Whole("wikipedia", "BERT", "BERT is a language model that reads text in both directions.\n"+
			"It was introduced in October 2018 by Jacob Devlin at Google. BERT base has 12 layers.", 0.9),
		Whole("news", "GPT", "GPT is a language model that is trained to predict the next token. "+
			"OpenAI introduced the first GPT in June 2018.", 0.8),
		Whole("mirror", "BERT copy", "BERT is a language model that reads text in both directions.", 0.7),
		Whole("wikipedia", "Wheat", "Wheat is a grass that is grown for its grain. It is grown in Kansas.", 0.1),
	}
}

// Prose joins the sentences of a draft.
func Prose(d evidence.Draft) string {
	var parts []string
	for _, s := range d.Sentences {
		parts = append(parts, s.Text)
	}
	return strings.Join(parts, " | ")
}
