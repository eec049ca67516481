package research

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// down is the error of a host that cannot be reached.
type down struct {
	kind      string
	noNetwork bool
}

func (d down) Error() string      { return "host.test: " + d.kind }
func (d down) SourceKind() string { return d.kind }
func (d down) NoNetwork() bool    { return d.noNetwork }

// localSource is on this machine.
type localSource struct{ *fakeSource }

func (localSource) Local() bool { return true }

// Where nothing answered, the text names what ended or failed it: the budget, the
// source's own limit, the folder, or the network.
func TestWhatFailedIsNamed(t *testing.T) {
	t.Parallel()
	late := func(name string) *fakeSource { return &fakeSource{name: name, err: context.DeadlineExceeded} }
	off := func(name string) *fakeSource {
		return &fakeSource{name: name, err: down{kindUnreachable, true}}
	}
	refused := &fakeSource{name: "news", err: down{kindUnreachable, false}}
	const none = "This machine seems to have no network: none of "
	for _, c := range []struct {
		name    string
		sources []Source
		want    []string
		not     []string
	}{
		{"its own limit", []Source{timedSource{late("wiki"), time.Second}}, []string{"(wiki has 1s): set sources.wiki.timeout to more"}, []string{"budget", "doctor"}},
		{"two of them", []Source{timedSource{late("wiki"), time.Second}, timedSource{late("news"), 8 * time.Second}},
			[]string{"(wiki has 1s, news has 8s): set sources.wiki.timeout, sources.news.timeout"}, []string{"budget"}},
		{"the budget", []Source{timedSource{&fakeSource{name: "wiki", delay: time.Minute}, 2 * time.Minute}}, []string{"the budget of 10s"}, []string{"sources.wiki"}},
		{"one by its limit, one by the budget", []Source{timedSource{late("wiki"), time.Second}, &fakeSource{name: "news", delay: time.Minute}}, []string{"the budget of 10s"}, []string{"sources.wiki"}},
		{"a folder", []Source{localSource{&fakeSource{name: "files", err: errors.New("the folder /n does not exist")}}}, []string{"the folder /n does not exist", "`research-mcp doctor`"}, []string{"No source could be reached"}},
		{"no network", []Source{off("wiki"), off("news")}, []string{none + "2 sources could be reached. Nothing that was read"}, []string{"No source could be reached"}},
		{"no network, and an open circuit", []Source{off("wiki"), &fakeSource{name: "news", err: down{kindBroken, false}}}, []string{none + "2 sources"}, nil},
		{"no network, and an empty folder", []Source{off("wiki"), off("news"), localSource{&fakeSource{name: "files"}}}, []string{none + "2 sources"}, nil},
		{"one host without an address", []Source{off("wiki")}, []string{"No source could be reached"}, []string{none}},
		{"one has an address", []Source{off("wiki"), refused}, []string{"No source could be reached"}, []string{none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil, c.sources...)
				defer w.Close()
				a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 10 * time.Second}, nil)
				if err != nil || a.Status != evidence.Insufficient {
					t.Fatalf("%s, %v", a.Status, err)
				}
				for _, want := range c.want {
					if !strings.Contains(a.Answer, want) {
						t.Errorf("%q, want %q", a.Answer, want)
					}
				}
				for _, not := range c.not {
					if strings.Contains(a.Answer, not) {
						t.Errorf("%q has %q", a.Answer, not)
					}
				}
			})
		})
	}
}

// An answer names the sources that could not be reached, and no others.
func TestAnAnswerNamesUnreachableSources(t *testing.T) {
	t.Parallel()
	wiki := &fakeSource{name: "wiki", texts: []string{wikiText}}
	off := func(name string) *fakeSource {
		return &fakeSource{name: name, err: down{kindUnreachable, true}}
	}
	for _, c := range []struct {
		name    string
		sources []Source
		want    string // empty: no warning
	}{
		{"two of three", []Source{off("github"), wiki, off("news")}, "2 of 3 sources could not be reached: github, news"},
		{"an open circuit", []Source{wiki, &fakeSource{name: "news", err: down{kindBroken, false}}}, "1 of 2 sources could not be reached: news"},
		{"another error", []Source{wiki, &fakeSource{name: "news", err: errDown}}, ""},
		{"all but the folder", []Source{localSource{wiki}, off("github"), off("news")}, "This machine seems to have no network: none of 2 sources could be reached"},
	} {
		w := newWorld(nil, c.sources...)
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || a.Status == evidence.Insufficient {
			t.Fatalf("%s: %s, %v", c.name, a.Status, err)
		}
		if c.want == "" && len(a.Warnings) > 0 || c.want != "" && !slices.Contains(a.Warnings, c.want) {
			t.Errorf("%s: warnings %q, want %q", c.name, a.Warnings, c.want)
		}
		w.Close()
	}
}

// A budget is told without the fractions that waiting has left of it.
func TestBudgetsAreToldRoundly(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]string{1999952219: "2s", 44999 * time.Millisecond: "45s", 2 * time.Second: "2s", 90 * time.Second: "1m30s", 299 * time.Millisecond: "300ms"} {
		if got := roundly(in).String(); got != want {
			t.Errorf("roundly(%d) = %s, want %s", in, got, want)
		}
	}
}
