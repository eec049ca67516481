package library

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestPageOfACompromisedChildIsCleaned(t *testing.T) {
	t.Parallel()
	page := extract.Page{Title: strings.Repeat("t\n", 4<<20), Text: "a\x00b\u202Ec\xff می\u200cخواهم " + strings.Repeat("x", 3<<20), Language: strings.Repeat("e", 100)}
	clean(&page)
	if len(page.Title) > maxTitle || strings.Contains(page.Title, "\n") || len(page.Language) > maxLanguage || len(page.Text) != maxText || !page.Truncated {
		t.Errorf("title of %d bytes, text of %d, language of %d, truncated %v", len(page.Title), len(page.Text), len(page.Language), page.Truncated)
	}
	if want := "abc\uFFFD می\u200cخواهم xxx"; !strings.HasPrefix(page.Text, want) {
		t.Errorf("text begins with %q, want %q", page.Text[:40], want)
	}
	good := extract.Page{Title: "A title", Text: "# Heading\n\nA text, and 日本語.", Language: "en"}
	was := good
	clean(&good)
	if diff := cmp.Diff(was, good); diff != "" {
		t.Errorf("a good page was changed (-want +got):\n%s", diff)
	}
}

func TestLacksVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   contract.Stats
		want bool
	}{
		{"empty", contract.Stats{}, false},
		{"no vectors", contract.Stats{Documents: 1}, true},
		{"all", contract.Stats{Documents: 2, Models: []contract.ModelStats{{Documents: 1}, {Active: true, Documents: 2}}}, false},
		{"some", contract.Stats{Documents: 2, Models: []contract.ModelStats{{Documents: 2}, {Active: true, Documents: 1}}}, true},
	} {
		if got := lacksVectors(c.in); got != c.want {
			t.Errorf("%s: lacksVectors = %v", c.name, got)
		}
	}
}

func TestBackgroundWaitsForQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q questions
		if err := q.wait(t.Context()); err != nil {
			t.Errorf("wait without a question = %v", err)
		}
		first, second := q.enter(), q.enter()
		ended := false
		go func() {
			if err := q.wait(t.Context()); err != nil {
				t.Errorf("wait = %v", err)
			}
			ended = true
		}()
		first()
		first() // counts once
		synctest.Wait()
		if ended {
			t.Error("wait ended while a question was being answered")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("wait with a cancelled context = %v", err)
		}
		second()
		synctest.Wait()
		if !ended {
			t.Error("wait did not end with the last question")
		}
	})
}

// Beside other recalls a recall does not wait long for vectors, and beside a question not at all.
func TestCandidatePatience(t *testing.T) {
	t.Parallel()
	l := &Library{}
	recall := func() (done func()) {
		l.recalls.Add(1)
		leave := l.Foreground()
		return func() { leave(); l.recalls.Add(-1) }
	}
	defer recall()() // the recall itself
	if got := l.candidatePatience(); got != CandidatePatience {
		t.Errorf("patience alone = %v, want %v", got, CandidatePatience)
	}
	other := recall()
	if got := l.candidatePatience(); got != busyPatience {
		t.Errorf("patience beside a recall = %v, want %v", got, busyPatience)
	}
	done := l.Foreground()
	if got := l.candidatePatience(); got != 0 {
		t.Errorf("patience beside a question = %v, want 0", got)
	}
	done()
	other()
	if got := l.candidatePatience(); got != CandidatePatience {
		t.Errorf("patience after it = %v, want %v", got, CandidatePatience)
	}
}
