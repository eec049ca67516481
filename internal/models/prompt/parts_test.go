package prompt

import (
	"slices"
	"strings"
	"testing"
)

// The parts of a question are about what it asks, each once, and at least two.
func TestParseParts(t *testing.T) {
	t.Parallel()
	const question = "How did the Hanseatic League rise, and what ended its trade monopoly?"
	for _, c := range []struct {
		name, answer string
		want         []string
	}{
		{"two", `{"questions":["How did the Hanseatic League rise?","What ended the monopoly of the Hanseatic League"]}`,
			[]string{"How did the Hanseatic League rise?", "What ended the monopoly of the Hanseatic League?"}},
		{"more than wanted", `{"questions":["When did the League rise?","Who led the League at first?","What was the League's trade?","Where was the League's trade?"]}`,
			[]string{"When did the League rise?", "Who led the League at first?", "What was the League's trade?"}},
		{"the question itself, and one part", `{"questions":["How did the Hanseatic League rise, and what ended its trade monopoly?","How did the League rise?"]}`, nil},
		{"the prompt repeated", `{"questions":["Question: How did the Hanseatic League rise, and what ended its trade monopoly?","How did the League rise?"]}`, nil},
		{"the same twice", `{"questions":["How did the League rise?","how did the  League rise"]}`, nil},
		{"about something else", `{"questions":["How did the League rise?","Who invented the telephone?"]}`, nil},
		{"keywords", `{"questions":["League","trade monopoly"]}`, nil},
		{"a treatise", `{"questions":["How did the League rise?","What of the League ` + strings.Repeat("and so on ", 30) + `?"]}`, nil},
		{"none", `{"questions":[]}`, nil},
	} {
		got, err := ParseParts(c.answer, question, 3)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: ParseParts = %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "two questions", `{"questions":"one"}`} {
		if got, err := ParseParts(bad, question, 3); err == nil {
			t.Errorf("ParseParts(%q) = %q, want an error", bad, got)
		}
	}
	if got, err := ParseParts(`{"questions":["When did the League rise?","Who led the League at first?"]}`, question, 1); got != nil || err != nil {
		t.Errorf("at most one: %q, %v", got, err)
	}
}
