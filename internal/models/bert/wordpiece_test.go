package bert

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

func vocabulary(t testing.TB) *WordPiece {
	t.Helper()
	raw, err := os.ReadFile("../minilm/vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWordPiece(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The vectors are HuggingFace's; scripts/wordpiece_vectors.py makes them.
func TestEncodeEqualsHuggingFace(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/wordpiece.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Text string  `json:"text"`
		IDs  []int32 `json:"ids"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 200 {
		t.Fatalf("only %d texts", len(rows))
	}
	w := vocabulary(t)
	for _, row := range rows {
		if got := w.Encode(row.Text, 512).IDs; !slices.Equal(got, row.IDs) {
			t.Errorf("Encode(%q) =\n%v, want\n%v", row.Text, got, row.IDs)
		}
	}
}

func TestEncodePair(t *testing.T) {
	t.Parallel()
	w := vocabulary(t)
	first, second := w.Encode("who wrote it", 64).IDs, w.Encode("the author did", 64).IDs
	got := w.EncodePair("who wrote it", "the author did", 64)
	if want := slices.Concat(first, second[1:]); !slices.Equal(got.IDs, want) || got.Second != len(first) {
		t.Errorf("EncodePair = %v, second at %d; want %v, second at %d", got.IDs, got.Second, want, len(first))
	}
	if n := len(w.EncodePair("a b c d e f g h i j k l m n", "x y z x y z x y z", 16).IDs); n != 16 {
		t.Errorf("a pair that is too long has %d tokens, want 16", n)
	}
}

func FuzzEncode(f *testing.F) {
	w := vocabulary(f)
	f.Add("Hello, wörld 漢字", 16)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(2, limit%512)
		in := w.Encode(s, limit)
		if len(in.IDs) < 2 || len(in.IDs) > limit {
			t.Fatalf("%d tokens with a limit of %d", len(in.IDs), limit)
		}
		for _, id := range in.IDs {
			if id < 0 || int(id) >= len(w.pieces.ends) {
				t.Fatalf("id %d is outside the vocabulary", id)
			}
		}
	})
}
