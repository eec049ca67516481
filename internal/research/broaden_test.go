package research

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// picky finds only what has one word.
type picky struct{ *fakeSource }

func (s picky) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, err := s.fakeSource.Search(ctx, q)
	if len(slices.DeleteFunc([]rune(q.Text), func(r rune) bool { return r != ' ' })) > 0 {
		docs = docs[:0]
	}
	return docs, err
}

func TestAnEmptySearchIsBroadenedOnce(t *testing.T) {
	t.Parallel()
	src := &fakeSource{name: "wiki", texts: []string{"A goroutine that is never collected leaks."}}
	w := newWorld(nil, picky{src})
	a, err := w.Research(t.Context(), Request{Question: "Why does a goroutine leak?"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if src.times() != 2 || src.asked[1] != longestWord(src.asked[:1]) || a.Sources[0].Documents != 1 {
		t.Errorf("asked %q, %+v", src.asked, a.Sources)
	}
	none := &fakeSource{name: "wiki"}
	if _, err := newWorld(nil, none).Research(t.Context(), Request{Question: "Why does a goroutine leak?"}, nil); err != nil || none.times() != 3 || none.asked[2] != "leak" { // the third is the second round
		t.Errorf("asked %q, %v", none.asked, err)
	}
	down := &fakeSource{name: "wiki", err: errDown}
	if _, err := newWorld(nil, down).Research(t.Context(), Request{Question: "Why does a goroutine leak?"}, nil); err != nil || down.times() != 1 {
		t.Errorf("a source that is down was asked %q, %v", down.asked, err)
	}
}

func TestLongestWord(t *testing.T) {
	t.Parallel()
	got := []string{}
	for _, topics := range [][]string{{"Go schedule goroutines"}, {"goroutine leak", "leak"}, {"goroutine"}, {"2009 2010"}, {}, {"the who"}, {"Zürcher Straßenbahn"}} {
		got = append(got, longestWord(topics))
	}
	want := []string{"goroutines", "goroutine", "", "", "", "", "Straßenbahn"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("broader (-want +got):\n%s", diff)
	}
}
