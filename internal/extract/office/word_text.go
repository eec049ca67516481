package office

import (
	"slices"
	"strings"
)

// inline writes the runs of a paragraph.
func (w *word) inline(p *node) string {
	var b strings.Builder
	w.runs(&b, p, 0)
	return b.String()
}

func (w *word) runs(b *strings.Builder, n *node, depth int) {
	if depth > maxDepth {
		return
	}
	instruction := 0 // depth of the instructions of fields, which are no text
	for _, k := range n.kids {
		switch k.name {
		case "r":
			for _, f := range k.all("fldChar") {
				switch f.attr("fldCharType") {
				case "begin":
					instruction++
				case "separate", "end":
					instruction = max(0, instruction-1)
				}
			}
			if instruction == 0 {
				w.run(b, k)
			}
		case "hyperlink", "ins", "moveTo", "smartTag", "fldSimple", "sdtContent", "customXml", "dir", "bdo", "rubyBase":
			w.runs(b, k, depth+1)
		case "sdt":
			w.runs(b, k.child("sdtContent"), depth+1)
		case "AlternateContent":
			w.runs(b, firstOf(k.child("Choice"), k.child("Fallback")), depth+1)
		case "oMath":
			b.WriteString(formula(officeTeX(k), false))
		case "oMathPara":
			for _, m := range k.all("oMath") {
				b.WriteString(formula(officeTeX(m), true))
			}
		}
	}
}

// run writes the text of a run with its properties.
func (w *word) run(b *strings.Builder, r *node) {
	properties := r.child("rPr")
	if w.hidden(properties) {
		return
	}
	var text strings.Builder
	for _, k := range r.kids {
		switch k.name {
		case "t":
			text.WriteString(escape(k.allText()))
		case "tab", "ptab":
			text.WriteByte(' ')
		case "br", "cr":
			text.WriteString("<br>")
		case "noBreakHyphen":
			text.WriteByte('-')
		case "ruby":
			w.runs(&text, k.child("rubyBase"), 1)
		case "footnoteReference", "endnoteReference":
			text.WriteString(w.mark(strings.TrimSuffix(k.name, "Reference") + k.attr("id")))
		case "AlternateContent", "drawing", "pict", "object": // text boxes are written behind the paragraph
		}
	}
	script := 0
	switch properties.child("vertAlign").attr("val") {
	case "superscript":
		script = 1
	case "subscript":
		script = -1
	}
	if style := w.styles[properties.child("rStyle").attr("val")].name; strings.Contains(style, "reference") || strings.HasPrefix(text.String(), "[^") {
		script = 0
	}
	struck := properties.child("strike").on() || properties.child("dstrike").on()
	b.WriteString(marked(text.String(), script, struck, w.isCode(properties) && !w.inCode(r)))
}

// hidden reports whether a reader does not see a run.
func (w *word) hidden(properties *node) bool {
	if properties == nil {
		return false
	}
	size := properties.child("sz").attr("val")
	color := strings.ToUpper(properties.child("color").attr("val"))
	shaded := properties.child("shd") != nil || properties.child("highlight") != nil || w.inCell > 0
	return properties.child("vanish").on() || properties.child("specVanish").on() || size == "1" || size == "2" || color == "FFFFFF" && !shaded
}

// isCode reports whether a run has a style of code.
func (w *word) isCode(properties *node) bool {
	name := w.styles[properties.child("rStyle").attr("val")].name
	return slices.Contains([]string{"verbatim char", "html code", "code", "inline code", "source text", "code char"}, name)
}

// inCode reports whether a run breaks lines: then it is a listing, whose paragraph says
// so.
func (w *word) inCode(r *node) bool { return r.child("br") != nil }

// mark writes the mark of a footnote.
func (w *word) mark(key string) string {
	if w.notes[key] == nil || w.inNote {
		return ""
	}
	at := slices.Index(w.used, key)
	if at < 0 {
		at = len(w.used)
		w.used = append(w.used, key)
	}
	return note(at + 1)
}

// officeTeX writes a formula of Office as TeX.
func officeTeX(n *node) string {
	var b strings.Builder
	writeTeX(&b, n, 0)
	return strings.TrimSpace(b.String())
}

// texOf is the TeX of a part of a formula, in braces.
func texOf(n *node, depth int) string {
	var b strings.Builder
	if n != nil {
		writeTeX(&b, n, depth+1)
	}
	return "{" + strings.TrimSpace(b.String()) + "}"
}

func writeTeX(b *strings.Builder, n *node, depth int) {
	if depth > 50 {
		return
	}
	for _, k := range n.elements() {
		switch k.name {
		case "r":
			for _, t := range k.all("t") {
				b.WriteString(t.allText())
			}
		case "f":
			b.WriteString(`\frac` + texOf(k.child("num"), depth) + texOf(k.child("den"), depth))
		case "sSup":
			b.WriteString(texOf(k.child("e"), depth) + "^" + texOf(k.child("sup"), depth))
		case "sSub":
			b.WriteString(texOf(k.child("e"), depth) + "_" + texOf(k.child("sub"), depth))
		case "sSubSup":
			b.WriteString(texOf(k.child("e"), depth) + "_" + texOf(k.child("sub"), depth) + "^" + texOf(k.child("sup"), depth))
		case "rad":
			b.WriteString(`\sqrt`)
			if degree := strings.Trim(texOf(k.child("deg"), depth), "{}"); degree != "" {
				b.WriteString("[" + degree + "]")
			}
			b.WriteString(texOf(k.child("e"), depth))
		case "nary":
			writeSum(b, k, depth)
		case "d":
			writeFence(b, k, depth)
		case "m":
			writeMatrix(b, k, depth)
		case "func":
			b.WriteString(strings.Trim(texOf(k.child("fName"), depth), "{}") + " " + texOf(k.child("e"), depth))
		case "rPr", "ctrlPr", "oMathParaPr":
		default:
			writeTeX(b, k, depth+1)
		}
	}
}

// writeSum writes a sum, a product or an integral.
func writeSum(b *strings.Builder, k *node, depth int) {
	sign := k.child("naryPr", "chr").attr("val")
	command, known := map[string]string{"∑": `\sum`, "∏": `\prod`, "": `\int`, "∫": `\int`, "⋃": `\bigcup`, "⋂": `\bigcap`}[sign]
	if !known {
		command = sign
	}
	b.WriteString(command)
	for _, limit := range []struct{ mark, name string }{{"_", "sub"}, {"^", "sup"}} {
		if s := texOf(k.child(limit.name), depth); s != "{}" {
			b.WriteString(limit.mark + s)
		}
	}
	b.WriteString(" " + texOf(k.child("e"), depth))
}

func writeFence(b *strings.Builder, k *node, depth int) {
	opening, closing := "(", ")"
	if p := k.child("dPr"); p != nil {
		if c := p.child("begChr"); c != nil {
			opening = c.attr("val")
		}
		if c := p.child("endChr"); c != nil {
			closing = c.attr("val")
		}
	}
	b.WriteString(opening)
	for i, e := range k.all("e") {
		if i > 0 {
			b.WriteString(", ")
		}
		writeTeX(b, e, depth+1)
	}
	b.WriteString(closing)
}

func writeMatrix(b *strings.Builder, k *node, depth int) {
	b.WriteString(`\begin{matrix}`)
	for i, row := range k.all("mr") {
		if i > 0 {
			b.WriteString(` \\ `)
		}
		for j, e := range row.all("e") {
			if j > 0 {
				b.WriteString(" & ")
			}
			writeTeX(b, e, depth+1)
		}
	}
	b.WriteString(`\end{matrix}`)
}
