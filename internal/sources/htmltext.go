package sources

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/text"
)

// maxParsed is how many bytes of HTML are parsed into a tree: more than a document
// holds, where most of them are text.
const maxParsed = 4 * maxText

// mayHide matches what could hide an element. Most texts have none of it and need
// no parsing.
var mayHide = text.Pattern(`(?i)hidden|popover|style|<template|<dialog`)

// withoutHidden removes the elements that their attributes hide. It is empty for
// HTML that nests deeper than the parser allows.
func withoutHidden(s string) string {
	if !mayHide().MatchString(s) {
		return s
	}
	s, _ = text.Cut(s, maxParsed)
	nodes, err := html.ParseFragment(strings.NewReader(s), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return ""
	}
	var out strings.Builder
	for _, n := range nodes {
		if isHidden(n) {
			continue
		}
		removeHidden(n)
		if html.Render(&out, n) != nil {
			return ""
		}
	}
	return out.String()
}

// removeHidden removes the hidden elements below n.
func removeHidden(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		if isHidden(child) {
			n.RemoveChild(child)
		} else {
			removeHidden(child) // the parser nests no deeper than 512
		}
		child = next
	}
}

func isHidden(n *html.Node) bool {
	if n.Type != html.ElementNode {
		return false
	}
	open := slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "open" })
	return n.DataAtom == atom.Template || n.DataAtom == atom.Dialog && !open || extract.HiddenBy(n.Attr)
}

// plainText converts the simple HTML that services put into JSON to text: without
// tags, with entities decoded, a blank line between paragraphs, and code verbatim.
// What a reader of the HTML would not see is left out.
func plainText(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return strings.TrimSpace(s)
	}
	s = withoutHidden(s)
	var (
		blocks []string
		part   strings.Builder
		code   = false // inside pre
		hidden = 0     // inside script or style
	)
	flush := func() {
		block := text.Squash(part.String())
		if code {
			block = strings.Trim(part.String(), "\n")
		}
		if block != "" {
			blocks = append(blocks, block)
		}
		part.Reset()
	}
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		kind := z.Next()
		if kind == html.ErrorToken { // the end: a string has no other error
			flush()
			return strings.TrimSpace(strings.Join(blocks, "\n\n"))
		}
		token := z.Token()
		switch {
		case kind == html.TextToken:
			if hidden == 0 {
				part.WriteString(token.Data)
			}
		case token.DataAtom == atom.Script || token.DataAtom == atom.Style:
			hidden = max(hidden+nesting(kind), 0)
		case token.DataAtom == atom.Pre:
			flush()
			code = kind == html.StartTagToken
		case token.DataAtom == atom.Br:
			part.WriteByte('\n')
		case separates(token.DataAtom):
			flush()
		}
	}
}

// nesting is how a tag changes the depth of nesting.
func nesting(kind html.TokenType) int {
	switch kind {
	case html.StartTagToken:
		return 1
	case html.EndTagToken:
		return -1
	}
	return 0
}

// separates reports whether a tag begins or ends a paragraph.
func separates(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Li, atom.Ul, atom.Ol, atom.Blockquote, atom.H1, atom.H2, atom.H3, atom.Hr, atom.Tr:
		return true
	}
	return false
}
