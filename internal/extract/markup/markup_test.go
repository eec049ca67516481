package markup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       Format
	}{
		{"a.md", "", Markdown},
		{"b.adoc", "", AsciiDoc},
		{"c.ORG", "", Org},
		{"d.rst", "", RST},
		{"e.txt", "Title\n=====\n\n.. note::\n\n    Careful.\n", RST},
		{"f.txt", "See :ref:`the other page <x>`.\n", RST},
		{"g.txt", "# A heading\n\nText with :ref:`x`.\n", Markdown},
		{"h.txt", strings.Repeat("   An indented line of prose\n", 60), Plain},
		{"i.txt", "Just a note.\nOf two lines.\n", Markdown},
		{"README", "Just a note.", Markdown},
	} {
		if got := Detect(c.name, c.body); got != c.want {
			t.Errorf("Detect(%q, %q) = %s, want %s", c.name, c.body, got, c.want)
		}
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		format Format
		in     string
		want   string
	}{
		{"asciidoc sections and inline markup", AsciiDoc,
			"tool(1)\n=======\n\nNAME\n----\ntool - does it; see linkgit:other[1],\n<<ref,that part>> and link:https://e.org/[a page].\n\n== Level two\n:attr: value\n// comment\nText {plus} more.\n",
			"# tool(1)\n\n## NAME\n\ntool - does it; see other(1),\nthat part and [a page](https://e.org/).\n\n## Level two\n\nText + more.\n"},
		{"asciidoc definitions with attached blocks", AsciiDoc,
			"`-d`::\n`--depth <n>`::\n\tMake it shallow,\n\tto that depth.\n+\nA second paragraph.\n+\n----\n$ tool -d 1\n----\n\n`-q`::\n\tBe quiet.\n",
			"`-d`, `--depth <n>`\n: Make it shallow,\n  to that depth.\n\n  A second paragraph.\n\n  ```\n  $ tool -d 1\n  ```\n\n`-q`\n: Be quiet.\n"},
		{"asciidoc lists and code", AsciiDoc,
			"Do:\n\n. First\n. Second\n** Nested\n\n[source,go]\n----\nfunc main() {}\n----\n\nNOTE: Mind it.\n",
			"Do:\n\n1. First\n1. Second\n   - Nested\n\n```go\nfunc main() {}\n```\n\n**Note:** Mind it.\n"},
		{"asciidoc table", AsciiDoc, "|===\n| a | b\n\n| 1 | 2\n| 3 | 4\n|===\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"},
		{"rst headings, roles and code", RST,
			"Title\n=====\n\nUse :func:`~a.b.run` or ``x_y_``, `a link <https://e.org/>`_::\n\n    run()\n\nPart\n----\n\n.. code-block:: sh\n\n    $ ls\n",
			"# Title\n\nUse `run` or `x_y_`, [a link](https://e.org/):\n\n```\nrun()\n```\n\n## Part\n\n```sh\n$ ls\n```\n"},
		{"rst objects, admonitions, lists", RST,
			"Top\n===\n\n.. data:: KEY\n\n    What it is.\n\n    Default: ``None``\n\n.. warning::\n    Not that.\n\n* one\n  goes on\n* two\n\n.. toctree::\n\n    a\n    b\n",
			"# Top\n\n### `KEY`\n\nWhat it is.\n\nDefault: `None`\n\n**Warning** Not that.\n\n- one\n  goes on\n- two\n"},
		{"rst tables", RST,
			"===== =====\na     b\n===== =====\n1     2 x\n3     4\n===== =====\n\n+---+---+\n| c | d |\n+===+===+\n| 5 | 6 |\n+---+---+\n",
			"| a | b |\n| --- | --- |\n| 1 | 2 x |\n| 3 | 4 |\n\n| c | d |\n| --- | --- |\n| 5 | 6 |\n"},
		{"org", Org,
			"#+TITLE: Notes\n* TODO First :tag:\n:PROPERTIES:\n:ID: 1\n:END:\nSee [[https://e.org][the page]] and =code=, *bold*.\n#+begin_src sh\nls\n#+end_src\n| a | b |\n|---+---|\n| 1 | 2 |\n- term :: meaning\n",
			"# Notes\n\n# First\n\nSee [the page](https://e.org) and `code`, **bold**.\n\n```sh\nls\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nterm\n: meaning\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Convert(c.format, c.in)); diff != "" {
				t.Errorf("Convert: -want +got\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, markdown, title string }{
		{"a.md", "---\ntitle: \"The title\"\nx: 1\n---\n# Other\nText", "# Other\nText", "The title"},
		{"b.md", "\uFEFF+++\ntitle = 'T'\n+++\nText", "Text", "T"},
		{"c.md", "intro\n\n## A `part` {#part}\n", "intro\n\n## A `part` {#part}\n", "A part"},
		{"d.md", "See [[note|that]], [[other]] and `[[x]]` not.\nOn [[page#part]].", "See [[note|that]], [[other]] and `[[x]]` not.\nOn page.", ""},
		{"e.txt", "No heading.", "No heading.", ""},
		{"f.adoc", "git-x(1)\n========\n\nText.", "# git-x(1)\n\nText.\n", "git-x(1)"},
		{"g.md", "---\nnot closed", "---\nnot closed", ""},
	} {
		if md, title := Read(c.name, c.body); md != c.markdown || title != c.title {
			t.Errorf("Read(%q, %q) = %q, %q, want %q, %q", c.name, c.body, md, title, c.markdown, c.title)
		}
	}
}

// A page of an RFC: footer and header in the middle of a paragraph, a contents
// table, a term above its description, a figure.
func TestConvertRFC(t *testing.T) {
	t.Parallel()
	in := `
Network Working Group                                           J. Myers
Category: Standards Track                                       May 1996

                    Post Office Protocol - Version 3

Table of Contents

   1. Introduction ................................................    2
   2. States ......................................................    3

1. Introduction

   The server acquires an exclusive-
   access lock on the maildrop, and the responses of the server to it

Myers                       Standards Track                     [Page 4]
` + "\f" + `
RFC 1939                          POP3                          May 1996

   are given below.

   1009

      1009 indicates that a message is too big.

      +---+---+
      | a | b |
      +---+---+

   o  first
   o  second that goes
      on
`
	want := "# Post Office Protocol - Version 3\n\n## 1. Introduction\n\nThe server acquires an exclusive-access\nlock on the maildrop, and the responses of the server to it\nare given below.\n\n" +
		"1009\n: 1009 indicates that a message is too big.\n\n  ```\n  +---+---+\n  | a | b |\n  +---+---+\n  ```\n\n- first\n- second that goes\n  on\n"
	got := Convert(Plain, in)
	if _, rest, ok := strings.Cut(got, "# Post"); ok {
		got = "# Post" + rest
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Convert: -want +got\n%s", diff)
	}
}

// Whatever comes in, words are kept: the conversions move and mark text, and drop
// only what names files, targets and options.
func FuzzConvert(f *testing.F) {
	f.Add("a::\n\tb\n+\n----\nc\n----\n* d\n** e\n|===\n|f|g\n|===\n")
	f.Add("T\n=\n\n.. note::\n    a\n\n+--+\n|x |\n+--+\n\n=== ===\na   b\n=== ===\n1   2\n=== ===\n")
	f.Add("* a\n#+begin_src\nx\n#+end_src\n|a|\n:b:\n")
	f.Add("   1. a ........ 2\n\nx   [Page 1]\n\fRFC 1 May 1996\n\n   o  b\n")
	f.Fuzz(func(t *testing.T, in string) {
		for _, format := range []Format{Markdown, AsciiDoc, RST, Org, Plain} {
			Convert(format, in)
		}
		Detect("x.txt", in)
		Read("x.md", in)
	})
}

func TestConvertIsLinear(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nested blocks":      strings.Repeat("====\n", 3000),
		"nested directives":  nest(400),
		"terms":              strings.Repeat("a::\n", 20_000),
		"brackets":           strings.Repeat("[[", 50_000),
		"backticks":          strings.Repeat("`", 100_000),
		"pipes":              "|===\n" + strings.Repeat("|", 50_000) + "\n|===\n",
		"rulers":             strings.Repeat("== ==\n", 20_000),
		"one word per line":  strings.Repeat("   word\n\n", 30_000),
		"deeper every line":  nestPlain(600),
		"delimiters in turn": strings.Repeat("----\n....\n", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []Format{AsciiDoc, RST, Org, Plain} {
				Convert(format, in)
			}
		})
	}
}

func nest(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", 4*i) + ".. note::\n\n")
	}
	return b.String()
}

func nestPlain(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "line\n\n")
	}
	return b.String()
}
