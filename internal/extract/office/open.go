package office

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// open reads OpenDocument texts, sheets and slides.
type open struct {
	styles map[string]openStyle
	lists  map[string]map[int]numbering // by list style and level from 0
	notes  []string
	out    builder
	counts map[string]int // the last number of a list that others continue
	sheets bool           // the tables are sheets, with names that people gave them
	parts  *archive
}

// openStyle is what a style says about the text, with those it is based on.
type openStyle struct {
	names  []string // in lower case: its own, and of the styles it is based on
	script int
	struck bool
	hidden bool
	white  bool
}

func readOpen(a *archive, maxText int) (Document, error) {
	var doc Document
	if manifest, err := a.read("META-INF/manifest.xml"); err == nil && bytes.Contains(manifest, []byte("encryption-data")) {
		return doc, ErrEncrypted
	}
	root, err := a.tree("content.xml")
	body := root.find("body")
	if body == nil {
		if err == nil {
			err = ErrUnknown
		}
		return doc, err
	}
	doc.Truncated = err != nil
	o := &open{styles: map[string]openStyle{}, lists: map[string]map[int]numbering{}, out: builder{room: maxText}, counts: map[string]int{},
		sheets: body.child("spreadsheet") != nil, parts: a}
	if styles, err := a.tree("styles.xml"); err == nil {
		o.readStyles(styles)
	}
	o.readStyles(root)
	if properties, err := a.tree("meta.xml"); err == nil {
		doc.properties(properties)
	}
	o.blocks(body, 0)
	for i, s := range o.notes {
		o.out.block("p", note(i+1)+": "+s)
	}
	doc.Truncated = doc.Truncated || o.out.full()
	doc.Parts = []Part{{HTML: []byte(o.out.String())}}
	return doc, nil
}

func (o *open) readStyles(root *node) {
	for _, s := range root.all("style") {
		name := s.attr("name")
		st := openStyle{}
		if parent, ok := o.styles[s.attr("parent-style-name")]; ok {
			st = parent
		}
		st.names = append([]string{strings.ToLower(name), strings.ToLower(s.attr("display-name"))}, st.names...)
		st.names = append(st.names, strings.ToLower(s.attr("parent-style-name")))
		if p := s.child("text-properties"); p != nil {
			st.read(p)
		}
		o.styles[name] = st
	}
	for _, l := range root.all("list-style") {
		levels := map[int]numbering{}
		for _, k := range l.elements() {
			level, err := strconv.Atoi(k.attr("level"))
			if err != nil || level < 1 {
				continue
			}
			v := numbering{bullet: k.name != "list-level-style-number" || k.attr("num-format") == "", start: 1}
			if f := k.attr("num-format"); slices.Contains([]string{"a", "A", "i", "I"}, f) {
				v.style = f
			}
			if start, err := strconv.Atoi(k.attr("start-value")); err == nil {
				v.start = start
			}
			levels[level-1] = v
		}
		o.lists[l.attr("name")] = levels
	}
}

func (st *openStyle) read(p *node) {
	if position := p.attr("text-position"); position != "" {
		height, _, _ := strings.Cut(position, " ")
		n, _ := strconv.ParseFloat(strings.TrimSuffix(height, "%"), 64)
		switch {
		case height == "super" || n > 0:
			st.script = 1
		case height == "sub" || n < 0:
			st.script = -1
		default:
			st.script = 0
		}
	}
	for _, key := range []string{"text-line-through-style", "text-line-through-type"} {
		if v := p.attr(key); v != "" {
			st.struck = v != "none"
		}
	}
	if v := p.attr("display"); v != "" {
		st.hidden = v == "none"
	}
	if v := strings.ToLower(p.attr("color")); v != "" {
		st.white = v == "#ffffff"
	}
	if v := p.attr("background-color"); v != "" && v != "transparent" {
		st.white = false
	}
	if size, err := strconv.ParseFloat(strings.TrimSuffix(p.attr("font-size"), "pt"), 64); err == nil && size <= 1 {
		st.hidden = true
	}
}

// style is a style by its name. One that is used without being defined has its name
// alone.
func (o *open) style(name string) openStyle {
	if st, ok := o.styles[name]; ok || name == "" {
		return st
	}
	return openStyle{names: []string{strings.ToLower(name)}}
}

// is reports whether a style, or one it is based on, has a name with a part.
func (st openStyle) is(part string) bool {
	return slices.ContainsFunc(st.names, func(s string) bool { return strings.Contains(s, part) })
}

func (o *open) blocks(n *node, depth int) {
	if depth > maxDepth {
		return
	}
	for _, k := range n.elements() {
		style := o.style(k.attr("style-name"))
		switch k.name {
		case "h":
			level, _ := strconv.Atoi(k.attr("outline-level"))
			o.out.heading(level, o.inline(k))
		case "p":
			o.paragraph(k, style, depth)
		case "list":
			o.list(k, 0, k.attr("style-name"))
		case "table":
			o.table(k)
		case "page":
			o.out.heading(2, escape(k.attr("name")))
			o.blocks(k, depth+1)
		case "notes":
			if s := strings.TrimSpace(o.flat(k)); s != "" {
				o.out.block("p", "Notes: "+s)
			}
		case "tracked-changes", "annotation", "forms", "sequence-decls", "variable-decls", "user-field-decls", "table-of-content", "alphabetical-index",
			"illustration-index", "table-index", "title", "desc", "settings", "shapes", "event-listeners", "calculation-settings", "content-validations", "named-expressions", "database-ranges":
		default:
			o.blocks(k, depth+1)
		}
	}
}

func (o *open) paragraph(p *node, style openStyle, depth int) {
	text := o.inline(p)
	switch {
	case style.hidden:
	case style.is("preformatted"), style.is("source_20_code"), style.is("source code"), style.is("source_code"):
		o.out.listing(text)
	case slices.Contains(style.names, "title"):
		o.out.heading(1, text)
	case style.is("quotations"):
		o.out.block("blockquote", text)
	default:
		o.out.block("p", text)
	}
	for _, name := range []string{"text-box", "image-map"} { // frames anchored in the paragraph
		for _, box := range p.all(name) {
			o.blocks(box, depth+1)
		}
	}
}

// list writes the items of a list, and of those within.
func (o *open) list(l *node, depth int, style string) {
	if own := l.attr("style-name"); own != "" {
		style = own
	}
	v, known := o.lists[style][depth]
	if !known {
		v = numbering{bullet: true}
	}
	n := v.start - 1
	if l.attr("continue-numbering") == "true" || l.attr("continue-list") != "" {
		n = o.counts[style]
	}
	for _, item := range l.elements() {
		if item.name != "list-item" && item.name != "list-header" || depth > 20 {
			continue
		}
		if start, err := strconv.Atoi(item.attr("start-value")); err == nil {
			n = start - 1
		}
		n++
		first := true
		for _, k := range item.elements() {
			switch k.name {
			case "p", "h":
				if !first {
					o.out.out.WriteString("<br>" + o.inline(k))
					continue
				}
				first = false
				number := n
				if v.bullet || item.name == "list-header" {
					number = 0
				}
				if k.name == "h" {
					level, _ := strconv.Atoi(k.attr("outline-level"))
					o.out.heading(level, o.inline(k))
					continue
				}
				o.out.item(depth, number, v.style, o.inline(k))
			case "list":
				o.list(k, depth+1, style)
			}
		}
	}
	o.counts[style] = n
}

// inline writes the text of a paragraph.
func (o *open) inline(p *node) string {
	var b strings.Builder
	o.text(&b, p, 0)
	return b.String()
}

func (o *open) text(b *strings.Builder, n *node, depth int) {
	if depth > maxDepth {
		return
	}
	for _, k := range n.kids {
		switch k.name {
		case "":
			b.WriteString(escape(k.text))
		case "s":
			count, _ := strconv.Atoi(k.attr("c"))
			b.WriteString(strings.Repeat(" ", min(max(count, 1), 200)))
		case "tab":
			b.WriteString("\t")
		case "line-break":
			b.WriteString("<br>")
		case "span", "a":
			o.span(b, k, depth)
		case "note":
			o.notes = append(o.notes, "")
			at := len(o.notes)
			b.WriteString(note(at))
			o.notes[at-1] = o.flat(k.child("note-body"))
		case "frame":
			o.formula(b, k)
		case "ruby":
			o.text(b, firstOf(k.child("ruby-base")), depth+1)
		case "hidden-text", "hidden-paragraph", "annotation", "annotation-end", "custom-shape", "soft-page-break", "bookmark", "change", "change-start", "change-end", "script":
		default:
			o.text(b, k, depth+1)
		}
	}
}

// formula writes the formula that a frame holds: a document of its own, in MathML.
func (o *open) formula(b *strings.Builder, frame *node) {
	math := frame.find("math")
	if math == nil {
		href := strings.TrimPrefix(frame.child("object").attr("href"), "./")
		if href == "" {
			return
		}
		part, err := o.parts.tree(strings.TrimSuffix(href, "/") + "/content.xml")
		if err != nil {
			return
		}
		math = part.find("math")
	}
	if math != nil {
		writeMarkup(b, math, 0)
	}
}

// writeMarkup writes an element of MathML as HTML has it.
func writeMarkup(b *strings.Builder, n *node, depth int) {
	if n.name == "" {
		b.WriteString(escape(n.text))
		return
	}
	if depth > 50 || n.name == "annotation" || strings.IndexFunc(n.name, func(r rune) bool { return r < 'a' || r > 'z' }) >= 0 {
		return
	}
	b.WriteString("<" + n.name)
	if v := n.attr("display"); v == "block" {
		b.WriteString(` display="block"`)
	}
	b.WriteString(">")
	for _, k := range n.kids {
		writeMarkup(b, k, depth+1)
	}
	b.WriteString("</" + n.name + ">")
}

func (o *open) span(b *strings.Builder, k *node, depth int) {
	style := o.style(k.attr("style-name"))
	if style.hidden || style.white {
		return
	}
	var inner strings.Builder
	o.text(&inner, k, depth+1)
	script := style.script
	if strings.HasPrefix(inner.String(), "[^") {
		script = 0
	}
	b.WriteString(marked(inner.String(), script, style.struck, style.is("source_20_text") || style.is("source text") || style.is("source_text")))
}

// flat is the text of blocks in one line.
func (o *open) flat(n *node) string {
	var parts []string
	for _, name := range []string{"p", "h"} {
		for _, p := range n.all(name) {
			if s := strings.TrimSpace(o.inline(p)); s != "" {
				parts = append(parts, s)
			}
		}
	}
	return strings.Join(parts, " ")
}

func (o *open) table(t *node) {
	var rows [][]cell
	o.rows(t, &rows, 0)
	for len(rows) > 0 && emptyRow(rows[len(rows)-1]) {
		rows = rows[:len(rows)-1]
	}
	if len(rows) == 0 {
		return
	}
	if name := t.attr("name"); name != "" && o.sheets {
		o.out.heading(2, escape(name))
	}
	o.out.raw(tableHTML(rows, true))
}

func emptyRow(r []cell) bool {
	return !slices.ContainsFunc(r, func(c cell) bool { return c.html != "" })
}

func (o *open) rows(n *node, rows *[][]cell, depth int) {
	for _, k := range n.elements() {
		switch {
		case depth > 10 || len(*rows) > maxRows || o.out.full():
			return
		case k.name == "table-row":
			if v := k.attr("visibility"); v == "collapse" || v == "filter" {
				continue
			}
			r := o.row(k)
			repeat, _ := strconv.Atoi(k.attr("number-rows-repeated"))
			if emptyRow(r) {
				repeat = 1
			}
			for range min(max(repeat, 1), 100) {
				*rows = append(*rows, r)
			}
		case k.name == "table-header-rows", k.name == "table-row-group", k.name == "table-rows":
			o.rows(k, rows, depth+1)
		}
	}
}

func (o *open) row(tr *node) (cells []cell) {
	for _, tc := range tr.elements() {
		repeat, _ := strconv.Atoi(tc.attr("number-columns-repeated"))
		repeat = min(max(repeat, 1), maxColumns)
		switch tc.name {
		case "covered-table-cell": // by the span of another
			continue
		case "table-cell":
		default:
			continue
		}
		outer := o.out
		o.out = builder{room: outer.room - outer.out.Len()}
		o.blocks(tc, 1)
		s := o.out.String()
		o.out = outer
		if inner, ok := strings.CutPrefix(s, "<p>"); ok && strings.Count(s, "<p>") == 1 {
			s = strings.TrimSuffix(inner, "</p>\n")
		}
		cols, _ := strconv.Atoi(tc.attr("number-columns-spanned"))
		down, _ := strconv.Atoi(tc.attr("number-rows-spanned"))
		for range repeat {
			cells = append(cells, cell{html: s, cols: min(cols, maxColumns), rows: min(down, maxRows)})
		}
		if len(cells) > maxColumns {
			break
		}
	}
	for len(cells) > 0 && cells[len(cells)-1].html == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}
