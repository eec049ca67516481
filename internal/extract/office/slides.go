package office

import (
	"fmt"
	"strconv"
	"strings"
)

// readSlides reads a presentation of PresentationML: each slide is a section.
func readSlides(a *archive, maxText int) (Document, error) {
	var doc Document
	main := a.mainPart("ppt/presentation.xml")
	root, err := a.tree(main)
	if err != nil {
		return doc, err
	}
	byID, _ := a.relations(main)
	if properties, err := a.tree("docProps/core.xml"); err == nil {
		doc.properties(properties)
	}
	out := builder{room: maxText}
	number := 0
	for _, id := range root.find("sldIdLst").elements() {
		part := byID[id.relation("id")]
		if !a.has(part) {
			continue
		}
		slide, err := a.tree(part)
		if err != nil && slide.find("cSld") == nil {
			doc.Truncated = true
			if a.ctx.Err() != nil || a.left <= 0 {
				break
			}
			continue
		}
		number++
		if slide.child("sld").attr("show") == "0" {
			continue // a presenter does not show it
		}
		writeSlide(&out, slide, number)
		_, related := a.relations(part)
		if notes, err := a.tree(related["notesSlide"]); err == nil {
			writeSpeakerNotes(&out, notes)
		}
	}
	if number == 0 {
		if doc.Truncated {
			return doc, fmt.Errorf("its slides are damaged")
		}
		return doc, ErrUnknown
	}
	doc.Truncated = doc.Truncated || out.full()
	doc.Parts = []Part{{HTML: []byte(out.String())}}
	return doc, nil
}

func writeSlide(out *builder, slide *node, number int) {
	var shapes []*node
	collectShapes(slide.find("spTree"), &shapes, 0)
	title := fmt.Sprintf("Slide %d", number)
	for _, s := range shapes {
		if t := placeholder(s); (t == "title" || t == "ctrTitle") && strings.TrimSpace(s.allText()) != "" {
			var parts []string
			for _, p := range s.child("txBody").elements() {
				parts = append(parts, strings.TrimSpace(drawnText(p)))
			}
			title = escape(fmt.Sprintf("Slide %d: ", number)) + strings.Join(parts, " ")
		}
	}
	out.heading(2, title)
	for _, s := range shapes {
		switch kind := placeholder(s); {
		case kind == "title", kind == "ctrTitle", kind == "dt", kind == "ftr", kind == "sldNum", kind == "hdr", kind == "sldImg":
		case s.name == "graphicFrame":
			if t := s.find("tbl"); t != nil {
				out.raw(drawnTable(t))
			}
		default:
			writeShape(out, s.child("txBody"), kind == "body" || kind == "obj" || kind == "placeholder")
		}
	}
}

// collectShapes are the shapes of a slide, with those of groups.
func collectShapes(n *node, out *[]*node, depth int) {
	if n == nil || depth > 20 {
		return
	}
	for _, k := range n.elements() {
		switch k.name {
		case "sp", "graphicFrame":
			if hidden := k.find("cNvPr").attr("hidden"); hidden != "1" && hidden != "true" {
				*out = append(*out, k)
			}
		case "grpSp":
			collectShapes(k, out, depth+1)
		case "AlternateContent":
			collectShapes(firstOf(k.child("Choice"), k.child("Fallback")), out, depth+1)
		}
	}
}

// placeholder is the role of a shape, "" for a text box.
func placeholder(s *node) string {
	ph := s.find("nvPr").child("ph")
	if ph == nil {
		return ""
	}
	if t := ph.attr("type"); t != "" {
		return t
	}
	return "placeholder"
}

// writeShape writes the paragraphs of a shape. Those of a body are a list, unless they
// say otherwise.
func writeShape(out *builder, body *node, list bool) {
	numbers := map[int]int{}
	paragraphs := 0
	for _, p := range body.all("p") {
		if strings.TrimSpace(p.allText()) != "" {
			paragraphs++
		}
	}
	for _, p := range body.all("p") {
		text := drawnText(p)
		if strings.TrimSpace(text) == "" {
			continue
		}
		properties := p.child("pPr")
		level, _ := strconv.Atoi(properties.attr("lvl"))
		level = max(0, min(level, 8))
		switch {
		case isDrawnCode(p):
			out.listing(text)
		case properties.child("buAutoNum") != nil:
			if start, err := strconv.Atoi(properties.child("buAutoNum").attr("startAt")); err == nil && numbers[level] == 0 {
				numbers[level] = start - 1
			}
			numbers[level]++
			out.item(level, numbers[level], "", text)
		case properties.child("buNone") != nil, !list && properties.child("buChar") == nil, paragraphs == 1 && level == 0 && properties.child("buChar") == nil:
			out.block("p", text)
		default:
			out.item(level, 0, "", text)
		}
	}
}

// isDrawnCode reports whether all of a paragraph has a font for code.
func isDrawnCode(p *node) bool {
	runs := p.all("r")
	for _, r := range runs {
		font := strings.ToLower(r.child("rPr", "latin").attr("typeface"))
		if !strings.Contains(font, "courier") && !strings.Contains(font, "mono") && !strings.Contains(font, "consolas") {
			return false
		}
	}
	return len(runs) > 0
}

// drawnText writes a paragraph of DrawingML.
func drawnText(p *node) string {
	var b strings.Builder
	for _, k := range p.elements() {
		switch k.name {
		case "r", "fld":
			properties := k.child("rPr")
			baseline, _ := strconv.Atoi(strings.TrimSuffix(properties.attr("baseline"), "%"))
			strike := properties.attr("strike")
			if size, err := strconv.Atoi(properties.attr("sz")); err == nil && size <= 100 {
				continue // one point: not to be seen
			}
			b.WriteString(marked(escape(k.child("t").allText()), sign(baseline), strike != "" && strike != "noStrike", false))
		case "br":
			b.WriteString("<br>")
		case "m", "AlternateContent":
			if m := k.find("oMath"); m != nil {
				b.WriteString(formula(officeTeX(m), false))
			}
		}
	}
	return b.String()
}

func sign(n int) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}

func drawnTable(t *node) string {
	var rows [][]cell
	for _, tr := range t.all("tr") {
		var cells []cell
		for _, tc := range tr.all("tc") {
			if tc.attr("hMerge") == "1" || tc.attr("vMerge") == "1" {
				continue
			}
			cols, _ := strconv.Atoi(tc.attr("gridSpan"))
			down, _ := strconv.Atoi(tc.attr("rowSpan"))
			var parts []string
			for _, p := range tc.child("txBody").elements() {
				if s := drawnText(p); strings.TrimSpace(s) != "" {
					parts = append(parts, s)
				}
			}
			cells = append(cells, cell{html: strings.Join(parts, "<br>"), cols: cols, rows: down})
		}
		rows = append(rows, cells)
	}
	return tableHTML(rows, t.child("tblPr").attr("firstRow") != "0")
}

// writeSpeakerNotes writes what a presenter says.
func writeSpeakerNotes(out *builder, notes *node) {
	var parts []string
	var shapes []*node
	collectShapes(notes.find("spTree"), &shapes, 0)
	for _, s := range shapes {
		if placeholder(s) != "body" {
			continue
		}
		for _, p := range s.child("txBody").elements() {
			if text := drawnText(p); strings.TrimSpace(text) != "" {
				parts = append(parts, text)
			}
		}
	}
	if len(parts) > 0 {
		out.block("p", "Notes: "+strings.Join(parts, "<br>"))
	}
}
