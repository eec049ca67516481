package research

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	mdtext "github.com/yuin/goldmark/text"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestWithoutAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"a page", "See [the site](https://example.org/a_(b) \"Site\") and <http://example.org/>.", "See [the site](https://example.org/a_(b) \"Site\") and <http://example.org/>."},
		{"a script", "Press [here](javascript:alert(1)) now.", "Press here now."},
		{"capitals", "[here](JaVaScRiPt:alert(1))", "here"},
		{"entities", "[a](javascript&colon;x) [b](&#106;avascript:x) [c](java&#x0A;script:x) [d](&amp;#106;avascript:x)", "a b c d"},
		{"split", "[a](java\tscript:x) [b](java\nscript:x) [c](java\u200bscript:x) [d]( javascript:x) [e](\\javascript:x)", "a b c d e"},
		{"in brackets", "[a](<javascript:x y> 'z')", "a"},
		{"data", "[a](data:text/html;base64,PHNjcmlwdD4=) and data:image/png;base64,iVBORw0KGgo= alone", "a and  alone"},
		{"other schemes", "[a](vbscript:x) [b](ftp://x.test/) [c](file:///etc/passwd) [d](mailto:a@b.test) [e](intent:x)", "a b c d e"},
		{"relative", "[a](//evil.test/x) [b](/x) [c](x.md) [d](#x) [e](https:x)", "a b c d e"},
		{"a picture", "Before ![alt](https://x.test/a.png) after", "Before  after"},
		{"a picture in a link", "[![a](https://x.test/a.png) text](javascript:x)", "text"},
		{"a definition", "See [a][1] and ![b].\n\n[1]: javascript:alert(1) 'x'\n> [b]: https://x.test/a.png", "See [a][1] and ![b].\n\n\n>"},
		{"a definition on two lines", "[a]\n\n[a]:\n  <javascript:x>", "[a]"},
		{"an autolink", "<javascript:alert(1)> <mailto:a@b.test> <a@b.test> <data:text/html,x>", " mailto:a@b.test a@b.test "},
		{"tags", `<a href="javascript:x">text</a> <img src=x onerror=y> <IMG/SRC='>x'> <b>bold</b>`, "text</a>   <b>bold</b>"},
		{"active elements", "The <script> and <title> elements.", "The \\<script> and <title> elements."},
		{"a tag without an end", "x <img src=it's y", "x \\<img src=it's y"},
		{"halves", "[a](java<img src=x>script:y) java[b](data:,)script:z", "a javabscript:z"},
		{"alone", "Do not open javascript:alert(1) ever. The javascript: scheme is old.", "Do not open  ever. The javascript: scheme is old."},
		{"code between backticks", "Write `[a](javascript:x)` or ``<img src=`x`>``.", "Write `[a](javascript:x)` or ``<img src=`x`>``."},
		{"code in a fence", "So:\n\n```html\n<a href=\"javascript:x\">y</a>\n[a](data:,x)\n```\n", "So:\n\n```html\n<a href=\"javascript:x\">y</a>\n[a](data:,x)\n```\n"},
		{"a backtick that opens nothing", "`a [b](javascript:x)\n\n`c", "`a b\n\n`c"},
		{"what is no link", "table[key](value), a[i][j], vector<std::string>, a < b && c > d, f(data: x), [Note]: see below", "table[key](value), a[i][j], vector<std::string>, a < b && c > d, f(data: x), [Note]: see below"},
	} {
		got := withoutAddresses(c.in)
		if strings.TrimSpace(got) != strings.TrimSpace(c.want) {
			t.Errorf("%s: withoutAddresses(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

// What is code in one part of an answer may not be in all of it.
func TestAnswersHaveNoAddressesAcrossClaims(t *testing.T) {
	t.Parallel()
	for _, claims := range [][]checked{
		{{text: "A\n\n```\nopen", block: true}, {text: "```\n[x](javascript:y)\n```", block: true}},
		{{text: "```\n[x](javascript:y)", block: true, code: true}},
		{{text: "<div>", block: true}, {text: "The <script> element", block: true}},
	} {
		r := &run{e: &Engine{}}
		for i := range claims {
			claims[i].verdict = evidence.Supported
		}
		r.present(&verifier{}, claims)
		if got := livesIn(r.answer.Answer); got != "" {
			t.Errorf("%q has %s", r.answer.Answer, got)
		}
	}
}

func TestCitable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"https://a.test/": "https://a.test/", "file:///a/b": "file:///a/b", "/a/b": "/a/b", `C:\a`: `C:\a`, "": "",
		"javascript:x": "", "java\nscript:x": "", "data:text/html,x": "", "https:": ""} {
		if got := citable(in); got != want {
			t.Errorf("citable(%q) = %q, want %q", in, got, want)
		}
	}
}

// livesIn is what goldmark, with its own reading of destinations, finds alive in Markdown.
func livesIn(markdown string) string {
	source, found := []byte(markdown), ""
	_ = ast.Walk(goldmark.New().Parser().Parse(mdtext.NewReader(source)), func(n ast.Node, _ bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Image:
			found = "a picture"
		case *ast.Link:
			if d := strings.ToLower(string(n.Destination)); strings.ContainsAny(d, ":&/") && !strings.HasPrefix(d, "http://") && !strings.HasPrefix(d, "https://") {
				found = "a link to " + d
			}
		case *ast.AutoLink:
			if u := strings.ToLower(string(n.URL(source))); !strings.HasPrefix(u, "http") && !strings.Contains(u, "::") {
				found = "an autolink to " + u
			}
		case *ast.RawHTML:
			if h := strings.ToLower(string(n.Segments.Value(source))); strings.Contains(h, "href=") || strings.Contains(h, "src=") || strings.HasPrefix(h, "<script") {
				found = h
			}
		case *ast.HTMLBlock:
			if h := strings.ToLower(string(n.Lines().Value(source))); strings.Contains(h, "<script") {
				found = h
			}
		}
		return ast.WalkContinue, nil
	})
	return found
}

// FuzzWithoutAddresses: no text has a link to something else than a page, a picture, or
// an active tag, and to look again changes nothing.
func FuzzWithoutAddresses(f *testing.F) {
	for _, s := range []string{"[a](javascript:x) `b` ![c](d)", "[a]: <data:,x> 'y'\n\n![a]", "<a href='x'>b</a> <x:y>", "```\n[a](b:c)\n", "> - [a](&#106;avascript:x)", "<div>\n\\<script>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip()
		}
		got := withoutAddresses(s)
		if found := livesIn(got); found != "" || !utf8.ValidString(got) {
			t.Errorf("withoutAddresses(%q) = %q has %s", s, got, found)
		}
	})
}
