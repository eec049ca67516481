package research

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// languageSource records the language of each query.
type languageSource struct {
	fakeSource
	languages []string
}

func (s *languageSource) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	s.mu.Lock()
	s.languages = append(s.languages, q.Language)
	s.mu.Unlock()
	return s.fakeSource.Search(ctx, q)
}

func TestALanguageTagReachesTheSourcesAsItsPrimarySubtag(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"": "en", "en-US": "en", "pt-br": "pt", "zh-Hant-TW": "zh", "DE": "de"} {
		synctest.Test(t, func(t *testing.T) {
			s := &languageSource{fakeSource: fakeSource{name: "wiki", texts: []string{wikiText}}}
			w := newWorld(nil, s)
			defer w.Close()
			if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Language: tag}, nil); err != nil {
				t.Fatalf("language %q: %v", tag, err)
			}
			if _, err := w.Read(t.Context(), ReadRequest{Query: "transformer", Language: tag}, nil); err != nil {
				t.Fatalf("language %q: %v", tag, err)
			}
			if got := slices.Compact(s.languages); !slices.Equal(got, []string{want}) {
				t.Errorf("language %q: the source was asked for %q, want %q", tag, s.languages, want)
			}
		})
	}
}

func TestAnInvisibleQueryIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, &fakeSource{name: "wiki"})
	t.Cleanup(w.Close)
	if _, err := w.Read(t.Context(), ReadRequest{Query: "\u200b\u3164"}, nil); !evidence.AsProblem(err).Usage {
		t.Errorf("Read of an invisible query: %v, want it refused", err)
	}
}

// timedSource has a timeout of its own.
type timedSource struct {
	*fakeSource
	timeout time.Duration
}

func (s timedSource) Timeout() time.Duration { return s.timeout }

func TestASourceHasItsWholeTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeSource{name: "wiki", delay: 50 * time.Second, texts: []string{wikiText}}
		w := newWorld(nil, timedSource{slow, 55 * time.Second})
		defer w.Close()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 2 * time.Minute}, nil)
		if err != nil || statuses(a)["wiki"] != evidence.StatusOK {
			t.Errorf("a source that took 50 s of its 55 s: %+v, %v, want it to have answered", a.Sources, err)
		}
	})
}
