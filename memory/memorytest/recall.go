package memorytest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func (s suite) recall(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	body := "A first part on nothing.\n\nThe second part is on quantum tunnelling in diodes."
	put(t, m, Doc("two", body))
	r := recall(t, m, Query("How does quantum tunnelling work?", 3))
	if len(r.Hits) == 0 {
		t.Fatal("nothing found")
	}
	h := r.Hits[0]
	if h.Document.ID != "two" || body[h.Passage.Start:h.Passage.End] != h.Passage.Text || !strings.HasPrefix(h.Passage.Text, "The second") {
		t.Errorf("best hit = %+v", h)
	}
	if len(h.Vector) != Model().Dims || h.Document.Title != "About two" || h.Document.Retrieved.IsZero() {
		t.Errorf("best hit lacks its vector or its document: %+v", h)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "xylophones", Mode: evidence.ModeBM25}); len(r.Hits) != 0 {
		t.Errorf("Recall of an unknown word = %q, want none", ids(r))
	}
}

func (s suite) recallModes(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	for mode, index := range map[string]string{evidence.ModeBM25: evidence.IndexLexical, evidence.ModeHybrid: evidence.IndexReady, evidence.ModeVector: evidence.IndexReady, "": evidence.IndexReady} {
		q := Query("bidirectional encoder masked words", 2)
		q.Mode = mode
		r := recall(t, m, q)
		if len(r.Hits) == 0 || r.Hits[0].Document.ID != "d2" {
			t.Errorf("mode %q finds %q, want d2 first", mode, ids(r))
		}
		if r.Index != index {
			t.Errorf("mode %q: index %q, want %q", mode, r.Index, index)
		}
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "sourdough"}); r.Index != evidence.IndexLexical || len(r.Hits) != 1 {
		t.Errorf("without a vector: index %q, %q", r.Index, ids(r))
	}
}

func (s suite) recallFilters(t *testing.T) {
	m := s.start(t)
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for i := range 6 {
		doc := Doc(fmt.Sprintf("f%d", i), fmt.Sprintf("Filtered text on glaciers number %d.", i))
		doc.Source = []string{"wiki", "news"}[i%2]
		doc.Tags = []string{"all", []string{"x", "y", "z"}[i%3]}
		doc.Meta = map[string]string{evidence.MetaSession: []string{"s_1", "s_2"}[i/3]}
		doc.Retrieved = day.AddDate(0, 0, i)
		put(t, m, doc)
	}
	for name, c := range map[string]struct {
		set  func(*evidence.RecallQuery)
		want []string
	}{
		"none":        {func(*evidence.RecallQuery) {}, []string{"f0", "f1", "f2", "f3", "f4", "f5"}},
		"source":      {func(q *evidence.RecallQuery) { q.Source = "news" }, []string{"f1", "f3", "f5"}},
		"session":     {func(q *evidence.RecallQuery) { q.Session = "s_2" }, []string{"f3", "f4", "f5"}},
		"tags":        {func(q *evidence.RecallQuery) { q.Tags = []string{"all", "y"} }, []string{"f1", "f4"}},
		"since":       {func(q *evidence.RecallQuery) { q.Since = day.AddDate(0, 0, 4) }, []string{"f4", "f5"}},
		"until":       {func(q *evidence.RecallQuery) { q.Until = day.AddDate(0, 0, 1) }, []string{"f0", "f1"}}, // the moment itself included
		"all of them": {func(q *evidence.RecallQuery) { q.Source, q.Session, q.Tags = "news", "s_2", []string{"z"} }, []string{"f5"}},
		"no match":    {func(q *evidence.RecallQuery) { q.Source = "nowhere" }, []string{}},
	} {
		for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector} {
			q := Query("Filtered text on glaciers number", 10)
			q.Mode = mode
			c.set(&q)
			got := ids(recall(t, m, q))
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("filter %s in mode %s = %q, want %q", name, mode, got, c.want)
			}
		}
	}
}

func (s suite) recallBadInput(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	_, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "x", Mode: "telepathy"})
	wantProblem(t, err, "telepathy", "hybrid")
	_, err = m.Recall(t.Context(), evidence.RecallQuery{Text: "x", Mode: evidence.ModeVector})
	wantProblem(t, err, "vector")
	for name, v := range map[string][]float32{"NaN": {float32(math.NaN()), 1}, "zero": make([]float32, 32), "dimensions": {1, 2}} {
		q := Query("attention", 2)
		q.Vector = v
		if r := recall(t, m, q); len(r.Hits) != 1 || len(r.Warnings) == 0 || r.Index != evidence.IndexLexical {
			t.Errorf("hybrid with a bad vector (%s) = %q, %q, index %s", name, ids(r), r.Warnings, r.Index)
		}
		q.Mode = evidence.ModeVector
		_, err := m.Recall(t.Context(), q)
		wantProblem(t, err)
	}
	for _, text := range []string{"", " ", `"`, `a" OR b`, "NEAR(", "*", "col:x", "\x00\xff", strings.Repeat("attention deficit ", 5000)} {
		recall(t, m, evidence.RecallQuery{Text: text})
	}
}

func (s suite) kOverCount(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	for _, mode := range []string{evidence.ModeHybrid, evidence.ModeVector} {
		q := Query("attention encoder scheduler yeast", 1_000_000)
		q.Mode = mode
		if r := recall(t, m, q); len(r.Hits) == 0 || len(r.Hits) > 4 {
			t.Errorf("mode %s with a huge k = %d hits", mode, len(r.Hits))
		}
	}
	if r := recall(t, m, Query("attention", 1)); len(r.Hits) != 1 {
		t.Errorf("k 1 = %d hits", len(r.Hits))
	}
	for _, k := range []int{0, -5} {
		if r := recall(t, m, Query("attention", k)); len(r.Hits) == 0 || len(r.Hits) > contract.DefaultK {
			t.Errorf("k %d = %d hits", k, len(r.Hits))
		}
	}
}

func (s suite) empty(t *testing.T) {
	m := s.start(t)
	for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25} {
		q := Query("anything", 5)
		q.Mode = mode
		if r := recall(t, m, q); len(r.Hits) != 0 {
			t.Errorf("an empty memory recalls %q", ids(r))
		}
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 0 || st.BySource == nil || st.Models == nil {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

func (s suite) otherModel(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	q := Query("attention", 3)
	q.Model = evidence.Model{Name: "unknown", Revision: "9", Dims: 32}
	if r := recall(t, m, q); len(r.Hits) != 1 || r.Index != evidence.IndexLexical || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "unknown@9") {
		t.Errorf("hybrid with an unknown model = %q, index %s, %q", ids(r), r.Index, r.Warnings)
	}
	q.Mode = evidence.ModeVector
	_, err := m.Recall(t.Context(), q)
	wantProblem(t, err, "unknown@9")

	doc := Doc("wide", "A text about wombats.")
	wide := evidence.Chunks{Model: Model(), Items: []evidence.Chunk{{Start: 0, End: len(doc.Text), Vector: embed(doc.Text, 64)}}}
	wide.Model.Dims = 64
	r, err := m.Put(t.Context(), doc, wide)
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "suite@1") || !strings.Contains(r.Warnings[0], "32") {
		t.Errorf("Put of 64 dimensions into a space of 32 = %+v, %v", r, err)
	}
	if r := recall(t, m, Query("wombats", 1)); len(r.Hits) != 1 || r.Hits[0].Document.ID != "wide" || r.Hits[0].Vector != nil {
		t.Errorf("Recall = %+v", r.Hits)
	}
}

func (s suite) partlyEmbedded(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	doc := Doc("plain", "Attention attention: this one was kept without vectors.")
	if _, err := m.Put(t.Context(), doc, evidence.Chunks{Items: Chunks(doc.Text).Items}); err != nil {
		t.Fatal(err)
	}
	r := recall(t, m, Query("attention without vectors", 5))
	if len(r.Hits) < 2 || r.Hits[0].Document.ID != "plain" || r.Hits[0].Vector != nil {
		t.Errorf("a document without vectors is not ranked by its words: %q", ids(r))
	}
	if r := recall(t, m, Query("masked words of an encoder", 1)); len(r.Hits) != 1 || r.Hits[0].Document.ID != "d2" {
		t.Errorf("Recall of an embedded document = %q", ids(r))
	}
}

func (s suite) nonLatin(t *testing.T) {
	m := s.start(t)
	for id, body := range map[string]string{
		"ja": "東京は日本の首都であり、世界最大の都市圏の一つである。",
		"ru": "Москва — столица России, крупнейший по численности населения город.",
		"ar": "القاهرة هي عاصمة جمهورية مصر العربية.",
		"el": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
		"fr": "L’été, la forêt brûle près de la côte méditerranéenne.",
	} {
		put(t, m, Doc(id, body))
	}
	for q, want := range map[string]string{"日本の首都": "ja", "столица": "ru", "القاهرة": "ar", "ΑΘΉΝΑ": "el", "foret mediterraneenne": "fr"} {
		if r := recall(t, m, evidence.RecallQuery{Text: q, K: 1}); len(r.Hits) != 1 || r.Hits[0].Document.ID != want {
			t.Errorf("Recall(%s) = %q, want %s", q, ids(r), want)
		}
	}
}

func (s suite) stopWords(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	who := Doc("who", "An English rock band formed in London in 1964.")
	who.Title = "The Who"
	put(t, m, who)
	if r := recall(t, m, evidence.RecallQuery{Text: "The Who"}); len(r.Hits) == 0 || r.Hits[0].Document.ID != "who" {
		t.Errorf("Recall(The Who) = %q, want who", ids(r))
	}
}

func (s suite) nearDuplicates(t *testing.T) {
	m := s.start(t)
	body := "The transformer is a neural network architecture that relies on attention and was introduced in 2017 by researchers at Google to replace recurrence in sequence models."
	put(t, m, Doc("first", body))
	put(t, m, Doc("copy", body+" "))
	put(t, m, Doc("other", "Another text: attention in psychology is the selective concentration on discrete information while ignoring other perceivable things around."))
	got := ids(recall(t, m, Query("transformer attention", 10)))
	if len(got) != 2 || !slices.Contains(got, "other") {
		t.Errorf("Recall = %q, want one of the near-duplicates and other", got)
	}
}

func (s suite) turns(t *testing.T) {
	m := s.start(t)
	said := []string{"Ann: hi", "Bob: Which animal did you see at the lake yesterday?", "Ann: It was a kingfisher, so colourful.", "Bob: nice", "Ann: bye"}
	for i, text := range said {
		doc := evidence.Document{ID: fmt.Sprintf("t%d", i), Source: "chat", Title: "Chat", Text: text, Published: time.Date(2023, 5, 8, 0, 0, 0, 0, time.UTC),
			Meta: map[string]string{evidence.MetaKind: evidence.KindTurn, evidence.MetaSeq: fmt.Sprint(i), evidence.MetaSession: "s_chat"}}
		put(t, m, doc)
	}
	q := evidence.RecallQuery{Text: "Which animal was at the lake?", Session: "s_chat", K: 3}
	if got := ids(recall(t, m, q)); len(got) < 2 || got[0] != "t1" || !slices.Contains(got, "t2") {
		t.Errorf("Recall = %q, want t1 and its neighbour t2", got)
	}
	if got := ids(recall(t, m, evidence.RecallQuery{Text: "8 May 2023", Session: "s_chat"})); len(got) == 0 {
		t.Error("the date of a conversation is not found")
	}
}
