package builtin

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
)

func TestKeywords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question string
		want     []string
	}{
		{"How does attention work in a transformer model?", []string{"transformer attention", "transformer model", "attention"}},
		{"How do BERT and GPT differ in the way they are trained?", []string{"BERT GPT", "BERT", "GPT"}},
		{"Who invented the telephone?", []string{"telephone invented", "telephone"}},
		{"What is the capital of France?", []string{"France capital", "France"}},
		{"Who wrote The Old Man and the Sea?", []string{"The Old Man and the Sea"}},
		{"what is Go's concurrency model", []string{"Go concurrency model"}},
		{`What are the advantages of "retrieval augmented generation"?`, []string{"retrieval augmented generation"}},
		{"Please tell me about the history of the Roman Empire!", []string{"Roman Empire history", "Roman Empire"}},
		{"large language models", []string{"large language models"}},
		{"Explain how garbage collection works in Go 1.26 compared to Java", []string{"garbage collection Go", "Go 1.26", "Java", "garbage collection"}},
		{"What does CSP stand for?", []string{"CSP"}},
		{"When did Albert Einstein die?", []string{"Albert Einstein"}},
		{"Does C++ have templates?", []string{"C++ templates", "C++"}},
		{"What is F# good for?", []string{"F#"}},
		{"How does .NET compare to Java?", []string{".NET Java", ".NET", "Java"}},
		{"Is R faster than Python?", []string{"R Python", "R", "Python"}},
		{"What is the difference between C and C++?", []string{"C C++", "C", "C++"}},
		{"Wann wurde der Bahnhof Minsk eröffnet?", []string{"Bahnhof Minsk eröffnet"}},
		{"Кто построил вокзал в Бресте?", []string{"Бресте построил вокзал"}},
		{"Quand a été construite la gare de Lyon ?", []string{"Lyon construite", "Lyon"}},
		{"什么是注意力机制", []string{"什么是注意力机制"}},
		{"the who", []string{"the who"}},
		{"?!", []string{"?!"}},
	} {
		got, err := NewPlanner().Keywords(t.Context(), c.question, evidence.Session{}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got[:min(len(got), len(c.want))]); diff != "" {
			t.Errorf("Keywords(%q) (-want +got):\n%s", c.question, diff)
		}
		one, err := NewPlanner().Keywords(t.Context(), c.question, evidence.Session{}, 1)
		if err != nil || len(one) != 1 || one[0] != got[0] {
			t.Errorf("one of Keywords(%q) = %q, %v", c.question, one, err)
		}
	}
}

func TestKeywordsOfFollowUps(t *testing.T) {
	t.Parallel()
	said := func(questions ...string) []evidence.Turn {
		var turns []evidence.Turn
		for _, q := range questions {
			turns = append(turns, evidence.Turn{Role: evidence.RoleUser, Text: q}, evidence.Turn{Role: evidence.RoleAssistant, Text: "So it is. [1]"})
		}
		return turns
	}
	for _, c := range []struct {
		name, question string
		session        evidence.Session
		want           []string
	}{
		{"pronoun", "Where was he born?", evidence.Session{Turns: said("When did Albert Einstein die?")}, []string{"Albert Einstein"}},
		{"plural", "Which of those models were introduced in 2018, and by whom?",
			evidence.Session{Turns: said("How does attention work in a transformer?", "How do BERT and GPT differ?")}, []string{"BERT", "GPT"}},
		{"from the summary", "Which of them is larger?",
			evidence.Session{Summary: "Asked: How do BERT and GPT differ?\nAnswer: They differ."}, []string{"BERT", "GPT"}},
		{"from a summary in prose", "Is it still in use?",
			evidence.Session{Summary: "The user wanted to know about the Antikythera Mechanism."}, []string{"Antikythera Mechanism"}},
		{"with a subject of its own", "How does it compare with Rust?", evidence.Session{Turns: said("What are goroutines?")}, []string{"goroutines Rust", "goroutines"}},
		{"what about", "What about T5?", evidence.Session{Turns: said("What is BERT?")}, []string{"BERT T5", "BERT"}},
		{"nothing to lean on", "Which of them is larger?", evidence.Session{}, []string{"larger"}},
		{"needs nothing", "Why do cats purr when they sleep?", evidence.Session{Turns: said("What is BERT?")}, []string{"cats purr sleep"}},
		{"says it itself", "What is GPT?", evidence.Session{Turns: said("What is BERT?")}, []string{"GPT"}},
	} {
		got, err := NewPlanner().Keywords(t.Context(), c.question, c.session, 3)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got[:min(len(got), len(c.want))]); diff != "" {
			t.Errorf("%s: Keywords(%q) (-want +got):\n%s", c.name, c.question, diff)
		}
	}
}

func FuzzKeywords(f *testing.F) {
	f.Add("How does it work?", "Asked: What is “BERT”?")
	f.Add("\"a\" 'b' `c` «d» \xff", "")
	f.Fuzz(func(t *testing.T, question, summary string) {
		got, err := NewPlanner().Keywords(t.Context(), question, evidence.Session{Summary: summary}, 3)
		if err != nil || len(got) == 0 || len(got) > 3 {
			t.Fatalf("Keywords(%q) = %q, %v", question, got, err)
		}
		for i, q := range got {
			if utf8.ValidString(question+summary) && !utf8.ValidString(q) || len(q) > 4*longestPhrase || q == "" && strings.TrimSpace(question) != "" && i > 0 {
				t.Errorf("Keywords(%q) holds %q", question, q)
			}
		}
	})
}

func TestSummarise(t *testing.T) {
	t.Parallel()
	b := NewSummarizer()
	turns := []evidence.Turn{
		{Role: evidence.RoleUser, Text: "Who patented the telephone?"},
		{Role: evidence.RoleAssistant, Text: "Wires carry voices over land. [2] Alexander Graham Bell patented the telephone in 1876. [1][3]"},
	}
	got, err := b.Summarize(t.Context(), "", turns)
	if err != nil {
		t.Fatal(err)
	}
	want := "Asked: Who patented the telephone?\nAnswer: Alexander Graham Bell patented the telephone in 1876."
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Summarize (-want +got):\n%s", diff)
	}
	failed := evidence.Turn{Role: evidence.RoleAssistant, Text: "Nothing that was read answers this.", Run: &evidence.Answer{Status: evidence.Insufficient}}
	if got, err = b.Summarize(t.Context(), want, []evidence.Turn{{Role: evidence.RoleUser, Text: "And the fax?"}, failed}); err != nil || got != want+"\nAsked: And the fax?" {
		t.Errorf("Summarize of a question without an answer = %q, %v", got, err)
	}
}

// However long a conversation goes on, its summary stays short; the questions of
// the past outlive the answers.
func TestSummariseStaysShort(t *testing.T) {
	t.Parallel()
	summary := "A model once wrote this about the Antikythera Mechanism. " + strings.Repeat("ü", 500)
	for range 30 {
		var err error
		summary, err = NewSummarizer().Summarize(t.Context(), summary, []evidence.Turn{
			{Role: evidence.RoleUser, Text: "What is said of this matter, at some length, so that it fills the page? " + strings.Repeat("ä", 300)},
			{Role: evidence.RoleAssistant, Text: "Much is said of this matter: " + strings.Repeat("so it goes, ", 60) + "and so on."},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(summary) > conversation.MaxSummary || !utf8.ValidString(summary) {
			t.Fatalf("a summary of %d bytes, valid: %v", len(summary), utf8.ValidString(summary))
		}
	}
	if n := strings.Count(summary, conversation.QuestionPrefix); n < 2 {
		t.Errorf("%d questions kept in %q", n, summary)
	}
}
