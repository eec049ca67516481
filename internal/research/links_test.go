package research

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// linking finds documents whose pages are worth reading.
type linking struct{ *fakeSource }

func (s linking) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, err := s.fakeSource.Search(ctx, q)
	for i := range docs {
		docs[i].ReadPage = true
	}
	return docs, err
}

// The pages that hits link to are read beside them; one that is down costs only
// itself.
func TestLinkedPagesAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, linking{&fakeSource{name: "news", texts: []string{"One story.", "Another story.", "A third.", "A fourth."}}},
		linking{&fakeSource{name: "down", texts: []string{"Its page is down."}}})
	w.read(readPage)
	got, err := w.Read(t.Context(), ReadRequest{Query: "story", FullText: true, Limit: 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pages, stories := 0, 0
	for _, d := range got.Documents {
		if d.Meta[evidence.MetaRequestedURL] != "" {
			t.Errorf("document %s keeps %v", d.URL, d.Meta)
		}
		if d.Source == "web" {
			pages++
			if d.Meta[evidence.MetaVia] != "news" {
				t.Errorf("page %s was found via %q", d.URL, d.Meta[evidence.MetaVia])
			}
		} else {
			stories++
		}
	}
	if pages != maxLinked || stories != 5 {
		t.Errorf("%d pages and %d stories, want %d and 5", pages, stories, maxLinked)
	}
	for _, r := range got.Sources {
		want := map[string]int{"news": 4 + maxLinked, "down": 1}[r.Name]
		if r.Status != evidence.StatusOK || r.Documents != want || r.Err != "" {
			t.Errorf("report %+v, want ok with %d", r, want)
		}
	}
}

// kept answers as from a cache.
type kept struct {
	*fakeSource
	origin evidence.Origin
}

func (s kept) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	docs, err := s.Search(ctx, q)
	return docs, s.origin, err
}

func TestReportsTellOfKeptAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, kept{&fakeSource{name: "fresh", texts: []string{"Fresh."}}, evidence.Origin{}},
		kept{&fakeSource{name: "kept", texts: []string{"Kept."}}, evidence.Origin{Cached: true, Age: 1e11}},
		kept{&fakeSource{name: "stale", texts: []string{"Stale."}}, evidence.Origin{Stale: true, Age: 2e14}})
	got, err := w.Read(t.Context(), ReadRequest{Query: "q"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]evidence.SourceReport{
		"fresh": {Status: "ok"}, "kept": {Status: "cached", AgeSeconds: 100},
		"stale": {Status: "ok", AgeSeconds: 200_000, Err: "could not be asked: this is what it said 55h33m20s ago"},
	}
	for _, r := range got.Sources {
		if x := want[r.Name]; r.Status != x.Status || r.AgeSeconds != x.AgeSeconds || r.Err != x.Err {
			t.Errorf("report %+v, want %+v", r, x)
		}
	}
}

// waitedFor records for how long it is waited for.
type waitedFor struct {
	*fakeSource
	got chan time.Duration
}

func (p waitedFor) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	p.got <- q.Patience
	return p.fakeSource.Search(ctx, q)
}

// What may be missing from a source's documents is a warning, once, whether or not the
// search found something.
func TestWarningsOfSources(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, kept{&fakeSource{name: "part", texts: []string{"A heron stands still."}}, evidence.Origin{Warning: "half is read"}},
		kept{&fakeSource{name: "down", err: errDown}, evidence.Origin{Warning: "nothing is read"}},
		kept{&fakeSource{name: "whole", texts: []string{"A heron eats frogs."}}, evidence.Origin{}})
	got, err := w.Research(t.Context(), Request{Question: "What does a heron eat?"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"half is read", "nothing is read"} {
		n := 0
		for _, warning := range got.Warnings {
			if warning == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q is %d times in %q, want once", want, n, got.Warnings)
		}
	}
}

// A source knows how long it is waited for: to the end of the gathering if it is alone,
// else for the soft budget at most.
func TestSourcesKnowHowLongTheyAreWaitedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		beside []Source
		budget time.Duration
		least  time.Duration
		most   time.Duration
	}{
		{"alone", nil, 20 * time.Second, 10 * time.Second, 20 * time.Second},
		{"beside another", []Source{&fakeSource{name: "b", texts: []string{"B."}}}, 20 * time.Second, 2 * time.Second, 5 * time.Second},
		{"in a hurry", []Source{&fakeSource{name: "b", texts: []string{"B."}}}, time.Second, 1, time.Second},
	} {
		p := waitedFor{&fakeSource{name: "a", texts: []string{"A."}}, make(chan time.Duration, 50)}
		w := newWorld(func(cfg *Config) { cfg.SoftBudget = 2500 * time.Millisecond }, append(c.beside, p)...)
		if _, err := w.Research(t.Context(), Request{Question: "What does a heron eat?", Budget: c.budget}, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-p.got; got < c.least || got > c.most {
			t.Errorf("%s: patience %s, want %s to %s", c.name, got, c.least, c.most)
		}
	}
}

// cachedPage reads pages whose address says where they come from.
func cachedPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	doc, from, err := readPage(ctx, url)
	switch {
	case strings.Contains(url, "stale"):
		from = evidence.Origin{Stale: true, Age: 2 * time.Hour}
	case strings.Contains(url, "kept"):
		from = evidence.Origin{Cached: true, Age: 100 * time.Second}
	}
	return doc.WithMeta(evidence.MetaRequestedURL, url), from, err
}

func TestReportsTellOfKeptPages(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.read(cachedPage)
	want := map[string]evidence.SourceReport{
		"https://fresh.test/": {Status: "ok"}, "https://kept.test/": {Status: "cached", AgeSeconds: 100},
		"https://stale.test/": {Status: "ok", AgeSeconds: 7200, Err: "could not be asked: this is what it said 2h0m0s ago"},
	}
	got, err := w.Read(t.Context(), ReadRequest{URLs: slices.Sorted(maps.Keys(want))}, nil)
	if err != nil || len(got.Documents) != 3 {
		t.Fatalf("%d documents, %v", len(got.Documents), err)
	}
	for _, r := range got.Sources {
		if x := want[r.Name]; r.Status != x.Status || r.AgeSeconds != x.AgeSeconds || r.Err != x.Err {
			t.Errorf("report %+v, want %+v", r, x)
		}
	}
	for _, d := range got.Documents {
		if len(d.Meta) != 1 || d.Meta[evidence.MetaRequestedURL] == "" {
			t.Errorf("document %s keeps %v", d.URL, d.Meta)
		}
	}
}

func TestLinkedPagesReportTheirOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.read(cachedPage)
	for urls, want := range map[string]evidence.Origin{
		"https://fresh.test/": {}, "https://kept.test/": {Cached: true, Age: 100 * time.Second},
		"https://kept.test/ https://fresh.test/": {Age: 100 * time.Second},
		"https://kept.test/ https://stale.test/": {Stale: true, Age: 2 * time.Hour},
		"https://down.test/kept":                 {},
	} {
		var docs []evidence.Document
		for _, u := range strings.Fields(urls) {
			docs = append(docs, evidence.Document{URL: u, Source: "news"})
		}
		pages, got := w.readLinked(t.Context(), docs)
		if got != want {
			t.Errorf("%s: %+v, want %+v", urls, got, want)
		}
		for _, d := range pages {
			if len(d.Meta) != 1 || d.Meta[evidence.MetaVia] != "news" {
				t.Errorf("page %s keeps %v", d.URL, d.Meta)
			}
		}
	}
}

// doubtful is a source whose documents say what may be wrong in their text.
type doubtful struct{ *fakeSource }

func (d doubtful) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, err := d.fakeSource.Search(ctx, q)
	for i := range docs {
		docs[i] = docs[i].WithMeta(evidence.MetaWarning, "windows-1251 was guessed")
	}
	return docs, err
}

// An answer repeats the warning of what it cites, once, and a list of documents that
// of each.
func TestWarningsOfDocumentsAreRepeated(t *testing.T) {
	t.Parallel()
	const story = "Herons nest in the delta of the river."
	w := newWorld(nil, doubtful{&fakeSource{name: "news", texts: []string{story}}}, &fakeSource{name: "other", texts: []string{"Bridges cross the river."}})
	a, err := w.Research(t.Context(), Request{Question: "Where do herons nest?"}, nil)
	if err != nil || len(a.Citations) == 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	got, err := w.Read(t.Context(), ReadRequest{Query: "herons", Limit: 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, warnings := range map[string][]string{"answer": a.Warnings, "documents": got.Warnings} {
		if n := strings.Count(strings.Join(warnings, "\n"), "windows-1251 was guessed"); n != 1 {
			t.Errorf("%s: %d warnings in %q", name, n, warnings)
		}
	}
}
