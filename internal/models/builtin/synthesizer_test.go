package builtin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/text"
)

func write(t *testing.T, in evidence.Brief) evidence.Draft {
	t.Helper()
	d, err := NewSynthesizer(nil).Write(t.Context(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// checkQuotes checks that every sentence is a quote.
func checkQuotes(t *testing.T, in evidence.Brief, d evidence.Draft) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range d.Sentences {
		if len(s.Marks) != 1 || len(s.Quotes) != 1 || s.Marks[0] < 1 || s.Marks[0] > len(in.Evidence) {
			t.Fatalf("sentence %+v, want one mark and one quote", s)
		}
		body, q := in.Evidence[s.Marks[0]-1].Document.Text, s.Quotes[0]
		if q.Start < 0 || q.End > len(body) || body[q.Start:q.End] != s.Text {
			t.Errorf("%q is not at %v", s.Text, q)
		}
		if seen[s.Text] {
			t.Errorf("%q is quoted twice", s.Text)
		}
		seen[s.Text] = true
	}
}

func TestSynthesizer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question string
		first          string
		with, without  string
	}{
		{"definition", "What is BERT?", "BERT is a language model that reads text in both directions.", "", "Wheat"},
		{"name", "Who introduced BERT?", "It was introduced in October 2018 by Jacob Devlin at Google.", "", "Wheat"},
		{"two sources", "How do BERT and GPT read text?", "BERT is a language model that reads text in both directions.", "GPT", "Kansas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := evidence.Brief{Question: c.question, Evidence: modelstest.Library(), MaxTokens: 800}
			d := write(t, in)
			checkQuotes(t, in, d)
			if d.Abstain || len(d.Sentences) < 1 || d.Sentences[0].Text != c.first {
				t.Fatalf("Write(%q) = %+v, want %q first", c.question, d, c.first)
			}
			if got := modelstest.Prose(d); !strings.Contains(got, c.with) || c.without != "" && strings.Contains(got, c.without) {
				t.Errorf("Write(%q) = %s", c.question, got)
			}
		})
	}
}

func TestSynthesizerAbstains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question string
		list           []evidence.Evidence
	}{
		{"about something else", "Who painted the ceiling of the Sistine Chapel?", modelstest.Library()},
		{"one word in common", "Which grass feeds koala bears in Queensland zoos?", modelstest.Library()},
		{"no evidence", "What is BERT?", nil},
		{"nothing to quote", "What is BERT?", []evidence.Evidence{modelstest.Whole("a", "BERT", "BERT", 1)}},
		{"a passage that is not there", "What is BERT?", []evidence.Evidence{{Document: modelstest.Library()[0].Document, Passage: evidence.Passage{Start: 10, End: 9999}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if d := write(t, evidence.Brief{Question: c.question, Evidence: c.list}); !d.Abstain || d.Why == "" || len(d.Sentences) != 0 {
				t.Errorf("Write(%q) = %+v, want an abstention with its reason", c.question, d)
			}
		})
	}
}

func TestSynthesizerFollowUp(t *testing.T) {
	t.Parallel()
	summary, err := NewSummarizer().Summarize(t.Context(), "", []evidence.Turn{{Role: evidence.RoleUser, Text: "How do BERT and GPT differ?"}})
	if err != nil {
		t.Fatal(err)
	}
	in := evidence.Brief{Question: "Which of those models were introduced in 2018, and by whom?", Evidence: modelstest.Library(), Summary: summary}
	d := write(t, in)
	checkQuotes(t, in, d)
	if got := modelstest.Prose(d); !strings.Contains(got, "Jacob Devlin") || !strings.Contains(got, "OpenAI introduced the first GPT") {
		t.Errorf("Write = %s", got)
	}
}

// A chunk that begins and ends in the middle of a sentence gives whole sentences
// of the document, and no sentence twice when chunks overlap.
func TestSynthesizerChunks(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("Filler about gardens and weather goes here. ", 30) +
		"The telephone was patented by Alexander Graham Bell in 1876. Ünïcode — “quotes” surround the telephone's story. " +
		strings.Repeat("More filler about gardens follows here. ", 30)
	at := strings.Index(body, "telephone was")
	end := strings.Index(body, "surround")
	doc := evidence.Document{ID: "d", Source: "a", Title: "Telephone", Text: body}
	in := evidence.Brief{Question: "Who patented the telephone?", Evidence: []evidence.Evidence{
		{Document: doc, Passage: evidence.Passage{DocumentID: "d", Start: at, End: end, Text: body[at:end], Score: 1}},
		{Document: doc, Passage: evidence.Passage{DocumentID: "d", Start: at + 5, End: end + 9, Text: body[at+5 : end+9], Score: 0.5}},
	}}
	d := write(t, in)
	checkQuotes(t, in, d)
	if len(d.Sentences) == 0 || d.Sentences[0].Text != "The telephone was patented by Alexander Graham Bell in 1876." {
		t.Errorf("Write = %s", modelstest.Prose(d))
	}
}

func TestSynthesizerLimits(t *testing.T) {
	t.Parallel()
	var list []evidence.Evidence
	for i := range 12 {
		list = append(list, modelstest.Whole(fmt.Sprint("source", i), fmt.Sprint("Bees ", i),
			fmt.Sprintf("Honey bees of region %d pollinate the flowers of %s while they gather nectar.", i, strings.Repeat(string(rune('a'+i)), 7)), 0.5))
	}
	for _, c := range []struct{ tokens, least, most int }{{0, 2, 5}, {4000, 2, 5}, {60, 1, 3}, {1, 1, 1}} {
		d := write(t, evidence.Brief{Question: "How do honey bees pollinate flowers?", Evidence: list, MaxTokens: c.tokens})
		if n := len(d.Sentences); n < c.least || n > c.most {
			t.Errorf("MaxTokens %d: %d sentences, want %d to %d", c.tokens, n, c.least, c.most)
		}
		if got := text.EstimateTokens(modelstest.Prose(d)); c.tokens >= 60 && got > c.tokens {
			t.Errorf("MaxTokens %d: %d tokens", c.tokens, got)
		}
	}
}

func TestSynthesizerStream(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	in := evidence.Brief{Question: "What is BERT?", Evidence: modelstest.Library()}
	d, err := NewSynthesizer(nil).Write(t.Context(), in, func(s string) { got.WriteString(s) })
	if err != nil || !strings.HasPrefix(got.String(), d.Sentences[0].Text+" [1] ") {
		t.Errorf("streamed %q, %v", got.String(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewSynthesizer(nil).Write(ctx, in, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Write with an ended context: %v", err)
	}
}

func TestSynthesizerIsDeterministic(t *testing.T) {
	t.Parallel()
	in := evidence.Brief{Question: "How do BERT and GPT read text?", Evidence: modelstest.Library()}
	if diff := cmp.Diff(write(t, in), write(t, in)); diff != "" {
		t.Errorf("two drafts of one brief:\n%s", diff)
	}
}

// An answer begins with its best sentence; what follows is grouped by document.
func TestArrange(t *testing.T) {
	t.Parallel()
	c := func(doc string, start int, s string) candidate {
		return candidate{document: doc, span: evidence.Span{Start: start}, text: s}
	}
	var got []string
	for _, x := range arrange([]candidate{c("a", 50, "best"), c("b", 9, "b late"), c("a", 10, "a early"), c("b", 1, "b early")}) {
		got = append(got, x.text)
	}
	if diff := cmp.Diff([]string{"best", "a early", "b early", "b late"}, got); diff != "" {
		t.Errorf("arrange (-want +got):\n%s", diff)
	}
}

// A comparison in some respect quotes what each side is in that respect, not where both are
// merely named.
func TestSynthesizerCompares(t *testing.T) {
	t.Parallel()
	list := []evidence.Evidence{
		modelstest.Whole("a", "Otter", "The otter is often mistaken for the beaver. Otters hunt fish by day and night. Grown otters weigh 9 kg at most. They were hunted for fur until 1978.", 1),
		modelstest.Whole("b", "Beaver", "The beaver builds dams of wood and mud. It eats bark, and never fish. Beavers weigh 20 kg, more than twice as much as an otter.", 0.9),
		modelstest.Whole("c", "Rivers", "Whoever sees a beaver or an otter in the river Tavy may report it. A boat from the mill to the weir takes an hour.", 0.8),
	}
	for question, want := range map[string][]string{
		"How do otters and beavers differ in what they weigh?": {
			"Beavers weigh 20 kg, more than twice as much as an otter.", "Grown otters weigh 9 kg at most.",
		},
		"Which of them eats fish, the otter or the beaver?": {
			"Otters hunt fish by day and night.", "It eats bark, and never fish.",
		},
		"Which was hunted for fur, the otter or the newt?": { // of which nothing was read
			"They were hunted for fur until 1978.",
		},
	} {
		in := evidence.Brief{Question: question, Evidence: list, MaxTokens: 800}
		d := write(t, in)
		checkQuotes(t, in, d)
		var got []string
		for _, s := range d.Sentences {
			got = append(got, s.Text)
		}
		for _, s := range want {
			if !slices.Contains(got, s) {
				t.Errorf("%q is answered %q, without %q", question, got, s)
			}
		}
		if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "Tavy") || strings.Contains(s, "mistaken") }) && len(want) == 2 {
			t.Errorf("%q is answered %q", question, got)
		}
	}
}
