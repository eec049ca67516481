package office

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"
)

// builder writes blocks of HTML.
type builder struct {
	out   bytes.Buffer
	code  int      // the length of out after a listing, else 0
	lists []string // tags of the open lists, each with an open item
	room  int      // bytes of text that may still be written
}

func (b *builder) full() bool { return b.out.Len() > b.room }

// block writes an element of a block with inline HTML.
func (b *builder) block(tag, inline string) {
	b.closeLists(0)
	if strings.TrimSpace(inline) != "" && !b.full() {
		b.out.WriteString("<" + tag + ">" + inline + "</" + tag + ">\n")
	}
}

func (b *builder) heading(level int, inline string) {
	b.block("h"+strconv.Itoa(min(max(level, 1), 6)), inline)
}

// listing writes a paragraph of code. One that follows another is its next line.
func (b *builder) listing(inline string) {
	b.closeLists(0)
	if b.full() {
		return
	}
	if b.code > 0 && b.code == b.out.Len() {
		b.out.Truncate(b.code - len("</pre>\n"))
		b.out.WriteString("\n")
	} else {
		b.out.WriteString("<pre>")
	}
	b.out.WriteString(inline + "</pre>\n")
	b.code = b.out.Len()
}

// raw writes HTML of whole blocks.
func (b *builder) raw(s string) {
	b.closeLists(0)
	if !b.full() {
		b.out.WriteString(s)
	}
}

// item writes an item of a list at a depth from 0. A number below 1 is a bullet.
func (b *builder) item(depth, number int, style, inline string) {
	depth = min(depth, 8)
	tag := "ul"
	if number > 0 {
		tag = "ol"
	}
	b.closeLists(depth + 1)
	if len(b.lists) == depth+1 && b.lists[depth] != tag {
		b.closeLists(depth)
	}
	if b.full() {
		return
	}
	if len(b.lists) == depth+1 {
		b.out.WriteString("</li>")
	}
	for len(b.lists) <= depth {
		t := tag
		if len(b.lists) < depth {
			t = "ul"
		}
		b.lists = append(b.lists, t)
		b.out.WriteString("<" + t)
		if t == "ol" && style != "" {
			b.out.WriteString(` type="` + style + `"`)
		}
		b.out.WriteString(">")
		if len(b.lists) <= depth {
			b.out.WriteString("<li>")
		}
	}
	b.out.WriteString("<li")
	if number > 0 {
		fmt.Fprintf(&b.out, ` value="%d"`, number)
	}
	b.out.WriteString(">" + inline)
}

// closeLists closes lists until n are open.
func (b *builder) closeLists(n int) {
	for len(b.lists) > n {
		tag := b.lists[len(b.lists)-1]
		b.lists = b.lists[:len(b.lists)-1]
		b.out.WriteString("</li></" + tag + ">\n")
	}
}

func (b *builder) String() string {
	b.closeLists(0)
	return b.out.String()
}

// cell is a cell of a table.
type cell struct {
	html       string
	cols, rows int // that it spans
}

// tableHTML writes a table. header means that the first row names the columns.
func tableHTML(rows [][]cell, header bool) string {
	var b strings.Builder
	if widest(rows) < 2 || len(rows) < 2 {
		b.WriteString("<table>") // a frame around text
		header = false
	} else {
		b.WriteString(`<table role="table">`)
	}
	for i, r := range rows {
		tag := "td"
		if header && i == 0 {
			tag = "th"
		}
		b.WriteString("<tr>")
		for _, c := range r {
			b.WriteString("<" + tag)
			if c.cols > 1 {
				fmt.Fprintf(&b, ` colspan="%d"`, c.cols)
			}
			if c.rows > 1 {
				fmt.Fprintf(&b, ` rowspan="%d"`, c.rows)
			}
			b.WriteString(">" + c.html + "</" + tag + ">")
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table>\n")
	return b.String()
}

func escape(s string) string { return html.EscapeString(s) }

// marked wraps inline HTML in the elements of its properties.
func marked(s string, script int, struck, code bool) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	if code {
		s = "<code>" + s + "</code>"
	}
	switch {
	case script > 0:
		s = "<sup>" + s + "</sup>"
	case script < 0:
		s = "<sub>" + s + "</sub>"
	}
	if struck {
		s = "<s>" + s + "</s>"
	}
	return s
}

// formula is an element that the Markdown writer knows.
func formula(tex string, display bool) string {
	if tex = strings.TrimSpace(tex); tex == "" {
		return ""
	}
	if display {
		return "<x-formula x-display>" + escape(tex) + "</x-formula>"
	}
	return "<x-formula>" + escape(tex) + "</x-formula>"
}

// note is the mark of a footnote.
func note(n int) string { return fmt.Sprintf("[^%d]", n) }

func widest(rows [][]cell) (n int) {
	for _, r := range rows {
		cols := 0
		for _, c := range r {
			cols += max(c.cols, 1)
		}
		n = max(n, cols)
	}
	return n
}
