package text

import (
	"slices"
	"testing"
)

func TestSides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question string
		names    []string
	}{
		{"What is the difference between a merge and a rebase?", []string{"a merge", "a rebase"}},
		{"git stash pop or git stash apply, what is the difference?", []string{"git stash pop", "git stash apply"}},
		{"PUT or POST: what sets them apart?", []string{"PUT", "POST"}},
		{"When do I take a Markdown template and when a JavaScript one?", []string{"a Markdown template", "a JavaScript one"}},
		{"How does a mutex differ from a semaphore?", []string{"a mutex", "a semaphore"}},
		{"Which is lighter, a mutex or a semaphore?", []string{"a mutex", "a semaphore"}},
		{"TCP vs UDP", []string{"TCP", "UDP"}},
		{"Compare soft links and hard links", []string{"soft links", "hard links"}},
		{"Qual a diferença entre tupla e lista?", []string{"tupla", "lista"}},
		{"Was ist der Unterschied zwischen einem Ast und einem Zweig?", []string{"einem Ast", "einem Zweig"}},
		{"useMemoとuseCallbackの違いは？", []string{"useMemo", "useCallback"}},
	} {
		s := SidesOf(c.question)
		if s == nil || !slices.Equal(s.Names, c.names) {
			t.Errorf("%q compares %+v, want %q", c.question, s, c.names)
		}
	}
	for _, q := range []string{"", "How do I install it?", "What is between the lines?", "Which tool is better than this one for reading very long files in many languages and formats?"} {
		if s := SidesOf(q); s != nil {
			t.Errorf("%q compares %q", q, s.Names)
		}
	}
	for question, heads := range map[string][2]string{
		"What is the difference between a 401 and a 403 answer?":                        {"15.5.2. 401 Unauthorized", "15.5.4. 403 Forbidden"},
		"PUT or POST: what sets them apart?":                                            {"9.3.4. PUT", "9.3.3. POST"},
		"How do classical and operant conditioning differ?":                             {"Classical Conditioning", "Operant Conditioning"},
		"When do I take a Markdown template and when a JavaScript one?":                 {"Markdown templates", "JavaScript Templates"},
		"What is the difference between searching the hub and searching repos in helm?": {"helm search hub", "helm search repo"},
	} {
		s := SidesOf(question)
		for i, h := range heads {
			if got := s.Alone(h); got != i {
				t.Errorf("%q: %q is of side %d, want %d (%+v)", question, h, got, i, s)
			}
		}
	}
	s := SidesOf("What is the difference between stash pop and stash apply?")
	if got := s.In("`apply` is like `pop`"); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("In = %v", got)
	}
	if got := s.Alone("stash apply"); got != 1 {
		t.Errorf("Alone = %d, want 1", got)
	}
	if got := s.Alone("stash"); got != -1 {
		t.Errorf("Alone = %d, want -1", got)
	}
}
