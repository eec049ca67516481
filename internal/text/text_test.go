package text

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	stemenglish "github.com/blevesearch/snowballstem/english"
	"github.com/google/go-cmp/cmp"
)

func TestTerms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"stems and stop words", "The transformers were trained on running tasks.", []string{"transform", "train", "run", "task"}},
		{"diacritics and case", "Café ÉCOLE naïve", []string{"cafe", "ecol", "naiv"}},
		{"digits stay", "GPT-3 in 2020", []string{"gpt", "3", "2020"}},
		{"ideographs one by one", "日本 go", []string{"日", "本", "go"}},
		{"names with signs", "C++17, c/C# and F#; .NET's g++ (C♯) R", []string{"c++", "17", "c", "c#", "f#", ".net", "g++", "c#", "r"}},
		{"signs that are operators", "i++ a+b a++b x#y example.net # C", []string{"b", "b", "x", "y", "example.net", "c"}},
		{"possessive", "Turing's machine", []string{"ture", "machin"}},
		{"nothing", " … !", []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Terms(c.in)); diff != "" {
				t.Errorf("Terms(%q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestQueryTermsKeepsAQuestionOfStopWords(t *testing.T) {
	t.Parallel()
	if got := QueryTerms("The Who"); !cmp.Equal(got, []string{"the", "who"}) {
		t.Errorf("QueryTerms(The Who) = %q", got)
	}
	if got := QueryTerms("what is attention and attention"); !cmp.Equal(got, []string{"attent"}) {
		t.Errorf("QueryTerms = %q, want one attent", got)
	}
}

// Words that share a slot of the cache, and concurrent callers, must not change a
// stem.
func TestStemsUnderConcurrentUse(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 3 * cacheSize / 4 {
				w := "running" + strings.Repeat("x", g) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26))
				env := snowballstem.NewEnv(w)
				stemenglish.Stem(env)
				if got, want := stemOf(w), env.Current(); got != want {
					t.Errorf("stemOf(%q) = %q, want %q", w, got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"plain", "One is here. Two is there! Three?", []string{"One is here.", "Two is there!", "Three?"}},
		{"abbreviation and initials", "Dr. J. Smith of the U.S. Navy wrote it. He left.", []string{"Dr. J. Smith of the U.S. Navy wrote it.", "He left."}},
		{"a break inside a paragraph", "This goes\non here. Next.", []string{"This goes\non here.", "Next."}},
		{"list and heading", "# Title\nText one.\n- item a\n- item b", []string{"# Title", "Text one.", "- item a", "- item b"}},
		{"decimals", "It costs 3.5 dollars. Yes.", []string{"It costs 3.5 dollars.", "Yes."}},
		{"a picture", "See ![a cat. Or two](a!b.png) here. Next.", []string{"See ![a cat. Or two](a!b.png) here.", "Next."}},
		{"a picture ends the text", "It won! ![x](y.png)", []string{"It won! ![x](y.png)"}},
		{"no picture", "Wow ![1] is a mark. Next.", []string{"Wow ![", "1] is a mark.", "Next."}},
		{"an address", "Look at https://a.example/?q=Who!Me for it. Next.", []string{"Look at https://a.example/?q=Who!Me for it.", "Next."}},
		{"empty", " \n ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, sp := range Sentences(c.in) {
				got = append(got, c.in[sp.Start:sp.End])
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Sentences(%q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestCutEndsOnARune(t *testing.T) {
	t.Parallel()
	in := "日本語 text"
	for n := 0; n <= len(in)+1; n++ {
		got, cut := Cut(in, n)
		if !utf8.ValidString(got) || len(got) > n || !strings.HasPrefix(in, got) || cut != (got != in) {
			t.Errorf("Cut(%q, %d) = %q, %v", in, n, got, cut)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	got, changed := Clean("a\u200bb\x00c\xff\U000E0041 \u202Ed\n")
	if want := "abc\uFFFD d\n"; got != want || !changed {
		t.Errorf("Clean = %q, %v, want %q, true", got, changed, want)
	}
	if got, changed := Clean("plain\ttext"); changed || got != "plain\ttext" {
		t.Errorf("Clean(plain) = %q, %v", got, changed)
	}
}

func TestCleanKeepsLinesApart(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one\rtwo": "one\ntwo", "one\r\ntwo": "one\ntwo", "one\r\rtwo\r": "one\n\ntwo\n",
		"one\ftwo\vthree": "one\ntwo\nthree", "one\u0085two": "one\ntwo", "one\n\rtwo": "one\n\ntwo",
	} {
		if got, changed := Clean(in); got != want || !changed {
			t.Errorf("Clean(%q) = %q, %v, want %q", in, got, changed, want)
		}
	}
}

func TestHasVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"a": true, "?": true, "€": true, "日": true, " \u200b x": true, "\xff": true,
		"": false, " \t\r\n": false, "\u00a0\u3000": false, "\u200b\u2060\ufeff": false, "\u200d\u200c": false, "\u202e\u2066": false,
		"\x00\x07": false, "\U000E0041\U000E0042": false, "\ufe0f\U000E0100": false, "\u2800\u3164": false, "\u0301": false, "\u00ad": false,
	} {
		if got := HasVisible(in); got != want {
			t.Errorf("HasVisible(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestPrimaryLanguage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"en": "en", "EN": "en", "en-US": "en", "pt-br": "pt", "zh-Hant-TW": "zh", "zh-yue": "zh", "es-419": "es", "sl-rozaj-biske": "sl",
		"de-CH-1996": "de", "de-u-co-phonebk": "de", "ceb": "ceb", "en-x-lab": "en",
		"": "", "e": "", "english": "", "en_US": "", "en-": "", "en--US": "", "x-lab": "", "en US": "", "../x": "", "en-US\n": "", strings.Repeat("en-", 20): "",
	} {
		if got := PrimaryLanguage(in); got != want {
			t.Errorf("PrimaryLanguage(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSimHash(t *testing.T) {
	t.Parallel()
	a := "The transformer is a neural network architecture that relies on attention and was introduced in 2017 by researchers at Google to replace recurrence in sequence models."
	b := strings.Replace(a, "introduced", "presented", 1)
	c := "Goroutines are functions that run concurrently with others in the same address space and are scheduled by the runtime onto threads of the operating system."
	if d := Distance(SimHash(a), SimHash(a)); d != 0 {
		t.Errorf("distance to itself = %d", d)
	}
	near, far := Distance(SimHash(a), SimHash(b)), Distance(SimHash(a), SimHash(c))
	if near >= far || far <= NearDuplicate {
		t.Errorf("near = %d, far = %d", near, far)
	}
	if SimHash(" ") != 0 {
		t.Error("a text without words must hash to 0")
	}
}

func TestBM25PrefersTheRareTermAndTheShortText(t *testing.T) {
	t.Parallel()
	docs := []string{"attention attention models", "attention bert", "models and models everywhere in many words of text about models", "bert"}
	terms := make([][]string, len(docs))
	for i, d := range docs {
		terms[i] = Terms(d)
	}
	s := NewBM25(terms).Scores(Terms("bert attention"))
	if !(s[1] > s[3] && s[1] > s[0] && s[2] == 0) {
		t.Errorf("scores = %v", s)
	}
	if got := NewBM25(nil).Scores([]string{"x"}); len(got) != 0 {
		t.Errorf("empty collection = %v", got)
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("Dr. X went. \n\n- a\n# b\n日本。次")
	f.Fuzz(func(t *testing.T, s string) {
		last := 0
		for _, sp := range Sentences(s) {
			if sp.Start < last || sp.End <= sp.Start || sp.End > len(s) {
				t.Fatalf("span %v after %d in %q", sp, last, s)
			}
			last = sp.End
		}
	})
}
