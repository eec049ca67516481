package builtin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question string
		want     []string
	}{
		{"What is a goroutine and how does it differ from a thread?", []string{"What is a goroutine?", "how does goroutine differ from a thread?"}},
		{"Who invented the transistor, and when?", []string{"Who invented the transistor?", "when invented the transistor?"}},
		{"How do I install Helm? And how do I remove it?", []string{"How do I install Helm?", "how do I remove Helm?"}},
		{"What is the difference between git fetch and git pull?", []string{"What is the difference between git fetch and git pull?", "What is git fetch?", "What is git pull?"}},
		{"How do BERT and GPT differ?", []string{"How do BERT and GPT differ?", "What is BERT?", "What is GPT?"}},
		{"What are WAL, MVCC and vacuum?", []string{"What is WAL?", "What is MVCC?", "What is vacuum?"}},
		{"What is a goroutine?", nil},
		{"Why do cats purr and sleep?", nil},
		{"How do I start and stop a container?", nil},
	} {
		got, err := NewDivider().Parts(t.Context(), c.question, 4)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Parts(%q) (-want +got):\n%s", c.question, diff)
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add("What is a, b and c? And how?")
	f.Add("a and how and what; ,?? \xff")
	f.Fuzz(func(t *testing.T, question string) {
		got, err := NewDivider().Parts(t.Context(), question, 4)
		if err != nil || len(got) == 1 || len(got) > 4 {
			t.Errorf("Parts(%q) = %q, %v", question, got, err)
		}
	})
}
