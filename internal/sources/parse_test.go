package sources

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

var retrieved = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func fixture(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// brief is what a test compares of a document.
type brief struct{ Title, Text, URL, Language, License, Revision string }

func briefs(docs []evidence.Document) []brief {
	out := []brief{}
	for _, d := range docs {
		out = append(out, brief{d.Title, d.Text, d.URL, d.Language, d.License, d.Revision})
	}
	return out
}

const wikiHost = "https://en.wikipedia.org"

func readWikipedia(t testing.TB, base string, raw []byte) ([]evidence.Document, bool) {
	var a searchAnswer
	decode(t, raw, &a)
	pages, ok := a.pages()
	return wikiAt("wikipedia", mustURL(t, base)).read(pages, maxLimit, retrieved), ok
}

func TestWikipediaReadsByRank(t *testing.T) {
	t.Parallel()
	docs, ok := readWikipedia(t, wikiHost, fixture(t, "wikipedia", "hits.json"))
	want := []brief{
		{"Go (programming language)", "Go is a compiled language.", wikiHost + "/wiki/Go_(programming_language)", "en", "CC BY-SA 4.0", "1300"},
		{"Coroutine", "A coroutine is a routine that can be suspended and resumed.", wikiHost + "/wiki/Coroutine", "en", "CC BY-SA 4.0", "1299"},
		{"Bell Labs", "Bell Labs is a research company in Murray Hill.", wikiHost + "/wiki/Bell_Labs", "en", "CC BY-SA 4.0", "1301"},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
}

func TestWikipediaLeavesOutWhatIsNoArticle(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"batchcomplete":true,"warnings":[{"code":"x","text":"y","module":"extracts"}],"query":{"pages":[
		{"title":"Mercury","index":1,"extract":"Mercury may mean:","pageprops":{"disambiguation":""}},
		{"title":"No extract","index":2},
		{"title":"AC/DC is (not) a band?\u200b","index":3,"extract":" A band.\u0000 ","fullurl":"javascript:alert(1)","lastrevid":"77","pagelanguage":"fr"},
		{"title":"Odd","index":"four"}]}}`)
	docs, ok := readWikipedia(t, "http://wiki.local:8080/m", raw)
	want := []brief{{"AC/DC is (not) a band?", "A band.", "http://wiki.local:8080/m/wiki/AC/DC_is_(not)_a_band%3F%E2%80%8B", "fr", "", "77"}}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
	if got, ok := readWikipedia(t, wikiHost, fixture(t, "wikipedia", "partial.json")); !ok || len(got) != 1 || got[0].Title != "A" {
		t.Errorf("partial extracts with warnings as an object: %+v, %v, want the one that has text", briefs(got), ok)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	w := wikiAt("wikipedia-summary", mustURL(t, wikiHost))
	read := func(name string) (evidence.Document, bool) {
		var s summaryAnswer
		decode(t, fixture(t, "wikipedia-summary", name), &s)
		return w.readSummary(&s, retrieved)
	}
	got, ok := read("standard.json")
	want := evidence.Document{
		Source: "wikipedia-summary", URL: wikiHost + "/wiki/Go_(programming_language)", Title: "Go (programming language)",
		Text:     "Go is a compiled, statically typed language with built-in support for concurrent programs.",
		Language: "en", License: "CC BY-SA 4.0", Revision: "1300000001", Retrieved: retrieved, Score: 1, Untrusted: true,
		Published: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC),
		Meta:      map[string]string{"description": "Programming language", "wikidata": "Q37227"},
	}
	want.ID = evidence.DocumentID(want.Source, want.URL, want.Text)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("standard, ok %v (-want +got):\n%s", ok, diff)
	}
	for _, name := range []string{"disambiguation.json", "noextract.json", "nulls.json"} {
		if d, ok := read(name); ok {
			t.Errorf("%s: %+v, want no document", name, d)
		}
	}
}

func TestHackerNewsReadsEveryKindOfHit(t *testing.T) {
	t.Parallel()
	var a hackerNewsAnswer
	decode(t, fixture(t, "hackernews", "hits.json"), &a)
	docs, ok := (&hackerNews{endpoint{name: "hackernews", base: mustURL(t, "https://hn.algolia.com")}}).read(&a, retrieved)
	item := "https://news.ycombinator.com/item?id="
	want := []brief{
		{Title: "Ask HN: errgroup or channels?", Text: "I'm asking: errgroup or channels?\n\nSecond paragraph with a link", URL: item + "46000009"},
		{Title: "Go 1.26 is out", Text: "A goroutine is cheap.", URL: item + "46000002"},
		{Title: "Go 1.26 is out", Text: "Go 1.26 is out", URL: "https://go.dev/x"},
		{Title: "Example (YC W26) is hiring", Text: "Example (YC W26) is hiring", URL: item + "46000010"},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Fatalf("read, ok %v (-want +got):\n%s", ok, diff)
	}
	if diff := cmp.Diff(map[string]string{"author": "ann", "points": "640", "comments": "210"}, docs[2].Meta); diff != "" {
		t.Errorf("Meta (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"author": "cy"}, docs[1].Meta); diff != "" {
		t.Errorf("Meta of a comment (-want +got):\n%s", diff)
	}
	if want := time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC); !docs[2].Published.Equal(want) {
		t.Errorf("Published = %s, want %s", docs[2].Published, want)
	}
}

func TestHackerNewsKeepsOneOfEqualPages(t *testing.T) {
	t.Parallel()
	var a hackerNewsAnswer
	decode(t, []byte(`{"hits":[{"objectID":"1","title":"x < y","url":"https://a.org/"},{"objectID":"2","title":"again","url":"https://a.org/"},
		{"objectID":3,"title":"relative","url":"/item"},{"title":"nowhere"},{"objectID":"4","title":"script","url":"javascript:x"}]}`), &a)
	docs, ok := (&hackerNews{endpoint{name: "hackernews", base: mustURL(t, "https://hn.algolia.com")}}).read(&a, retrieved)
	item := "https://news.ycombinator.com/item?id="
	want := []brief{{Title: "x < y", Text: "x < y", URL: "https://a.org/"}, {Title: "relative", Text: "relative", URL: item + "3"}, {Title: "script", Text: "script", URL: item + "4"}}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", " a  b ", "a  b"},
		{"entities", "I&#x27;m &lt;b&gt; &amp; co", "I'm <b> & co"},
		{"paragraphs", "One<p>Two</p><p>Three", "One\n\nTwo\n\nThree"},
		{"inline", "a <i>very</i> <a href=\"x\">good</a>\nline", "a very good line"},
		{"code", "See:<pre><code>if x {\n  y()\n}\n</code></pre>End", "See:\n\nif x {\n  y()\n}\n\nEnd"},
		{"script", "a<script>evil()</script>b<style>p{}</style>c", "abc"},
		{"list", "<ul><li>a<li>b</ul>", "a\n\nb"},
		{"broken", "a <b c", "a"},
		{"comment", "a<!-- hidden -->b", "ab"},
		{"empty", "<p></p>", ""},
		{"not displayed", `<p>Seen.</p><div style="color:red; DISPLAY : none!important">Not <b>seen</b></div><p>Seen.`, "Seen.\n\nSeen."},
		{"hidden", `a<span hidden>x</span><i HIDDEN="">x</i><b aria-hidden=true>x</b><u popover>x</u>b`, "ab"},
		{"too small", `a<span style="font-size:0">x</span><span style='opacity:0.01'>x</span>b`, "ab"},
		{"out of sight", `a<p style="position:absolute;left:-9999px">x</p>b`, "ab"},
		{"template and dialog", "a<template>x</template><dialog>x</dialog>b<dialog open>c</dialog>", "abc"},
		{"never closed", "a<div hidden>x<div>x</div>x", "a"},
		{"closes itself", "a<ul><li hidden>x<li>b</ul>c<div hidden/>x</div>d", "a\n\nb\n\ncd"},
		{"styled", `<p style="color:#333">a <b style="margin:0">b</b></p><pre style="x:y">c
 d</pre>`, "a b\n\nc\n d"},
		{"a word", "<p>the hidden style</p>", "the hidden style"},
		{"deep", strings.Repeat("<div>", 1000) + "<p hidden>x", ""},
	} {
		if got := plainText(c.in); got != c.want {
			t.Errorf("%s: plainText(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestLongTextIsCutOnARune(t *testing.T) {
	t.Parallel()
	long := make([]rune, maxText)
	for i := range long {
		long[i] = '日'
	}
	d, ok := finish(evidence.Document{Source: "x", URL: "https://x.org/", Text: string(long)}, retrieved)
	if !ok || !d.Truncated || len(d.Text) > maxText || !utf8.ValidString(d.Text) {
		t.Errorf("finish: ok %v, truncated %v, %d bytes", ok, d.Truncated, len(d.Text))
	}
}

// checkParsed holds what every parser owes for whatever bytes it is given.
func checkParsed(t *testing.T, docs []evidence.Document) {
	t.Helper()
	for _, d := range docs {
		if _, changed := text.Clean(d.Text); changed || d.Text == "" || len(d.Text) > maxText || !utf8.ValidString(d.Title) || d.URL == "" || !d.Untrusted {
			t.Errorf("document %+v breaks the contract", d)
		}
		if u, err := url.Parse(d.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("URL %q", d.URL)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"a<p>b", "<pre>x\n</pre>", "&#0;&#x110000;", "<script><script></style>", "<", "日本<br>語", "<p hidden>x<table><tr><p style=display:none>y", "<plaintext hidden>x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := plainText(s); utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("plainText(%q) = %q", s, got)
		}
	})
}
