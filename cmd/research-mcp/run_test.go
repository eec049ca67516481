package main

import (
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// liveIn lists what a Markdown document links to, shows or runs.
func liveIn(t *testing.T, markdown string) (live []string) {
	t.Helper()
	source := []byte(markdown)
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			live = append(live, "link "+string(n.Destination))
		case *ast.AutoLink:
			live = append(live, "link "+string(n.URL(source)))
		case *ast.Image:
			live = append(live, "image "+string(n.Destination))
		case *ast.RawHTML, *ast.HTMLBlock, *ast.CodeSpan, *ast.FencedCodeBlock, *ast.Emphasis:
			live = append(live, n.Kind().String())
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// Quotes, titles, names and warnings are strangers' words: in the Markdown document of an
// answer nothing of them is live.
func TestForeignMarkdownIsNotLive(t *testing.T) {
	t.Parallel()
	for _, foreign := range []string{
		"The keeper is [Ana Koss](javascript:alert(1)), born in 1950.",
		"The keeper <img src=https://track.example/i.png> was born.",
		"As ![photo](https://track.example/p.png?x=1) shows, born.",
		"See data:text/html;base64,PHNjcmlwdD4= or <javascript:alert(1)> or vbscript:x.",
		"See https://track.example/?q=SECRET and www.track.example/x and WWW.track.example and HTTPS://track.example for it.",
		"[Ana](  JaVaScRiPt&#58;alert(1) ) and [Bo](file:///etc/passwd) and [x][y] and [^1].",
		"[x]: javascript:alert(1)", "| a | ![](https://track.example/t.png) |", "<script>alert(1)</script>", "# <b>big</b>", "1. [a](b)", "- ![a](b)",
		"`code` **bold** \\[a](javascript:alert(1)) \\\\![a](b) ~~~ x",
	} {
		a := evidence.Answer{Question: "Who is the keeper?", Answer: "Nobody knows [1].", Status: evidence.Answered,
			Citations: []evidence.Citation{{N: 1, Title: foreign, URL: "https://a.example/1", Source: foreign, Quote: foreign}, {N: 2, Title: "T", URL: "javascript:alert(1)", Source: "s", Quote: foreign},
				{N: 3, Title: "T", URL: "https://a.example/x>)<img src=https://track.example>", Source: "s", Quote: foreign}},
			Warnings: []string{foreign}}
		live := liveIn(t, answerMarkdown(a))
		if len(live) != 2 || live[0] != "link https://a.example/1" || live[1] != "link https://a.example/x%3E%29%3Cimg%20src=https://track.example%3E" {
			t.Errorf("%q: live are %q in\n%s", foreign, live, answerMarkdown(a))
		}
	}
}

// What is not live is still to be read.
func TestInertTextIsReadAsItWas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"The dog was 3.5 kg: small.":     "The dog was 3.5 kg: small.",
		"At 10:30, see [1] & <b>.":       `At 10\:30, see \[1\] &amp; &lt;b\>.`,
		"Write to a_b@x.example\n  now!": `Write to a\_b\@x.example now\!`,
	} {
		if got := inert(in); got != want {
			t.Errorf("inert(%q) = %q, want %q", in, got, want)
		}
	}
}
