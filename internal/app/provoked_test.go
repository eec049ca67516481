package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// provoking are questions about the mill that invite a model to invent, each with the
// words of the invention, which are not in the text, and an invention.
var provoking = [][3]string{
	{"Which prize did the tidal mill of Sorrel Quay win in 1998?", "prize 1998 award", "The mill won a prize for its flour in 1998."},
	{"Tell me about the ghost that haunts the mill of Sorrel Quay.", "ghost haunt", "A ghost haunts the mill of Sorrel Quay."},
	{"How many people died when the mill wheel broke in 1850?", "died 1850 killed twelve", "Twelve people died when the mill wheel broke in 1850."},
	{"What did Queen Victoria say when she visited the mill?", "queen victoria", "Queen Victoria admired the mill when she visited it."},
	{"Why was the flour of the mill exported to France?", "france french", "The flour of the mill was exported to France."},
	{"How deep is the well below the mill of Sorrel Quay?", "well deep", "The well below the mill of Sorrel Quay is deep."},
	{"How did Tobias Penhale repair the old wheel after the storm?", "tobias", "Tobias Penhale repaired the old wheel after the storm."},
	{"Describe the smugglers' gold that was found in the cellar.", "gold treasure", "The smugglers' gold was found in the cellar of the mill."},
	{"Who designed the steam engine of the mill?", "steam", "Josiah Penhale designed the steam engine of the mill."},
	{"What does a visit of the mill cost, and when is it open?", "cost price pounds", "A visit of the mill costs five pounds, and it is open in summer."},
}

// Ten questions provoke inventions; none of what a model invents is called supported.
// A real small model writes what it likes; that, and the inventions above, are put
// through the whole program.
func TestProvokedInventions(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		write := func(string) []string { return nil }
		if target.Real {
			write = realWriter(t, target.Host)
		}
		const part = 5 // questions whose sentences are checked together, among faithful ones
		for batch := range slices.Chunk(provoking, part) {
			sentences, words := faithful(), ""
			for _, q := range batch {
				wrote := append(write(q[0]), q[2])
				t.Logf("%s: %q", q[0], wrote)
				sentences, words = append(sentences, wrote...), words+" "+q[1]
			}
			answer := askModel(t, "on", sentences)
			t.Logf("%s by %s", answer.Status, answer.Synthesizer)
			for _, c := range answer.Claims {
				if c.Verdict == evidence.Supported && saysAny(c.Text, words) {
					t.Errorf("the invention %q is supported", c.Text)
				}
			}
		}
	})
}

// saysAny reports whether a sentence has one of the words.
func saysAny(sentence, words string) bool {
	for word := range strings.FieldsSeq(words) {
		if strings.Contains(strings.ToLower(sentence), word) {
			return true
		}
	}
	return false
}

// realWriter returns a function that lets the model of a real server answer from the
// mill's text. All prompts begin alike, so that the server reads the text once.
func realWriter(t *testing.T, host string) func(string) []string {
	client, err := ollama.New(ollama.Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	state := client.Probe(t.Context())
	for begun := time.Now(); state.Chat == nil && time.Since(begun) < time.Minute; {
		state = client.Probe(t.Context())
	}
	if state.Chat == nil {
		t.Fatalf("no chat model: %v", state.ChatProblem)
	}
	w := ollama.NewWriter(client, *state.Chat, func() string { return modelstest.Fence })
	_, body, _ := strings.Cut(tidalMill, "\n")
	return func(question string) []string {
		d, err := w.Write(t.Context(), evidence.Brief{Question: question, Evidence: []evidence.Evidence{modelstest.Whole("files", "The tidal mill of Sorrel Quay", strings.TrimSpace(body), 1)}, MaxTokens: 64}, nil)
		if err != nil {
			t.Logf("%s: %v", question, err)
			return nil
		}
		var out []string
		for _, s := range d.Sentences {
			out = append(out, s.Text)
		}
		return out
	}
}
