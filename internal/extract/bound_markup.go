package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of a tree. The parser refuses more than 512 nested elements, and its time
// grows with the nesting and with the number of formatting elements that are not
// ended. A tree takes about 300 bytes for each element.
const (
	manyElements  = 100_000 // from which nesting is bounded too
	maxElements   = 250_000
	maxNesting    = 200
	manyNesting   = 100 // of a page with many elements
	maxFormatting = 40
	maxOpen       = 4096 // elements whose end is looked for
	maxSearch     = 512  // open elements that are searched for the one that ends
)

// suspicious reports whether markup has many elements, or formatting elements that
// are not ended. It may be wrong for markup in scripts.
func suspicious(content string) (many, unended bool) {
	tags, open := 0, 0
	var counts [len(formatting)]int
	for rest := content; ; {
		at := strings.IndexByte(rest, '<')
		if at < 0 {
			return tags > manyElements, unended
		}
		tags++
		rest = rest[at+1:]
		ends := strings.HasPrefix(rest, "/")
		i := formattingIndex(strings.TrimPrefix(rest, "/"))
		switch {
		case i < 0:
		case ends && counts[i] > 0:
			counts[i]--
			open--
		case !ends && (counts[i] == 0 || formatting[i] != "a"): // a link ends the one before
			counts[i]++
			open++
			unended = unended || open > maxFormatting
		}
	}
}

// formatting holds the elements that the parser opens again in each block until
// they are ended.
var formatting = [...]string{"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}

// formattingIndex returns the index in formatting of the name at the start of s, or -1.
func formattingIndex(s string) int {
	n := 0
	for n < len(s) && n < 7 && ('a' <= s[n]|0x20 && s[n]|0x20 <= 'z') {
		n++
	}
	if n == 0 || n < len(s) && s[n] > ' ' && s[n] != '>' && s[n] != '/' {
		return -1
	}
	for i, name := range formatting {
		if len(name) == n && strings.EqualFold(name, s[:n]) {
			return i
		}
	}
	return -1
}

// standIn is the prefix of the names under which formatting elements pass the
// parser.
const standIn = "x-"

// boundMarkup rewrites markup so that parsing it takes linear time and gives at
// most maxElements elements within the bounds of nesting. The tags of elements beyond these
// bounds are left out, which lossy reports; their text stays, unless their own
// attributes hide it. If rename is set, formatting elements get other names, which
// restoreFormatting undoes.
func boundMarkup(content string, rename bool) (bounded string, lossy bool) {
	b := &bounder{z: html.NewTokenizer(strings.NewReader(content)), rename: rename, nesting: maxNesting}
	if strings.Count(content, "<") > manyElements {
		b.nesting = manyNesting
	}
	b.out.Grow(len(content))
	for {
		kind := b.z.Next()
		switch kind {
		case html.ErrorToken: // end of input: a strings.Reader does not fail
			return b.out.String(), b.lossy
		case html.TextToken:
			if b.skip.depth == 0 {
				b.out.Write(b.z.Raw())
			}
			continue
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
		default: // no text
			continue
		}
		raw := string(b.z.Raw())
		switch tok := b.z.Token(); {
		case b.skip.covers(kind, tok.Data):
		case kind == html.EndTagToken:
			b.end(tok.Data)
		default:
			b.start(tok, raw)
		}
	}
}

type openElement struct {
	name string
	kept bool
}

type bounder struct {
	z       *html.Tokenizer
	rename  bool
	nesting int
	out     strings.Builder
	open    []openElement
	kept    int // open elements that are kept, with those that the parser adds
	count   int // elements kept so far
	skip    skipped
	lossy   bool // an element was left out
}

func (b *bounder) start(tok html.Token, raw string) {
	name := tok.Data
	switch name {
	case "html", "head", "body", "frameset", "frame":
		b.out.WriteString(raw)
		return
	}
	b.impliedEnd(name)
	if tableParts[name] && !b.inTable() {
		b.out.WriteByte(' ')
		return
	}
	leaf := void[name] || tok.Type == html.SelfClosingTagToken && b.inForeign()
	keep := b.count < maxElements && (leaf || b.kept < b.nesting)
	b.lossy = b.lossy || !keep
	switch {
	case keep:
		b.count++
		b.tag(name, raw, "<")
	case !leaf && hiddenToken(tok):
		b.skip = skipped{name, 1}
		return
	case !inline[name]:
		b.lineBreak()
	}
	if !leaf && len(b.open) < maxOpen {
		b.open = append(b.open, openElement{name, keep})
		if keep {
			b.kept += cost(name)
		}
	}
}

// lineBreak stands for the tag of a block that is left out.
func (b *bounder) lineBreak() {
	if s := b.out.String(); b.count < maxElements && !strings.HasSuffix(s, "<br>") {
		b.count++
		b.out.WriteString("<br>")
		return
	}
	b.out.WriteByte(' ')
}

// cost is the number of elements for which the parser may nest deeper: a table
// gets a body and rows.
func cost(name string) int {
	if name == "table" {
		return 4
	}
	return 1
}

// tag writes a tag, under another name if it is that of a formatting element.
func (b *bounder) tag(name, raw, opening string) {
	if b.rename && formattingIndex(name) >= 0 {
		b.out.WriteString(opening + standIn + raw[len(opening):])
		return
	}
	b.out.WriteString(raw)
}

// end ends an element, and those that are open in it.
func (b *bounder) end(name string) {
	stop := isScope
	if tableParts[name] || name == "table" {
		stop = isTable
	}
	if i := b.find(name, stop); i >= 0 {
		b.pop(i)
	}
}

// find returns the index of the innermost open element of a name, or -1 if there
// is none, or one for which stop is true lies between.
func (b *bounder) find(name string, stop func(string) bool) int {
	for i := len(b.open) - 1; i >= max(0, len(b.open)-maxSearch); i-- {
		switch open := b.open[i].name; {
		case open == name:
			return i
		case stop(open):
			return -1
		}
	}
	return -1
}

// pop ends the open elements from i on.
func (b *bounder) pop(i int) {
	for n := len(b.open) - 1; n >= i; n-- {
		e := b.open[n]
		if e.kept {
			b.kept -= cost(e.name)
			b.tag(e.name, "</"+e.name+">", "</")
		} else if !inline[e.name] {
			b.lineBreak()
		}
	}
	b.open = b.open[:i]
}

// impliedEnd ends the elements that the start of another one ends.
func (b *bounder) impliedEnd(name string) {
	find := func(stop func(string) bool, names ...string) {
		for _, n := range names {
			if i := b.find(n, stop); i >= 0 {
				b.pop(i)
				return
			}
		}
	}
	switch name {
	case "li":
		find(isSpecial, "li")
	case "dd", "dt":
		find(isSpecial, "dd", "dt")
	case "option":
		find(func(string) bool { return true }, "option")
	case "td", "th":
		find(isTable, "td", "th", "caption")
	case "tr":
		find(isTable, "tr", "caption")
	case "tbody", "thead", "tfoot":
		find(isTable, "tbody", "thead", "tfoot", "tr", "caption")
	case "table":
		find(isCell, "table")
	case "button":
		find(isScope, "button")
	}
	if knownBlock[name] && !tableParts[name] && name != "button" {
		find(isScope, "p")
	}
}

func (b *bounder) inTable() bool { return b.find("table", func(string) bool { return false }) >= 0 }

func (b *bounder) inForeign() bool {
	never := func(string) bool { return false }
	return b.find("svg", never) >= 0 || b.find("math", never) >= 0
}

var tableParts = map[string]bool{
	"caption": true, "col": true, "colgroup": true, "tbody": true, "td": true, "tfoot": true, "th": true, "thead": true, "tr": true,
}

func isTable(name string) bool { return name == "table" || name == "template" }

func isCell(name string) bool {
	return name == "td" || name == "th" || name == "caption" || name == "template"
}

// isScope reports whether an element hides those around it from an end tag.
func isScope(name string) bool {
	switch name {
	case "applet", "caption", "table", "td", "th", "marquee", "object", "template", "button":
		return true
	}
	return false
}

// isSpecial reports whether an item of a list that is open around an element goes
// on when another item begins in it.
func isSpecial(name string) bool {
	switch name {
	case "address", "div", "p", "li", "dd", "dt":
		return false
	}
	return isScope(name) || knownBlock[name]
}

// restoreFormatting gives formatting elements their names back.
func restoreFormatting(doc *html.Node) {
	for n := range doc.Descendants() {
		if name, ok := strings.CutPrefix(n.Data, standIn); ok && n.Type == html.ElementNode && formattingIndex(name) >= 0 {
			n.Data, n.DataAtom = name, atom.Lookup([]byte(name))
		}
	}
}
