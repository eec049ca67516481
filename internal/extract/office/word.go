package office

import (
	"strconv"
	"strings"
)

// word reads a document of WordprocessingML.
type word struct {
	styles  map[string]wordStyle
	numbers map[string]map[int]numbering // by numId and level
	counts  map[string][]int             // the last number of each level, by list
	notes   map[string]*node             // by the name of the mark and id
	used    []string                     // keys of notes in the order of their marks
	out     builder
	inCell  int
	inNote  bool
}

// wordStyle is what a style says about the text.
type wordStyle struct {
	name    string
	outline int // level of a heading from 1, else 0
	numID   string
	level   int
	hidden  bool
}

// numbering is a level of a list.
type numbering struct {
	list   string // lists with the same one count on
	bullet bool
	style  string // type attribute of HTML
	start  int
}

func readWord(a *archive, maxText int) (Document, error) {
	var doc Document
	main := a.mainPart("word/document.xml")
	root, err := a.tree(main)
	if err != nil && root.find("body") == nil {
		return doc, err
	}
	body := root.find("body")
	if body == nil {
		return doc, ErrUnknown
	}
	doc.Truncated = err != nil
	_, related := a.relations(main)
	w := &word{styles: map[string]wordStyle{}, numbers: map[string]map[int]numbering{}, counts: map[string][]int{}, notes: map[string]*node{}, out: builder{room: maxText}}
	w.readStyles(a, related["styles"])
	w.readNumbering(a, related["numbering"])
	w.readNotes(a, related["footnotes"], "footnote")
	w.readNotes(a, related["endnotes"], "endnote")
	if properties, err := a.tree("docProps/core.xml"); err == nil {
		doc.properties(properties)
	}
	w.blocks(body)
	w.writeNotes()
	doc.Truncated = doc.Truncated || w.out.full()
	doc.Parts = []Part{{HTML: []byte(w.out.String())}}
	return doc, nil
}

func (w *word) readStyles(a *archive, part string) {
	root, _ := a.tree(part)
	based := map[string]string{}
	for _, s := range root.all("style") {
		id := s.attr("styleId")
		st := wordStyle{name: strings.ToLower(s.child("name").attr("val")), level: -1}
		if n, err := strconv.Atoi(s.child("pPr", "outlineLvl").attr("val")); err == nil && n >= 0 && n < 9 {
			st.outline = n + 1
		}
		if n, ok := strings.CutPrefix(st.name, "heading "); ok {
			st.outline, _ = strconv.Atoi(n)
		}
		if st.name == "title" {
			st.outline = 1
		}
		if num := s.child("pPr", "numPr"); num != nil {
			st.numID = num.child("numId").attr("val")
			st.level, _ = strconv.Atoi(num.child("ilvl").attr("val"))
		}
		st.hidden = s.child("rPr", "vanish").on()
		w.styles[id] = st
		based[id] = s.child("basedOn").attr("val")
	}
	for id, st := range w.styles { // what a style does not say is that of the one it is based on
		for parent, n := based[id], 0; parent != "" && n < 20; parent, n = based[parent], n+1 {
			p := w.styles[parent]
			if st.outline == 0 {
				st.outline = p.outline
			}
			if st.numID == "" {
				st.numID, st.level = p.numID, p.level
			}
		}
		w.styles[id] = st
	}
}

func (w *word) readNumbering(a *archive, part string) {
	root, _ := a.tree(part)
	abstract := map[string]map[int]numbering{}
	for _, n := range root.all("abstractNum") {
		id := n.attr("abstractNumId")
		abstract[id] = map[int]numbering{}
		for _, l := range n.all("lvl") {
			level, _ := strconv.Atoi(l.attr("ilvl"))
			abstract[id][level] = levelOf(l, "a"+id)
		}
	}
	for _, n := range root.all("num") {
		id := n.attr("numId")
		levels := map[int]numbering{}
		for level, v := range abstract[n.child("abstractNumId").attr("val")] {
			levels[level] = v
		}
		for _, o := range n.all("lvlOverride") {
			level, _ := strconv.Atoi(o.attr("ilvl"))
			v := levels[level]
			if l := o.child("lvl"); l != nil {
				v = levelOf(l, v.list)
			}
			if start, err := strconv.Atoi(o.child("startOverride").attr("val")); err == nil {
				v.start, v.list = start, "n"+id
			}
			levels[level] = v
		}
		w.numbers[id] = levels
	}
}

func levelOf(l *node, list string) numbering {
	v := numbering{list: list, start: 1}
	switch l.child("numFmt").attr("val") {
	case "bullet", "none":
		v.bullet = true
	case "lowerLetter":
		v.style = "a"
	case "upperLetter":
		v.style = "A"
	case "lowerRoman":
		v.style = "i"
	case "upperRoman":
		v.style = "I"
	}
	if start, err := strconv.Atoi(l.child("start").attr("val")); err == nil {
		v.start = start
	}
	return v
}

func (w *word) readNotes(a *archive, part, name string) {
	root, _ := a.tree(part)
	for _, n := range root.all(name) {
		if kind := n.attr("type"); kind == "" || kind == "normal" {
			w.notes[name+n.attr("id")] = n
		}
	}
}

// writeNotes writes the footnotes that were referred to, in order.
func (w *word) writeNotes() {
	w.inNote = true
	for i := 0; i < len(w.used) && i < 10_000; i++ {
		var parts []string
		for _, p := range w.notes[w.used[i]].all("p") {
			if s := strings.TrimSpace(w.inline(p)); s != "" {
				parts = append(parts, s)
			}
		}
		w.out.block("p", note(i+1)+": "+strings.Join(parts, " "))
	}
}

// blocks writes the blocks of a body, cell or text box.
func (w *word) blocks(n *node) {
	for _, k := range n.elements() {
		switch k.name {
		case "p":
			w.paragraph(k)
		case "tbl":
			w.out.raw(w.table(k))
		case "sdt":
			if !strings.Contains(k.child("sdtPr", "docPartObj", "docPartGallery").attr("val"), "Table of Contents") {
				w.blocks(k.child("sdtContent"))
			}
		case "customXml", "ins", "moveTo", "smartTag", "sdtContent", "txbxContent":
			w.blocks(k)
		case "AlternateContent":
			w.blocks(firstOf(k.child("Choice"), k.child("Fallback")))
		}
	}
}

func firstOf(nodes ...*node) *node {
	for _, n := range nodes {
		if n != nil {
			return n
		}
	}
	return &node{}
}

func (w *word) paragraph(p *node) {
	style := w.styles[p.child("pPr", "pStyle").attr("val")]
	if strings.HasPrefix(style.name, "toc ") || style.name == "toc heading" || style.hidden {
		return
	}
	text := w.inline(p)
	w.writeParagraph(p, style, text)
	for _, box := range boxes(p, 0) {
		w.blocks(box)
	}
}

func (w *word) writeParagraph(p *node, style wordStyle, text string) {
	outline := style.outline
	if n, err := strconv.Atoi(p.child("pPr", "outlineLvl").attr("val")); err == nil && n >= 0 && n < 9 {
		outline = n + 1
	}
	numID, level := style.numID, max(style.level, 0)
	if num := p.child("pPr", "numPr"); num != nil {
		numID = num.child("numId").attr("val")
		level, _ = strconv.Atoi(num.child("ilvl").attr("val"))
	}
	number, listed := w.numbers[numID][level]
	switch {
	case isCodeStyle(style.name):
		w.out.listing(text)
	case strings.TrimSpace(text) == "":
	case outline > 0 && outline < 10:
		w.out.heading(outline, text)
	case listed && numID != "0":
		n := 0
		if !number.bullet {
			n = w.count(number, level)
		}
		w.out.item(level, n, number.style, text)
	case strings.Contains(style.name, "quote"), style.name == "block text":
		w.out.block("blockquote", text)
	default:
		w.out.block("p", text)
	}
}

func isCodeStyle(name string) bool {
	return strings.Contains(name, "source code") || strings.Contains(name, "preformatted") || name == "code" || strings.HasPrefix(name, "code block") || name == "sourcecode" || name == "plain text"
}

// count is the number of the next item of a list.
func (w *word) count(v numbering, level int) int {
	counts := w.counts[v.list]
	for len(counts) <= min(level, 8) {
		counts = append(counts, 0)
	}
	level = min(level, 8)
	if counts[level] == 0 {
		counts[level] = v.start - 1
	}
	counts[level]++
	for i := level + 1; i < len(counts); i++ {
		counts[i] = 0
	}
	w.counts[v.list] = counts
	return counts[level]
}

// boxes are the text boxes anchored in a paragraph, each once: their fallback repeats
// them.
func boxes(n *node, depth int) (out []*node) {
	if depth > maxDepth {
		return nil
	}
	for _, k := range n.kids {
		switch k.name {
		case "txbxContent":
			out = append(out, k)
		case "AlternateContent":
			out = append(out, boxes(firstOf(k.child("Choice"), k.child("Fallback")), depth+1)...)
		default:
			out = append(out, boxes(k, depth+1)...)
		}
	}
	return out
}

func (w *word) table(t *node) string {
	var rows [][]cell
	type merge struct{ row, at int }
	open := map[int]merge{} // by column: the cell that goes on below
	for _, tr := range rowsOfTable(t) {
		var cells []cell
		column := 0
		for _, tc := range tr.elements() {
			if tc.name == "sdt" {
				tc = tc.child("sdtContent", "tc")
			}
			if tc == nil || tc.name != "tc" {
				continue
			}
			span, _ := strconv.Atoi(tc.child("tcPr", "gridSpan").attr("val"))
			span = min(max(span, 1), 60)
			m := tc.child("tcPr", "vMerge")
			above, goesOn := open[column]
			if m != nil && m.attr("val") != "restart" && goesOn {
				rows[above.row][above.at].rows++
			} else {
				delete(open, column)
				if m != nil {
					open[column] = merge{len(rows), len(cells)}
				}
				cells = append(cells, cell{html: w.cell(tc), cols: span, rows: 1})
			}
			column += span
		}
		rows = append(rows, cells)
	}
	return tableHTML(rows, hasHeader(t))
}

func rowsOfTable(t *node) (out []*node) {
	for _, k := range t.elements() {
		switch k.name {
		case "tr":
			if k.child("trPr", "del") == nil {
				out = append(out, k)
			}
		case "sdt", "sdtContent", "ins", "customXml":
			out = append(out, rowsOfTable(k)...)
		}
	}
	return out
}

// hasHeader reports whether the first row of a table names its columns. Where the table
// does not say, it does.
func hasHeader(t *node) bool {
	look := t.child("tblPr", "tblLook")
	switch {
	case t.child("tr", "trPr", "tblHeader").on() && t.child("tr", "trPr", "tblHeader") != nil, look == nil:
		return true
	case look.attr("firstRow") != "":
		return look.attr("firstRow") != "0"
	}
	bits, err := strconv.ParseUint(look.attr("val"), 16, 32)
	return err != nil || bits&0x20 != 0
}

// cell writes a cell with blocks of its own. A single paragraph is written without one.
func (w *word) cell(tc *node) string {
	outer := w.out
	w.out = builder{room: outer.room - outer.out.Len()}
	w.inCell++
	w.blocks(tc)
	s := w.out.String()
	w.out = outer
	w.inCell--
	if inner, ok := strings.CutPrefix(s, "<p>"); ok && strings.Count(s, "<p>") == 1 {
		s = strings.TrimSuffix(inner, "</p>\n")
	}
	return s
}
