package memorytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func (s suite) putAndGet(t *testing.T) {
	m := s.start(t)
	want := Doc("one", "First paragraph.\n\nSecond paragraph.")
	r := put(t, m, want)
	if diff := cmp.Diff(evidence.Receipt{DocumentID: "one", Documents: 1, Chunks: 2}, r, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Put (-want +got):\n%s", diff)
	}
	got, ok, err := m.Document(t.Context(), "one")
	if err != nil || !ok {
		t.Fatalf("Document = %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Document (-want +got):\n%s", diff)
	}
	if _, ok, err := m.Document(t.Context(), "two"); ok || err != nil {
		t.Errorf("Document(two) = %v, %v, want false", ok, err)
	}
}

func longTitled() evidence.Document {
	doc := Doc("one", strings.Repeat("A sentence about whales.\n\n", 2000))
	doc.Title = "About whales " + strings.Repeat("é filler ", 20000)
	return doc
}

// A long title is cut, and not indexed whole with each chunk: the size would be
// quadratic.
func (s suite) longTitle(t *testing.T) {
	m := s.start(t)
	doc := longTitled()
	put(t, m, doc)
	if r := put(t, m, doc); !r.Deduplicated {
		t.Errorf("second Put = %+v, want deduplicated", r)
	}
	got, _, err := m.Document(t.Context(), "one")
	if err != nil || len(got.Title) > contract.MaxTitle || len(got.Title) < contract.MaxTitle-3 || !strings.HasPrefix(doc.Title, got.Title) || got.Text != doc.Text {
		t.Errorf("Document has a title of %d bytes, %v", len(got.Title), err)
	}
	st, err := m.Stats(t.Context())
	if limit := int64(8 << 20); err != nil || st.Bytes > limit {
		t.Errorf("Stats = %d bytes, %v, want at most %d", st.Bytes, err, limit)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "whales"}); len(r.Hits) == 0 {
		t.Error("Recall finds nothing")
	}
}

func (s suite) putAgain(t *testing.T) {
	m := s.start(t)
	doc := Doc("one", "The same text about whales.")
	if r := put(t, m, doc); r.Deduplicated {
		t.Errorf("first Put = %+v, want not deduplicated", r)
	}
	doc.Retrieved, doc.Tags, doc.Meta = doc.Retrieved.Add(time.Hour), []string{"c"}, map[string]string{evidence.MetaSession: "s_x"}
	if r := put(t, m, doc); !r.Deduplicated || r.Documents != 0 || r.Chunks != 1 {
		t.Errorf("second Put = %+v, want deduplicated with 1 chunk", r)
	}
	got, _, err := m.Document(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if !got.Retrieved.Equal(doc.Retrieved) || !slices.Equal(got.Tags, []string{"a", "b", "c"}) {
		t.Errorf("after the second Put: retrieved %v, tags %q", got.Retrieved, got.Tags)
	}
	for _, q := range []evidence.RecallQuery{{Text: "whales", Session: "s_x"}, {Text: "whales", Tags: []string{"a", "c"}}} {
		if r := recall(t, m, q); len(r.Hits) != 1 {
			t.Errorf("Recall(%+v) = %d hits, want 1", q, len(r.Hits))
		}
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 1 || st.Chunks != 1 {
		t.Errorf("Stats = %d documents, %d chunks, %v", st.Documents, st.Chunks, err)
	}
	other := Chunks(doc.Text) // vectors of another model for the stored text
	other.Model.Revision = "2"
	if r, err := m.Put(t.Context(), doc, other); err != nil || !r.Deduplicated {
		t.Fatalf("Put of another model's vectors = %+v, %v", r, err)
	}
	q := evidence.RecallQuery{Text: "whales", Vector: Embed("whales"), Model: other.Model, Mode: evidence.ModeVector}
	if r := recall(t, m, q); len(r.Hits) != 1 || r.Hits[0].Vector == nil {
		t.Errorf("Recall in the other space = %+v", r)
	}
}

func (s suite) putReplaces(t *testing.T) {
	m := s.start(t)
	put(t, m, Doc("one", "Old text about penguins.\n\nMore about penguins."))
	r := put(t, m, Doc("one", "New text about ostriches."))
	if r.Deduplicated || r.Documents != 1 || r.Chunks != 1 {
		t.Errorf("Put of another text = %+v", r)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "penguins"}); len(r.Hits) != 0 {
		t.Errorf("the old text is still found: %q", ids(r))
	}
	if r := recall(t, m, Query("ostriches", 5)); len(r.Hits) != 1 || r.Hits[0].Passage.Text != "New text about ostriches." {
		t.Errorf("Recall = %+v, want the new text alone", r.Hits)
	}
	if got, _, err := m.Document(t.Context(), "one"); err != nil || got.Text != "New text about ostriches." {
		t.Errorf("Document = %q, %v", got.Text, err)
	}
}

func (s suite) putRefuses(t *testing.T) {
	m := s.start(t)
	for _, c := range []struct {
		name  string
		doc   evidence.Document
		items []evidence.Chunk
		words []string
	}{
		{"no id", Doc("", "text"), nil, []string{"id"}},
		{"a long id", Doc(strings.Repeat("x", contract.MaxID+1), "text"), nil, []string{"id", "1001", "1000"}},
		{"too large", Doc("big", strings.Repeat("x", contract.DefaultMaxText+1)), nil, []string{"10485760", "10485761"}},
		{"chunk beyond the end", Doc("c", "short"), []evidence.Chunk{{Start: 0, End: 9}}, []string{"chunk 0"}},
		{"chunk backwards", Doc("c", "short"), []evidence.Chunk{{Start: 3, End: 1}}, []string{"chunk 0"}},
		{"chunk inside a rune", Doc("c", "日本"), []evidence.Chunk{{Start: 1, End: 3}}, []string{"rune"}},
	} {
		_, err := m.Put(t.Context(), c.doc, evidence.Chunks{Items: c.items})
		t.Run(c.name, func(t *testing.T) { wantProblem(t, err, c.words...) })
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 0 {
		t.Errorf("after refusals: %d documents, %v", st.Documents, err)
	}
}

func (s suite) putCleans(t *testing.T) {
	m := s.start(t)
	body := "broken \xff\xfe byte and a zero\x00here, then marmots"
	doc := Doc("bad", body)
	at := strings.Index(body, "marmots")
	r, err := m.Put(t.Context(), doc, evidence.Chunks{Items: []evidence.Chunk{{Start: at, End: len(body)}}})
	if err != nil || len(r.Warnings) == 0 {
		t.Fatalf("Put = %+v, %v, want a warning", r, err)
	}
	got, _, err := m.Document(t.Context(), "bad")
	if err != nil || !utf8.ValidString(got.Text) || len(got.Text) != len(body) {
		t.Errorf("Document = %q (%d bytes, want %d), %v", got.Text, len(got.Text), len(body), err)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "marmots"}); len(r.Hits) != 1 || r.Hits[0].Passage.Text != "marmots" {
		t.Errorf("Recall = %+v", r.Hits)
	}
}

func (s suite) putBadVectors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	bad := map[string][]float32{
		"NaN":        append([]float32{nan}, make([]float32, 31)...),
		"infinity":   append([]float32{inf}, make([]float32, 31)...),
		"zero":       make([]float32, 32),
		"dimensions": {1, 2, 3},
	}
	for name, v := range bad {
		t.Run(name, func(t *testing.T) {
			m := s.start(t)
			seed(t, m)
			body := "A text about porcupines."
			r, err := m.Put(t.Context(), Doc("bad", body), evidence.Chunks{Model: Model(), Items: []evidence.Chunk{{Start: 0, End: len(body), Vector: v}}})
			if err != nil || len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "suite") {
				t.Fatalf("Put = %+v, %v, want a warning that names the model", r, err)
			}
			if r := recall(t, m, Query("porcupines", 5)); len(r.Hits) == 0 || r.Hits[0].Document.ID != "bad" {
				t.Errorf("the document is not found by its words: %q", ids(r))
			}
			q := Query("Sourdough bread rises by wild yeast and lactic bacteria.", 4)
			q.Mode = evidence.ModeVector
			if r := recall(t, m, q); len(r.Hits) == 0 || r.Hits[0].Document.ID != "d3" || slices.Contains(ids(r), "bad") {
				t.Errorf("the index is damaged: %q", ids(r))
			}
		})
	}
}

func (s suite) callersMap(t *testing.T) {
	m := s.start(t)
	doc := Doc("one", "A text about herons.")
	chunks := Chunks(doc.Text)
	if _, err := m.Put(t.Context(), doc, chunks); err != nil {
		t.Fatal(err)
	}
	doc.Meta["points"], doc.Tags[0] = "changed", "changed"
	for i := range chunks.Items[0].Vector {
		chunks.Items[0].Vector[i] = float32(math.NaN())
	}
	for range 2 { // the second time after the result was changed
		r := recall(t, m, Query("herons", 3))
		if len(r.Hits) != 1 || r.Hits[0].Document.Meta["points"] != "7" || r.Hits[0].Document.Tags[0] != "a" || r.Hits[0].Vector[0] != r.Hits[0].Vector[0] {
			t.Fatalf("Recall = %+v", r.Hits)
		}
		r.Hits[0].Document.Meta["points"], r.Hits[0].Document.Tags[0], r.Hits[0].Vector[0] = "x", "x", float32(math.NaN())
	}
}

func (s suite) reopen(t *testing.T) {
	dir := t.TempDir()
	m, err := s.Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	seed(t, m)
	want := recall(t, m, Query("attention transformers", 3))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	got := recall(t, s.at(t, dir), Query("attention transformers", 3))
	if diff := cmp.Diff(want.Hits, got.Hits); diff != "" {
		t.Errorf("after reopening (-want +got):\n%s", diff)
	}
}

func (s suite) twoHandles(t *testing.T) {
	dir := t.TempDir()
	a, b := s.at(t, dir), s.at(t, dir)
	for i := range 5 {
		id := fmt.Sprintf("doc%d", i)
		put(t, a, Doc(id, "Shared knowledge number "+id+" about badgers."))
		for _, mode := range []string{evidence.ModeHybrid, evidence.ModeVector, evidence.ModeBM25} {
			q := Query("Shared knowledge number "+id+" about badgers.", 10)
			q.Mode = mode
			if got := ids(recall(t, b, q)); len(got) != i+1 || !slices.Contains(got, id) {
				t.Fatalf("the other handle in mode %s finds %q after %s was put", mode, got, id)
			}
		}
	}
	put(t, b, Doc("doc0", "Now it is about something else entirely: volcanoes."))
	q := Query("Now it is about something else entirely: volcanoes.", 1)
	q.Mode = evidence.ModeVector
	if got := recall(t, a, q); len(got.Hits) != 1 || got.Hits[0].Document.ID != "doc0" {
		t.Errorf("a replacement by the other handle is not seen: %q", ids(got))
	}
}

func (s suite) cancelled(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	sess, err := m.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	doc := Doc("late", "A late text.")
	for name, call := range map[string]func() error{
		"Put":      func() error { _, err := m.Put(ctx, doc, Chunks(doc.Text)); return err },
		"Recall":   func() error { _, err := m.Recall(ctx, Query("attention", 3)); return err },
		"Document": func() error { _, _, err := m.Document(ctx, "d0"); return err },
		"Open":     func() error { _, err := m.Open(ctx, ""); return err },
		"Append":   func() error { return m.Append(ctx, sess.ID, evidence.Turn{Role: evidence.RoleUser, Text: "x"}) },
		"Fold":     func() error { _, err := m.Fold(ctx, sess.ID, 0, 0, "x"); return err },
		"Run":      func() error { _, _, err := m.Run(ctx, "r_1"); return err },
		"Stats":    func() error { _, err := m.Stats(ctx); return err },
		"Changes":  func() error { _, err := m.Changes(ctx, ""); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v, want context.Canceled", name, err)
		}
	}
	if _, ok, err := m.Document(t.Context(), "late"); ok || err != nil {
		t.Errorf("a cancelled Put was stored: %v, %v", ok, err)
	}
}

func (s suite) collisions(t *testing.T) {
	m := s.start(t)
	// The SHA-256 of the ids have the same first 32 bits.
	put(t, m, Doc("chunk-5870", "One of the pair, on lighthouses."))
	put(t, m, Doc("chunk-118139", "The other of the pair, on windmills."))
	for q, want := range map[string]string{"lighthouses": "chunk-5870", "windmills": "chunk-118139"} {
		if r := recall(t, m, Query(q, 1)); len(r.Hits) != 1 || r.Hits[0].Document.ID != want {
			t.Errorf("Recall(%s) = %q, want %s", q, ids(r), want)
		}
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 2 {
		t.Errorf("Stats = %d documents, %v, want 2", st.Documents, err)
	}
}

func (s suite) large(t *testing.T) {
	m := s.start(t)
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "Paragraph number w%d of a long report on rivers and their deltas.\n\n", i)
	}
	fmt.Fprint(&b, "At the very end is the axolotl.")
	put(t, m, Doc("large", b.String()))
	r := recall(t, m, Query("axolotl", 1))
	if len(r.Hits) != 1 || r.Hits[0].Passage.Text != "At the very end is the axolotl." {
		t.Fatalf("Recall = %+v", r.Hits)
	}
	if got, _, err := m.Document(t.Context(), "large"); err != nil || got.Text != b.String() {
		t.Errorf("Document has %d bytes of %d, %v", len(got.Text), b.Len(), err)
	}
}

func (s suite) stats(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	if _, err := m.Open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	st, err := m.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Backend == "" || st.Backend != m.Backend() || st.Documents != 4 || st.Chunks != 4 || st.Sessions != 1 || st.Bytes <= 0 || st.TextBytes <= 0 || st.BySource["test"] != 4 {
		t.Errorf("Stats = %+v", st)
	}
	if st.Embedder != "suite@1" || len(st.Models) != 1 || st.Models[0].Documents != 4 || !st.Models[0].Active {
		t.Errorf("Stats of the models = %q, %+v", st.Embedder, st.Models)
	}
}

func (s suite) close(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if _, err := m.Recall(t.Context(), Query("attention", 1)); err == nil {
		t.Error("Recall after Close succeeded")
	}
}
