package local

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// knowing returns an answer that cites one document and knows another: the secret.
func knowing(cited, known evidence.Document) evidence.Turn {
	a := &evidence.Answer{RunID: "r_knowing", Question: "What sleeps in the delta?", Answer: "Cranes sleep in the delta. [1]",
		Citations: []evidence.Citation{{N: 1, Quote: cited.Text, DocumentID: cited.ID}},
		Topics:    []string{"delta", "delta zanzibarquux"}, Warnings: []string{"Zanzibarquux report was cut", "Ollama is not running"},
		Sources:  []evidence.SourceReport{{Name: "s", Err: known.URL + " is slow"}},
		Evidence: []evidence.RankedPassage{{DocumentID: cited.ID, Title: cited.Title, Text: cited.Text}, {DocumentID: known.ID, Title: known.Title, URL: known.URL, Text: known.Text}},
		Analysis: evidence.Analysis{Keywords: []evidence.TermCount{{Term: "zanzibarquux", Count: 3}, {Term: "delta", Count: 2}},
			TopDocuments: []evidence.TopDocument{{Title: known.Title, URL: known.URL}, {Title: cited.Title, URL: cited.URL}}}}
	return evidence.Turn{Role: evidence.RoleAssistant, Text: a.Answer, Run: a, Used: []string{cited.ID, known.ID}}
}

func delta() (cited, known evidence.Document) {
	cited, known = textDoc(1, "Cranes sleep in the delta of the river."), textDoc(2, secret)
	known.Title = "Zanzibarquux report"
	return cited, known
}

// wantScrubbed checks that the answer is there, and knows nothing of the secret.
func wantScrubbed(t *testing.T, l *Local, dir string) {
	t.Helper()
	a, ok, err := l.Run(t.Context(), "r_knowing")
	if err != nil || !ok {
		t.Fatalf("Run = %v, %v: an answer that did not cite it is gone", ok, err)
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if low := strings.ToLower(string(b)); strings.Contains(low, "zanzibarquux") || strings.Contains(low, "x.test/2") || strings.Contains(low, "herons") {
		t.Errorf("the answer still knows it: %s", b)
	}
	if len(a.Evidence) != 1 || len(a.Citations) != 1 || len(a.Warnings) != 1 || len(a.Topics) != 1 {
		t.Errorf("what is not of it is gone too: %s", b)
	}
	for _, marker := range []string{"zanzibarquux", "Zanzibarquux", "https://x.test/2"} {
		if left := holding(t, dir, marker); len(left) > 0 {
			t.Errorf("%q is still in %q", marker, left)
		}
	}
}

// An answer that used a document without citing it stays, without its title,
// address and words.
func TestForgetScrubsAnswersThatUsedIt(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*evidence.Turn){
		"recorded":            func(*evidence.Turn) {},
		"by an older program": func(turn *evidence.Turn) { turn.Used = nil },
		"in the analysis alone": func(turn *evidence.Turn) {
			turn.Run.Evidence, turn.Run.Analysis.TopDocuments = turn.Run.Evidence[:1], turn.Run.Analysis.TopDocuments[1:]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openIn(t, dir)
			cited, known := delta()
			keep(t, l, cited)
			keep(t, l, known)
			turn := knowing(cited, known)
			change(&turn)
			say(t, l, "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "What sleeps in the delta?"}, turn)
			r, err := l.Forget(t.Context(), contract.Selector{IDs: []string{known.ID}})
			if err != nil || r.Documents != 1 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "1 answer") {
				t.Fatalf("Forget = %+v, %v", r, err)
			}
			wantScrubbed(t, l, dir)
		})
	}
}

// What an answer used is known after an export and an import too.
func TestForgetScrubsImportedAnswers(t *testing.T) {
	t.Parallel()
	from, dir := openIn(t, t.TempDir()), t.TempDir()
	cited, known := delta()
	keep(t, from, cited)
	keep(t, from, known)
	turn := knowing(cited, known)
	turn.Run.Evidence, turn.Run.Analysis.TopDocuments = turn.Run.Evidence[:1], turn.Run.Analysis.TopDocuments[1:]
	say(t, from, "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "What sleeps in the delta?"}, turn)
	var b bytes.Buffer
	if _, err := from.Export(t.Context(), &b, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	l := openIn(t, dir)
	if m, err := l.Import(t.Context(), &b, contract.ImportOptions{}); err != nil || m.Failed > 0 {
		t.Fatalf("Import = %+v, %v", m, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{known.ID}}); err != nil {
		t.Fatal(err)
	}
	wantScrubbed(t, l, dir)
}

// An answer that was made while a document was forgotten is stored without it.
func TestAppendScrubsWhatWasForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	cited, known := delta()
	keep(t, l, cited)
	keep(t, l, known)
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{known.ID}}); err != nil {
		t.Fatal(err)
	}
	turn := knowing(cited, known)
	turn.Run.Sources, turn.Run.Warnings = []evidence.SourceReport{}, []string{"Zanzibarquux report was cut", "Ollama is not running"}
	say(t, l, "s_1", turn)
	if turn.Run.Topics[1] != "delta zanzibarquux" || len(turn.Run.Evidence) != 2 {
		t.Error("the caller's answer was changed")
	}
	wantScrubbed(t, l, dir)
}

// A removed id, a mistyped one, and words, titles and addresses are told apart.
func TestProveErasedOfOtherThanIDs(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	cited, known := delta()
	keep(t, l, cited)
	keep(t, l, known)
	say(t, l, "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "What sleeps in the delta?"}, knowing(cited, known))
	needles := []string{known.ID, known.Title, known.URL, "zanzibarquux"}
	for _, s := range needles {
		if r, err := l.ProveErased(t.Context(), s); err != nil || r.Gone || len(r.Found) == 0 || r.Unknown {
			t.Errorf("before Forget: ProveErased(%q) = %+v, %v", s, r, err)
		}
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{known.ID}}); err != nil {
		t.Fatal(err)
	}
	for _, s := range needles {
		if r, err := l.ProveErased(t.Context(), s); err != nil || !r.Gone || r.Unknown {
			t.Errorf("after Forget: ProveErased(%q) = %+v, %v", s, r, err)
		}
	}
	for _, mistyped := range []string{"d_mistypedmistypedmistyped22", "d_mistyped", "d_short", "s_nope", "r_nope", "s_1x"} {
		if r, err := l.ProveErased(t.Context(), mistyped); err != nil || !r.Gone || !r.Unknown {
			t.Errorf("ProveErased(%q), a mistyped id, = %+v, %v", mistyped, r, err)
		}
	}
	if r, err := l.ProveErased(t.Context(), "s_1"); err != nil || r.Gone || r.Unknown {
		t.Errorf("ProveErased of a short id that is there = %+v, %v", r, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{Session: "s_1"}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.ProveErased(t.Context(), "s_1"); err != nil || !r.Gone || r.Unknown {
		t.Errorf("ProveErased of a short id that was removed = %+v, %v", r, err)
	}
}
