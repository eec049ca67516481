package builtin

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		last, answer, question, want string
	}{
		{"Who invented the transistor?", "", "When?", "When invented the transistor?"},
		{"When was the transistor invented?", "", "And by whom?", "by whom was the transistor invented?"},
		{"What year was Unix created?", "", "Where?", "Where was Unix created?"},
		{"Is Helm 2 still supported?", "", "Why not?", "Why Is Helm 2 still supported?"},
		{"Why do cats purr?", "", "Since when?", "Since when do cats purr?"},
		{"Tell me about the Roman Empire", "", "When was that?", "When the Roman Empire?"},
		{"What is insomnia?", "", "How is it treated?", "How is insomnia treated?"},
		{"What is a Close frame in the WebSocket protocol?", "", "Does the other side have to answer it?", "Does the other side have to answer Close frame in the WebSocket protocol?"},
		{"What is git bisect for?", "", "Can I use other words than good and bad with it?", "Can I use other words than good and bad with git bisect?"},
		{"What are placeholders in Foam?", "", "Where do I get a view of all of them?", "Where do I get a view of all of placeholders in Foam?"},
		{"What is cross-site request forgery?", "", "And how can I protect my forms against it?", "how can I protect my forms against cross-site request forgery?"},
		{"What does helm rollback do?", "", "Does the release get a new number then?", "Does the release get a new number then (helm rollback)?"},
		{"Who created Unix?", "Unix was created by Ken Thompson and Dennis Ritchie.", "Where was he born?", "Where was Ken Thompson born?"},
		{"When did Albert Einstein die?", "", "Where was he born?", "Where was Albert Einstein born?"},
		{"How do BERT and GPT differ?", "", "Which of them is larger?", "Which of BERT and GPT is larger?"},
		{"How do I install Helm on macOS?", "", "What about Windows?", "How do I install Helm on Windows?"},
		{"How do I install Helm?", "", "And on Windows?", "How do I install Helm on Windows?"},
		{"How do I install Helm?", "", "with Homebrew?", "How do I install Helm with Homebrew?"},
		{"How is insomnia treated?", "", "What about narcolepsy?", "How is narcolepsy treated?"},
		{"What is insomnia?", "", "And narcolepsy?", "What is narcolepsy?"},
		{"What is the default port of Redis?", "", "And Postgres?", "What is the default port of Postgres?"},
		{"What is the difference between git stash pop and git stash apply?", "", "Does the latter drop it from the list?", "Does git stash apply drop it from the list?"},
		{"Which kinds of encoding are there?", "There are:\n\n- **Semantic encoding**: of words\n- **Visual encoding**: of images\n- **Acoustic encoding**: of sounds", "Tell me about the second one", "What is Visual encoding?"},
		{"Which memory stores are there?", "You learn how to start a car, how to handle a turn, how to park. The stores are sensory memory, short-term memory, and long-term memory.", "How long does the first one last?", "How long does sensory memory last?"},
		{"Who opened the first psychology laboratory?", "Wilhelm Wundt opened it in Leipzig.", "When?", "When Wilhelm Wundt opened the first psychology laboratory?"},
		{"How long does a permanent session last in Flask?", "", "Which setting changes that?", "Which setting changes permanent session Flask?"},
		{"How do I install a chart with helm?", "", "And how do I remove it again?", "how do I remove chart with helm again?"},
		{"What is a blueprint in Flask?", "", "How do I register one?", "How do I register blueprint in Flask?"},
		{"How do I delete a branch in git?", "", "What about a remote one?", "How do I delete a remote branch in git?"},
		{"What is a Ping frame?", "", "How must the other side respond?", "How must the other side respond (Ping frame)?"},
		{"Which policies are there?", "| Policy | Effect |\n|---|---|\n| `keep` | keeps it |\n| `drop-old` | drops it |", "What does the second one do?", "What does drop-old do?"},
		{"What is insomnia?", "", "Tell me more", "What is insomnia?"},
		{"What is insomnia?", "", "Go on.", "What is insomnia?"},
		{"What is insomnia?", "", "Anything else?", "What is insomnia?"},
		{"Wer hat den Transistor erfunden?", "", "Wann?", "Wann: Wer hat den Transistor erfunden?"},
	} {
		s := evidence.Session{Turns: []evidence.Turn{{Role: evidence.RoleUser, Text: c.last}, {Role: evidence.RoleAssistant, Text: c.answer}}}
		got, err := NewResolver(nil).Resolve(t.Context(), c.question, s)
		if err != nil || !got.FollowUp || got.Question != c.want {
			t.Errorf("Resolve(%q) after %q = %+v, %v, want %q", c.question, c.last, got, err, c.want)
		}
	}
}

func TestResolveLeavesWhatStandsAlone(t *testing.T) {
	t.Parallel()
	for _, question := range []string{
		"What is the capital of France?", "How do I start a container and stop it?", "If I delete a branch, can I get it back?",
		"Why do cats purr when they sleep?", "Is there a way to list all tags?", "How do I delete the first line of a file?",
		"Which command shows the last commit?", "What port does HTTPS use?", "Can a chart have dependencies and how are they declared?",
		"When does a client have to close the connection?", "Kubernetes", "What is more important, speed or safety?",
	} {
		s := evidence.Session{Turns: []evidence.Turn{{Role: evidence.RoleUser, Text: "What is insomnia?"}, {Role: evidence.RoleAssistant, Text: "A sleep disorder."}}}
		if got, err := NewResolver(nil).Resolve(t.Context(), question, s); err != nil || got.FollowUp || got.Question != question {
			t.Errorf("Resolve(%q) = %+v, %v", question, got, err)
		}
		if got, err := NewResolver(nil).Resolve(t.Context(), "When?", evidence.Session{}); err != nil || got.FollowUp {
			t.Errorf("without a conversation: %+v, %v", got, err)
		}
	}
}

// "Tell me more" is answered with what has not been quoted yet.
func TestMoreRepeatsNothing(t *testing.T) {
	t.Parallel()
	body := "Insomnia is a disorder of sleep. Insomnia often lasts for three months or longer. Insomnia is treated with therapy."
	doc := evidence.Document{ID: "d", Source: "wiki", Title: "Insomnia", Text: body}
	first := evidence.Citation{DocumentID: "d", Start: 0, End: 32}
	in := evidence.Brief{Question: "What is insomnia?", Asked: "Tell me more", More: true,
		Evidence: []evidence.Evidence{{Document: doc, Passage: evidence.Passage{DocumentID: "d", End: len(body), Text: body, Score: 1}}},
		Turns:    []evidence.Turn{{Role: evidence.RoleUser, Text: "What is insomnia?"}, {Role: evidence.RoleAssistant, Text: body[:32], Run: &evidence.Answer{Citations: []evidence.Citation{first}}}}}
	draft, err := NewSynthesizer(nil).Write(t.Context(), in, nil)
	if err != nil || len(draft.Sentences) == 0 {
		t.Fatalf("%+v, %v", draft, err)
	}
	for _, s := range draft.Sentences {
		if s.Quotes[0].Start < first.End {
			t.Errorf("it was said before: %q", s.Text)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("And the second one?", "Which are there?", "- a\n- b")
	f.Add("What about on Windows?", "How do I install Helm on macOS?", "")
	f.Add("When\xff", "?", "1. x: \n2. \n")
	f.Fuzz(func(t *testing.T, question, last, answer string) {
		s := evidence.Session{Turns: []evidence.Turn{{Role: evidence.RoleUser, Text: last}, {Role: evidence.RoleAssistant, Text: answer}}}
		got, err := NewResolver(nil).Resolve(t.Context(), question, s)
		if err != nil || !got.FollowUp && got.Question != question || got.FollowUp && len(got.Question) > longestFollowUp {
			t.Errorf("Resolve(%q) after %q = %+v, %v", question, last, got, err)
		}
	})
}

// A question that says nothing by itself is recognized where no session completes it.
func TestResolveWithoutAConversation(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]bool{
		"When?": true, "And by whom?": true, "Tell me more": true, "tell me more about it, please": true, "the second one": true, "And the latter?": true,
		"Warum?": true, "¿Cuándo?": true, "いつ？": true, "And then?": true, "Why is the sky blue?": false, "When was the first train built?": false,
		"Who": true, "Kubernetes": false, "The second one of the two Punic wars": false, "?": true, "": true,
	} {
		got, err := NewResolver(nil).Resolve(t.Context(), question, evidence.Session{})
		if err != nil || got.FollowUp || got.Unbound != want || got.Question != question {
			t.Errorf("Resolve(%q) = %+v, %v, want Unbound %v", question, got, err, want)
		}
	}
}
