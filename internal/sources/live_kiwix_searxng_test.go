package sources_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// TestRealKiwix reads a library file with the pages of internal/testkit/wiki/zim.
func TestRealKiwix(t *testing.T) {
	t.Parallel()
	base := realServer(t, "KIWIX_TEST_URL", "kiwix.sh")
	name := realNames(t, "kiwix")[0]
	for _, c := range []struct {
		query string
		limit int
		book  string
		first string // title; empty: nothing is found
		text  string
	}{
		{query: "tides moon", limit: 5, first: "Tides", text: "stretches the oceans into two bulges"},
		{query: "lighthouse lens", limit: 5, first: "Lighthouse", text: "one narrow beam"},
		{query: "café crème", limit: 5, first: "Café & crème", text: "called café crème"},
		{query: "tides moon", limit: 1, book: "small", first: "Tides", text: "two bulges"},
		{query: "xyzzyplugh", limit: 5},
		{query: "tide (\"AND", limit: 5, first: "Tides", text: "two bulges"},
	} {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			own := sources.Settings{URL: base}
			if c.book != "" {
				own.Options = map[string]string{"content": c.book}
			}
			docs, err := realSource(t, name, own).Search(t.Context(), evidence.Query{Text: c.query, Limit: c.limit})
			if err != nil || docs == nil || len(docs) > c.limit {
				t.Fatalf("Search = %+v, %v", docs, err)
			}
			if c.first == "" {
				if len(docs) > 0 {
					t.Errorf("found %+v", docs)
				}
				return
			}
			if len(docs) == 0 || docs[0].Title != c.first || !strings.Contains(docs[0].Text, c.text) {
				t.Fatalf("Search = %+v, want first %q with %q", docs, c.first, c.text)
			}
			for _, d := range docs {
				if d.Source != name || d.Text == "" || !d.Untrusted || d.Retrieved.IsZero() {
					t.Errorf("document %+v lacks something", d)
				}
				for _, alien := range []string{"Go to welcome page", "nobody reads", "</"} { // the toolbar of the server, a script, markup
					if strings.Contains(d.Text, alien) {
						t.Errorf("text of %q holds %q: %q", d.Title, alien, d.Text)
					}
				}
				if !strings.Contains(string(realGet(t, d.URL)), "<title>"+strings.ReplaceAll(d.Title, "&", "&amp;")+"</title>") {
					t.Errorf("%s does not open the page %q", d.URL, d.Title)
				}
			}
		})
	}
}

func TestRealKiwixFailures(t *testing.T) {
	t.Parallel()
	base := realServer(t, "KIWIX_TEST_URL", "kiwix.sh")
	name := realNames(t, "kiwix")[0]
	for _, c := range []struct {
		name, status string
		settings     sources.Settings
	}{
		{"no such book", evidence.StatusError, sources.Settings{URL: base, Options: map[string]string{"content": "nothing"}}},
		{"nothing there", evidence.StatusError, sources.Settings{URL: base + "/nothing"}},
		{"deadline", evidence.StatusTimeout, sources.Settings{URL: base, Timeout: time.Microsecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			docs, err := realSource(t, name, c.settings).Search(t.Context(), evidence.Query{Text: "tide", Limit: 5})
			if docs != nil || realStatus(err) != c.status {
				t.Errorf("Search = %+v, %v, want status %q", docs, err, c.status)
			}
		})
	}
}

var markupTag = regexp.MustCompile(`(?s)<script.*?</script>|<[^>]*>`)

// plainWords are the letters and digits of s, with one space between words.
func plainWords(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}

// TestRealKiwixAnswers runs the program with a library file as its only source.
func TestRealKiwixAnswers(t *testing.T) {
	t.Parallel()
	base := realServer(t, "KIWIX_TEST_URL", "kiwix.sh")
	name := realNames(t, "kiwix")[0]
	a := ask(t, realBinary(t), "What is a spring tide?", name, base)
	if a.Status != "answered" || len(a.Citations) == 0 || len(a.Sources) != 1 || a.Sources[0].Name != name || a.Sources[0].Status != "ok" {
		t.Fatalf("status %q, sources %+v, citations %+v", a.Status, a.Sources, a.Citations)
	}
	if !strings.Contains(a.Answer, "the tide is highest") {
		t.Errorf("answer %q", a.Answer)
	}
	for _, x := range a.Citations {
		// A quote is Markdown of the page: its words are compared, in their order.
		page := plainWords(markupTag.ReplaceAllString(string(realGet(t, x.URL)), " "))
		if x.Source != name || x.Quote == "" || !strings.Contains(page, plainWords(x.Quote)) {
			t.Errorf("citation %+v is not in its page", x)
		}
	}
}

// TestRealSearx asks a metasearch whose engine is the test wiki.
func TestRealSearx(t *testing.T) {
	t.Parallel()
	base := realServer(t, "SEARXNG_TEST_URL", "searx.sh")
	name := realNames(t, "searxng")[0]
	for _, c := range []struct {
		name, query, status string
		settings            sources.Settings
		titles              []string
	}{
		{name: "hits in their order", query: "goroutine", settings: sources.Settings{URL: base}, titles: []string{"Channel (Go)", "Goroutine"}},
		{name: "beyond ASCII", query: "Zürich", settings: sources.Settings{URL: base}, titles: []string{"Zürich"}},
		{name: "slash", query: "TCP/IP", settings: sources.Settings{URL: base}, titles: []string{"TCP/IP"}},
		{name: "nothing", query: "xyzzyplugh", settings: sources.Settings{URL: base}, titles: []string{}},
		{name: "no engine answers", query: "goroutine", status: evidence.StatusError, settings: sources.Settings{URL: base, Options: map[string]string{"categories": "it"}}},
		{name: "no query", query: "", status: evidence.StatusError, settings: sources.Settings{URL: base}},
		{name: "nothing there", query: "goroutine", status: evidence.StatusError, settings: sources.Settings{URL: base + "/nothing"}},
		{name: "deadline", query: "goroutine", status: evidence.StatusTimeout, settings: sources.Settings{URL: base, Timeout: time.Microsecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			docs, err := realSource(t, name, c.settings).Search(t.Context(), evidence.Query{Text: c.query, Limit: 10})
			if c.status != "" {
				if docs != nil || realStatus(err) != c.status {
					t.Errorf("Search = %+v, %v, want status %q", docs, err, c.status)
				}
				return
			}
			if err != nil || docs == nil {
				t.Fatalf("Search = %v, %v", docs, err)
			}
			got := []string{}
			for _, d := range docs {
				got = append(got, d.Title)
				if d.Source != name || d.Text == "" || !d.Untrusted || !strings.HasPrefix(d.URL, "http://") {
					t.Errorf("document %+v lacks something", d)
				}
			}
			if diff := gocmp.Diff(c.titles, got); diff != "" {
				t.Errorf("titles (-want +got):\n%s", diff)
			}
		})
	}
}

// realBinary builds the program.
func realBinary(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "research-mcp")
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", out, "../../cmd/research-mcp")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, said)
	}
	return out
}

// ask runs the program with a new memory and only the sources at base: source, and
// those that inherit its URL.
func ask(t *testing.T, binary, question, source, base string) evidence.Answer {
	t.Helper()
	args := []string{"ask", "--json", "--set", "sources." + source + ".url=" + base}
	for _, spec := range sources.Registry() {
		if spec.Name != source && spec.URLFrom != source {
			args = append(args, "--set", "sources."+spec.Name+".enabled=false")
		}
	}
	var out, said bytes.Buffer
	run := exec.CommandContext(t.Context(), binary, append(args, question)...)
	run.Stdout, run.Stderr = &out, &said
	home := t.TempDir()
	run.Env = []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "RESEARCH_MCP_DATA_DIR=" + filepath.Join(home, "memory"),
		"OLLAMA_HOST=127.0.0.1:9", // discard: nothing listens there
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + cmp.Or(os.Getenv("TMPDIR"), os.TempDir()),
	}
	if err := run.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", run.Args, err, said.String())
	}
	var a evidence.Answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return a
}
